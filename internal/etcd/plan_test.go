package etcd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyspaces are ways in which names are spread in real clusters.
func keyspaces() map[string][]string {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[r.IntN(36)]
		}
		return string(b)
	}
	uuid := func() string { return word(8) + "-" + word(4) + "-" + word(4) + "-" + word(12) }
	out := map[string][]string{"none": nil, "one": {"/registry/configmaps/a/b"}}
	for i := range 200_000 {
		out["one namespace, numbers"] = append(out["one namespace, numbers"], fmt.Sprintf("/registry/configmaps/ns/object-%07d", i))
		out["one namespace, random"] = append(out["one namespace, random"], "/registry/secrets/team-a/app-"+word(10)+"-"+word(5))
		out["uuid names"] = append(out["uuid names"], "/registry/example.com/widgets/a-rather-long-namespace-name/"+uuid())
		out["a namespace each"] = append(out["a namespace each"], "/registry/rolebindings/"+uuid()+"/default-role-binding-of-the-namespace")
		out["long common prefix"] = append(out["long common prefix"], "/registry/example.com/widgets/ns/"+strings.Repeat("very-long-", 15)+fmt.Sprint(i))
		out["prefixes of one another"] = append(out["prefixes of one another"], "/registry/configmaps/ns/a"+strings.Repeat("/x", i%7)+fmt.Sprint(i))
	}
	for i := range 300 {
		kind := fmt.Sprintf("/registry/group-%d.example.com/kind%d/", i%40, i)
		for j := range 1 + r.IntN(30) {
			out["many small kinds and a few large"] = append(out["many small kinds and a few large"], fmt.Sprintf("%sns-%d/%s", kind, j%3, word(9)))
		}
	}
	for i := range 150_000 {
		out["many small kinds and a few large"] = append(out["many small kinds and a few large"],
			fmt.Sprintf("/registry/%s/project-%02d/%s", []string{"secrets", "configmaps", "serviceaccounts"}[i%3], r.IntN(60), word(12)))
	}
	out["bytes of any value"] = nil
	for range 50_000 {
		b := make([]byte, 1+r.IntN(6))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		out["bytes of any value"] = append(out["bytes of any value"], root+string(b))
	}
	for name := range out {
		slices.Sort(out[name])
		out[name] = slices.Compact(out[name])
	}
	return out
}

// TestPlan: the bands cover the range without a gap, none is too large, and
// finding them costs a bounded number of requests and of keys walked over.
func TestPlan(t *testing.T) {
	for name, keys := range keyspaces() {
		t.Run(name, func(t *testing.T) {
			var bands []band
			requests, walked := 0, 0
			p := planner{
				probe: func(_ context.Context, from, to string) (int64, string, error) {
					require.Less(t, from, to)
					i, _ := slices.BinarySearch(keys, from)
					j, _ := slices.BinarySearch(keys, to)
					requests, walked = requests+1, walked+j-i
					if i == j {
						return 0, "", nil
					}
					return int64(j - i), keys[i], nil
				},
				emit: func(b band) error { bands = append(bands, b); return nil },
			}
			require.NoError(t, p.plan(t.Context(), root, after(root)))
			at, total := root, 0
			for _, b := range bands {
				assert.Equal(t, at, b.from)
				i, _ := slices.BinarySearch(keys, b.from)
				j, _ := slices.BinarySearch(keys, b.to)
				assert.EqualValues(t, j-i, b.keys)
				assert.LessOrEqual(t, b.keys, int64(bandMost))
				at, total = b.to, total+j-i
			}
			assert.Equal(t, after(root), at)
			assert.Equal(t, len(keys), total)
			t.Logf("%d keys, %d bands, %d requests, %.1f walks per key", len(keys), len(bands), requests, float64(walked)/float64(max(1, len(keys))))
			assert.LessOrEqual(t, requests, 100+20*len(bands))
			assert.LessOrEqual(t, walked, 7*len(keys)+bandMost)
			assert.LessOrEqual(t, len(bands), 2+2*len(keys)/bandLeast)
		})
	}
}
