package report

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/acpflow/acpflow/checks"
)

// clean makes every text of a report printable, and an outcome that nobody
// knows an error: no form of the report may show it as good.
func clean(r checks.Report) checks.Report {
	scrub(reflect.ValueOf(&r).Elem(), line)
	for i := range r.Findings { // scrub has copied them
		f := &r.Findings[i]
		if !slices.Contains(worst, f.Outcome) {
			f.Reason = strings.TrimSpace("unknown outcome " + strconv.QuoteToASCII(string(f.Outcome)) + " " + f.Reason)
			f.Outcome = checks.Error
		}
	}
	r.Tally = checks.Count(r.Findings)
	r.Blocking = r.Blocking || r.Tally.Blocking()
	return r
}

// manyLines are the fields that may have several lines, as a fix with two commands.
var manyLines = []string{"Fix", "Text"}

// scrub cleans every text below v, in copies of its lists: also those of fields
// that come later.
func scrub(v reflect.Value, how func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(how(v.String()))
	case reflect.Slice:
		if v.Len() == 0 {
			return
		}
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		v.Set(list)
		for i := range v.Len() {
			scrub(v.Index(i), how)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch {
			case !field.IsExported(): // of time.Time
			case slices.Contains(manyLines, field.Name):
				scrub(v.Field(i), text)
			default:
				scrub(v.Field(i), line)
			}
		}
	case reflect.Pointer, reflect.Map, reflect.Interface:
		panic("report: teach scrub about " + v.Type().String())
	}
}

// line is s on one line, with everything that does not print written out:
// control and format characters (ANSI, bidi) and bytes that are no UTF-8.
func line(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			const hex = "0123456789abcdef"
			b.WriteString(`\x` + string(hex[s[i]>>4]) + string(hex[s[i]&15]))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

// text is line for what may have several lines, as a fix with two commands.
func text(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = line(lines[i])
	}
	return strings.Join(lines, "\n")
}
