package etcd

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protowire"
)

// owner is a reference from an object to the one it belongs to.
type owner struct{ Kind, Name, UID string }

// identity is what owner references need to know of an object.
type identity struct {
	uid    string
	owners []owner
}

// identify reads an object's UID and owners without decoding the rest. What is
// no readable object has neither: encrypted values above all.
func identify(value []byte) identity {
	switch {
	case bytes.HasPrefix(value, protobufMark):
		return identifyProtobuf(value)
	case len(value) > 0 && value[0] == '{':
		return identifyJSON(value)
	}
	return identity{}
}

func identifyProtobuf(value []byte) identity {
	var id identity
	_, raw, ok := openProtobuf(value)
	if !ok {
		return id
	}
	fields(raw, func(number protowire.Number, content, _ []byte) {
		if number != objectMetadata {
			return
		}
		fields(content, func(number protowire.Number, content, _ []byte) {
			switch number {
			case metaUID:
				id.uid = string(content)
			case metaOwners:
				id.owners = append(id.owners, protobufOwner(content))
			}
		})
	})
	return id
}

func protobufOwner(message []byte) owner {
	var o owner
	fields(message, func(number protowire.Number, content, _ []byte) {
		switch number {
		case ownerKind:
			o.Kind = string(content)
		case ownerName:
			o.Name = string(content)
		case ownerUID:
			o.UID = string(content)
		}
	})
	return o
}

// identifyJSON stops behind metadata, which the API server writes near the
// beginning: custom resources may be large.
func identifyJSON(value []byte) identity {
	decoder := json.NewDecoder(bytes.NewReader(value))
	if _, err := decoder.Token(); err != nil { // the brace
		return identity{}
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return identity{}
		}
		if name != "metadata" {
			var skip json.RawMessage
			if decoder.Decode(&skip) != nil {
				return identity{}
			}
			continue
		}
		var metadata struct {
			UID             string  `json:"uid"`
			OwnerReferences []owner `json:"ownerReferences"`
		}
		if decoder.Decode(&metadata) != nil {
			return identity{}
		}
		return identity{uid: metadata.UID, owners: metadata.OwnerReferences}
	}
	return identity{}
}
