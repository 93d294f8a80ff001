package kube

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/acpflow/acpflow/internal/fault"
)

// archLabel pins the `global` cluster to one architecture (PKG-10).
const archLabel = "cpaas.io/node-arch-constraint"

// ArchConstraint returns the value of the architecture label of Cluster
// `global`, "" when there is none.
func (c *Client) ArchConstraint(ctx context.Context) (string, error) {
	obj, err := c.dynamic.Resource(clusters).Get(ctx, globalName, metav1.GetOptions{})
	if err != nil {
		return "", c.fault("read Cluster global", err)
	}
	return obj.GetLabels()[archLabel], nil
}

// RemoveArchConstraint removes the label (PKG-10 step 3) and confirms it. It
// returns the value that was removed, "" when there was nothing to do. A label
// that changed between reading and removing is fault.Conflict or BadInput from
// the API and left alone.
func (c *Client) RemoveArchConstraint(ctx context.Context) (string, error) {
	value, err := c.ArchConstraint(ctx)
	if err != nil || value == "" {
		return "", err
	}
	path := "/metadata/labels/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(archLabel)
	patch, err := json.Marshal([]map[string]string{
		{"op": "test", "path": path, "value": value},
		{"op": "remove", "path": path},
	})
	if err != nil {
		return "", fault.New(fault.Internal, "write the patch", c.place, "", err)
	}
	obj, err := c.dynamic.Resource(clusters).Patch(ctx, globalName, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: "acpflow"})
	if err != nil {
		return "", c.fault("remove the label "+archLabel+" of Cluster global", err)
	}
	if _, still := obj.GetLabels()[archLabel]; still {
		return "", fault.New(fault.Protocol, "remove the label "+archLabel+" of Cluster global", c.place, "",
			errors.New("the API took the change and the label is still there"))
	}
	return value, nil
}
