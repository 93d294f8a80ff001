package etcd

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

// stored encodes an object as the API server stores its own kinds.
func stored(t testing.TB, o runtime.Object, version schema.GroupVersion) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := scheme.Codecs.EncoderForVersion(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme), version)
	require.NoError(t, encoder.Encode(o, &out))
	return out.Bytes()
}

func deployment(edits ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "team", UID: "1f", Labels: map[string]string{"a": "b", "c": "d"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App", Name: "shop", UID: "2f"}, {Kind: "Other", Name: "o", UID: "3f"}}},
		Spec:   appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}},
		Status: appsv1.DeploymentStatus{Replicas: 1},
	}
	for _, e := range edits {
		e(d)
	}
	return d
}

func TestMeaningOfBuiltInKinds(t *testing.T) {
	const key = "/registry/deployments/team/web"
	base := stored(t, deployment(), appsv1.SchemeGroupVersion)
	for name, c := range map[string]struct {
		edit func(*appsv1.Deployment)
		same bool
	}{
		"nothing":        {func(*appsv1.Deployment) {}, true},
		"status":         {func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 3 }, true},
		"no status":      {func(d *appsv1.Deployment) { d.Status = appsv1.DeploymentStatus{} }, true},
		"managed fields": {func(d *appsv1.Deployment) { d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}} }, true},
		"an image":       {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "j" }, false},
		"a label":        {func(d *appsv1.Deployment) { d.Labels["a"] = "z" }, false},
		"the UID":        {func(d *appsv1.Deployment) { d.UID = "9f" }, false},
		"an owner":       {func(d *appsv1.Deployment) { d.OwnerReferences = d.OwnerReferences[:1] }, false},
		"generation":     {func(d *appsv1.Deployment) { d.Generation = 7 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := stored(t, deployment(c.edit), appsv1.SchemeGroupVersion)
			assert.Equal(t, c.same, sameMeaning(key, base, other))
			assert.Equal(t, c.same, sameMeaning(key, other, base))
		})
	}
	plain := stored(t, &corev1.ConfigMap{Data: map[string]string{"a": "1"}}, corev1.SchemeGroupVersion)
	assert.False(t, sameMeaning("/registry/configmaps/a/b", plain, stored(t, &corev1.ConfigMap{Data: map[string]string{"a": "2"}}, corev1.SchemeGroupVersion)), "a kind without status")
}

// TestFieldsOfNewerServersCount: Go's types drop what they don't know, so a
// comparison of decoded objects would call these two equal.
func TestFieldsOfNewerServersCount(t *testing.T) {
	_, raw, ok := openProtobuf(stored(t, deployment(), appsv1.SchemeGroupVersion))
	require.True(t, ok)
	wrap := func(extra string) []byte {
		kind := protowire.AppendString(protowire.AppendTag(nil, typeVersion, protowire.BytesType), "apps/v1")
		kind = protowire.AppendString(protowire.AppendTag(kind, typeKind, protowire.BytesType), "Deployment")
		object := protowire.AppendString(protowire.AppendTag(bytes.Clone(raw), 99, protowire.BytesType), extra)
		out := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(protobufMark), unknownType, protowire.BytesType), kind)
		return protowire.AppendBytes(protowire.AppendTag(out, unknownRaw, protowire.BytesType), object)
	}
	assert.True(t, sameMeaning("/registry/deployments/a/b", wrap("x"), wrap("x")))
	assert.False(t, sameMeaning("/registry/deployments/a/b", wrap("x"), wrap("y")))
}

func TestMeaningOfJSON(t *testing.T) {
	const custom, definition = "/registry/example.com/widgets/team/a", "/registry/apiextensions.k8s.io/customresourcedefinitions/a"
	for name, c := range map[string]struct {
		key, a, b string
		same      bool
	}{
		"managed fields":          {custom, `{"metadata":{"name":"a","managedFields":[{"manager":"x"}]}}`, `{"metadata":{"name":"a"}}`, true},
		"order of fields":         {custom, `{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		"status of a custom kind": {custom, `{"status":{"phase":"Running"}}`, `{"status":{"phase":"Failed"}}`, false},
		"status of a definition":  {definition, `{"spec":1,"status":{"a":1}}`, `{"spec":1,"status":{"a":2}}`, true},
		"spec of a definition":    {definition, `{"spec":1,"status":{"a":1}}`, `{"spec":2,"status":{"a":1}}`, false},
		"a number's form":         {custom, `{"a":1}`, `{"a":1.0}`, false},
		"large numbers":           {custom, `{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
		"something behind":        {custom, `{"a":1}`, `{"a":1}{"b":2}`, false},
		"broken":                  {custom, `{"a":1`, `{"a":1 `, false},
		"encrypted":               {"/registry/secrets/a/b", "k8s:enc:aescbc:v1:key1:abc", "k8s:enc:aescbc:v1:key1:abd", false},
		"nothing and null":        {custom, ``, `null`, false},
		"protobuf and JSON":       {custom, "k8s\x00", `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.same, sameMeaning(c.key, []byte(c.a), []byte(c.b)))
			assert.Equal(t, c.same, sameMeaning(c.key, []byte(c.b), []byte(c.a)))
		})
	}
}

func TestIdentify(t *testing.T) {
	want := identity{uid: "1f", owners: []owner{{"App", "shop", "2f"}, {"Other", "o", "3f"}}}
	assert.Equal(t, want, identify(stored(t, deployment(), appsv1.SchemeGroupVersion)))
	assert.Equal(t, want, identify([]byte(`{"apiVersion":"x","extra":{"metadata":{"uid":"no"}},"metadata":{"uid":"1f",
		"ownerReferences":[{"kind":"App","name":"shop","uid":"2f"},{"kind":"Other","name":"o","uid":"3f"}]},"spec":{}}`)))
	for _, unreadable := range []string{"", "{", "{}", "k8s\x00", "k8s\x00\x0a", "k8s:enc:x", `{"metadata":1}`, `{"a":}`, "[]"} {
		assert.Equal(t, identity{}, identify([]byte(unreadable)), "%q", unreadable)
	}
}

// FuzzMeaning: no value, however broken, stops a proof, and meaning is a sane
// equality that never calls the UID's change nothing.
func FuzzMeaning(f *testing.F) {
	good := stored(f, deployment(), appsv1.SchemeGroupVersion)
	other := stored(f, deployment(func(d *appsv1.Deployment) { d.Status.Replicas = 9; d.UID = "7f" }), appsv1.SchemeGroupVersion)
	f.Add(good, other)
	f.Add(good[:len(good)-3], good)
	f.Add([]byte(`{"metadata":{"uid":"1"}}`), []byte(`{"metadata":{"uid":"2"}}`))
	f.Add([]byte("k8s:enc:a"), []byte("k8s\x00\x12\x00"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, key := range []string{"/registry/deployments/a/b", "/registry/example.com/widgets/a/b"} {
			assert.True(t, sameMeaning(key, a, bytes.Clone(a)))
			same := sameMeaning(key, a, b)
			assert.Equal(t, same, sameMeaning(key, b, a))
			if same && identify(a).uid != "" && identify(b).uid != "" {
				assert.Equal(t, identify(a), identify(b), "equal meaning, equal identity")
			}
		}
	})
}
