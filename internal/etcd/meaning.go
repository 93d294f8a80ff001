package etcd

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// protobufMark is how the API server marks its own kinds. Custom resources are
// plain JSON, and encrypted values begin with k8s:enc:.
var protobufMark = []byte("k8s\x00")

// sameMeaning compares two stored objects beyond their bytes: without
// managedFields, and for built-in kinds without status. What cannot be decoded,
// encrypted values above all, has only its bytes.
func sameMeaning(key string, a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	if bytes.HasPrefix(a, protobufMark) && bytes.HasPrefix(b, protobufMark) {
		x, ok := stripProtobuf(a)
		if !ok {
			return false
		}
		y, ok := stripProtobuf(b)
		return ok && bytes.Equal(x, y)
	}
	builtIn := parseKey(key).builtIn()
	x, ok := stripJSON(a, builtIn)
	if !ok {
		return false
	}
	y, ok := stripJSON(b, builtIn)
	return ok && reflect.DeepEqual(x, y)
}

// stripJSON decodes an object and drops what does not count.
func stripJSON(value []byte, builtIn bool) (map[string]any, bool) {
	if len(value) == 0 || value[0] != '{' {
		return nil, false
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber() // 1 and 1.0 stay apart: fail closed
	if decoder.Decode(&object) != nil || decoder.More() {
		return nil, false
	}
	if metadata, ok := object["metadata"].(map[string]any); ok {
		delete(metadata, "managedFields")
	}
	if builtIn {
		delete(object, "status")
	}
	return object, true
}
