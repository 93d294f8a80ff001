package checks

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// mutant is an edition with one thing changed.
type mutant struct {
	name    string
	edition edition
}

// mutants changes every number of an edition by one, turns every switch and
// drops every entry of every list, one at a time.
func mutants(of edition) []mutant {
	var out []mutant
	for step := 0; ; step++ {
		e := clone(reflect.ValueOf(of)).Interface().(edition)
		m := mutator{left: step}
		m.walk("edition", reflect.ValueOf(&e).Elem())
		if m.name == "" {
			return out
		}
		out = append(out, mutant{m.name, e})
	}
}

// mutator does the change with number left, counted in the order of the fields.
type mutator struct {
	left int
	name string
}

// turn reports whether this is the change to do.
func (m *mutator) turn(name string) bool {
	m.left--
	if m.left != -1 {
		return false
	}
	m.name = name
	return true
}

func (m *mutator) walk(at string, v reflect.Value) {
	v = open(v)
	switch p := v.Interface().(type) {
	case netip.Prefix:
		if m.turn(at + " wider") {
			v.Set(reflect.ValueOf(netip.PrefixFrom(p.Addr(), p.Bits()-1)))
		}
		if m.turn(at + " narrower") {
			v.Set(reflect.ValueOf(netip.PrefixFrom(p.Addr(), p.Bits()+1)))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			m.walk(at+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			if m.turn(fmt.Sprintf("%s without %v", at, v.Index(i))) {
				v.Set(reflect.AppendSlice(v.Slice(0, i), v.Slice(i+1, v.Len())))
				return
			}
			m.walk(fmt.Sprintf("%s[%d]", at, i), v.Index(i))
		}
	case reflect.Map:
		for _, k := range slices.SortedFunc(maps.Keys(v.Interface().(map[string]packages)), strings.Compare) {
			entry := reflect.New(v.Type().Elem()).Elem()
			entry.Set(v.MapIndex(reflect.ValueOf(k)))
			m.walk(at+"."+k, entry)
			v.SetMapIndex(reflect.ValueOf(k), entry)
		}
	case reflect.Int:
		for _, d := range []int64{1, -1} { // zero means that the edition has no such number
			if v.Int() != 0 && m.turn(fmt.Sprintf("%s %+d", at, d)) {
				v.SetInt(v.Int() + d)
			}
		}
	case reflect.Uint64:
		if v.Uint() != unlimited && v.Uint() != 0 && m.turn(at+" +1") {
			v.SetUint(v.Uint() + 1)
		}
		if v.Uint() != 0 && m.turn(at+" -1") {
			v.SetUint(v.Uint() - 1)
		}
	case reflect.Float64:
		for _, d := range []float64{1.01, 0.99} {
			if m.turn(fmt.Sprintf("%s ×%v", at, d)) {
				v.SetFloat(v.Float() * d)
			}
		}
	case reflect.Bool:
		if m.turn(at + " turned") {
			v.SetBool(!v.Bool())
		}
	case reflect.String:
		if m.turn(at + " changed") {
			v.SetString(v.String() + "0")
		}
	}
}

// open lets a field that is not exported be changed.
func open(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem() //nolint:gosec // a field of a test's own copy
	}
	return v
}

// clone copies deeply, because editions share their lists.
func clone(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Struct:
		if _, ok := v.Type().FieldByName("z"); ok { // netip's own
			out.Set(v)
			break
		}
		from := reflect.New(v.Type()).Elem()
		from.Set(v)
		for i := range v.NumField() {
			open(out.Field(i)).Set(clone(open(from.Field(i))))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(clone(v.Index(i)))
			}
		}
	case reflect.Map:
		out.Set(reflect.MakeMap(v.Type()))
		for _, k := range v.MapKeys() {
			out.SetMapIndex(k, clone(v.MapIndex(k)))
		}
	default:
		out.Set(v)
	}
	return out
}
