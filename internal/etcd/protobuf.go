package etcd

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Field numbers of what the API server stores. Objects are read on the wire and
// not through Go's types: those drop fields they don't know, and a newer server's
// field must not vanish from a comparison.
const (
	unknownType = 1 // runtime.Unknown: apiVersion and kind
	unknownRaw  = 2 // the object

	typeVersion = 1
	typeKind    = 2

	objectMetadata = 1

	metaUID           = 5
	metaOwners        = 13
	metaManagedFields = 17

	ownerKind = 1
	ownerName = 3
	ownerUID  = 4
)

// fields calls f for each field of a message: its number, its bytes without
// tag and length (nil unless it is of that kind), and the whole field. It
// reports whether the message is well-formed.
func fields(message []byte, f func(number protowire.Number, content, whole []byte)) bool {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return false
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return false
		}
		var content []byte
		if kind == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(message[n:]) // ConsumeFieldValue has checked it
		}
		f(number, content, message[:n+size])
		message = message[n+size:]
	}
	return true
}

// open unwraps a stored object: its kind and its message.
func openProtobuf(value []byte) (kind schema.GroupVersionKind, raw []byte, ok bool) {
	wrapped, ok := bytes.CutPrefix(value, protobufMark)
	if !ok {
		return kind, nil, false
	}
	var version, name string
	well := true
	ok = fields(wrapped, func(number protowire.Number, content, _ []byte) {
		switch number {
		case unknownType:
			well = well && fields(content, func(number protowire.Number, content, _ []byte) {
				switch number {
				case typeVersion:
					version = string(content)
				case typeKind:
					name = string(content)
				}
			})
		case unknownRaw:
			raw = content
		}
	})
	return schema.FromAPIVersionAndKind(version, name), raw, ok && well && name != "" && raw != nil
}

// stripProtobuf returns the object's kind and message without managedFields
// and status.
func stripProtobuf(value []byte) ([]byte, bool) {
	kind, raw, ok := openProtobuf(value)
	if !ok {
		return nil, false
	}
	status := statusField(kind)
	out := append(make([]byte, 0, len(raw)+64), kind.String()+"\x00"...)
	well := true
	ok = fields(raw, func(number protowire.Number, content, whole []byte) {
		switch {
		case number == objectMetadata && content != nil:
			well = well && fields(content, func(number protowire.Number, _, whole []byte) {
				if number != metaManagedFields {
					out = append(out, whole...)
				}
			})
			out = append(out, 0) // tag 0 exists nowhere: ends the metadata
		case number != status:
			out = append(out, whole...)
		}
	})
	return out, ok && well
}

// statusField is the number of a kind's status, 0 when it has none or the kind
// is unknown.
func statusField(kind schema.GroupVersionKind) protowire.Number {
	object, err := scheme.Scheme.New(kind)
	if err != nil {
		return 0
	}
	field, ok := reflect.TypeOf(object).Elem().FieldByName("Status")
	if !ok {
		return 0
	}
	tag := strings.Split(field.Tag.Get("protobuf"), ",") // "bytes,3,opt,name=status"
	if len(tag) < 2 || tag[0] != "bytes" {
		return 0
	}
	n, _ := strconv.Atoi(tag[1]) // 0 when it is none
	return protowire.Number(n)
}
