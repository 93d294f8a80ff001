package site

import "reflect"

// checkRequired wants every field that has no default and may not be left out.
func checkRequired(j *judge) {
	visit(reflect.ValueOf(j.site).Elem(), "", func(v reflect.Value, path string, optional bool) {
		if optional || !v.IsZero() || v.Kind() == reflect.Struct {
			return
		}
		j.fail(path, "", "this field is required")
	})
	if v := j.site.APIVersion; v != "" && v != APIVersion {
		j.fail("apiVersion", "write "+APIVersion, "this release does not read version %q", shorten(v))
	}
}
