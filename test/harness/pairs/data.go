package pairs

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

// Team is a namespace with data on both sides, once the pair was seeded.
var Team = workload.Team(1)

// arrival is how long a change may take from one side to the other. It takes a second,
// on a machine full of other tests many.
const arrival = 3 * time.Minute

// WriteMap sets a ConfigMap on a side.
func WriteMap(t testing.TB, side *labtest.Side, key, value string) {
	t.Helper()
	maps := side.API.CoreV1().ConfigMaps(Team)
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: key}, Data: map[string]string{"value": value}}
	_, err := maps.Create(t.Context(), o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = maps.Update(t.Context(), o, metav1.UpdateOptions{})
	}
	require.NoError(t, err)
}

// MapArrives waits until a ConfigMap has its value on a side.
func MapArrives(t testing.TB, side *labtest.Side, key, value string) {
	t.Helper()
	labtest.Await(t, arrival, "ConfigMap "+key+" in the "+side.Cluster.Name, func() error {
		o, err := side.API.CoreV1().ConfigMaps(Team).Get(t.Context(), key, metav1.GetOptions{})
		if err == nil && o.Data["value"] != value {
			err = fmt.Errorf("it is %q", o.Data["value"])
		}
		return err
	})
}

// NewSecret makes a Secret on a side.
func NewSecret(t testing.TB, side *labtest.Side, key, value string) {
	t.Helper()
	_, err := side.API.CoreV1().Secrets(Team).Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: key}, StringData: map[string]string{"value": value}}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// SecretReadable reads a Secret through each API server of a side.
func SecretReadable(t testing.TB, side *labtest.Side, key, value string) {
	t.Helper()
	labtest.Await(t, arrival, "Secret "+key+" in the "+side.Cluster.Name, func() error {
		for range 3 { // the balancer takes them in turn
			o, err := side.API.CoreV1().Secrets(Team).Get(t.Context(), key, metav1.GetOptions{})
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
