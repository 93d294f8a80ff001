package pair

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// team is a namespace with data on both sides.
var team = workload.Team(1)

// seeded makes sure that there is data to compare.
func (r *rig) seeded(t *testing.T) {
	t.Helper()
	require.NoError(t, workload.Seed(t.Context(), r.west.API, r.west.Dynamic, 3))
}

// write sets a ConfigMap on the primary.
func (r *rig) write(t *testing.T, key, value string) {
	t.Helper()
	maps := r.west.API.CoreV1().ConfigMaps(team)
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: key}, Data: map[string]string{"value": value}}
	_, err := maps.Create(t.Context(), o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(t.Context(), o, metav1.UpdateOptions{})
	}
	require.NoError(t, err)
}

// arrives waits until a ConfigMap has its value on the standby.
func (r *rig) arrives(t *testing.T, key, value string) {
	t.Helper()
	labtest.Await(t, 30*time.Second, key+" on the standby", func() error {
		o, err := r.east.API.CoreV1().ConfigMaps(team).Get(t.Context(), key, metav1.GetOptions{})
		if err == nil && o.Data["value"] != value {
			err = fmt.Errorf("it is %q", o.Data["value"])
		}
		return err
	})
}

// secretReadable reads a Secret of the primary through the standby's API servers, each of them.
func (r *rig) secretReadable(t *testing.T, key, value string) {
	t.Helper()
	labtest.Await(t, 30*time.Second, "Secret "+key+" on the standby", func() error {
		for range 3 { // the balancer takes them in turn
			o, err := r.east.API.CoreV1().Secrets(team).Get(t.Context(), key, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if string(o.Data["value"]) != value {
				return fmt.Errorf("it is %q", o.Data["value"])
			}
		}
		return nil
	})
}

// newSecret makes a Secret on the primary.
func (r *rig) newSecret(t *testing.T, key, value string) {
	t.Helper()
	_, err := r.west.API.CoreV1().Secrets(team).Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: key}, StringData: map[string]string{"value": value}}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// What is written on the primary is read on the standby, Secrets too.
func TestDataIsReadOnTheOtherSide(t *testing.T) {
	r := built(t)
	r.seeded(t)
	r.write(t, "first", "one")
	r.newSecret(t, "first", "hidden one")
	r.arrives(t, "first", "one")
	r.secretReadable(t, "first", "hidden one")
	v := r.clean(t)
	require.NotEmpty(t, v.Ignored, "the result says what was left out, and why")
	for _, g := range v.Ignored {
		require.NotEmpty(t, g.Reason, g.Name)
	}
}
