package synchronizer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// podLog is the log of one Pod, in the format of container runtimes. An object
// of the kubelet's stand-in tells it which file to show.
type podLog struct {
	mu   sync.Mutex
	path string
	last string
}

func newPodLog(dir string, p pod) *podLog {
	name := strings.Join([]string{Namespace, p.Metadata.Name, p.Metadata.UID}, "_")
	return &podLog{path: filepath.Join(dir, name, p.container(), "0.log")}
}

// publish makes kubectl logs show the file.
func (l *podLog) publish(ctx context.Context, api *kubeapi.Client, p pod) error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return api.Apply(ctx, kubeapi.Object{
		"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Logs",
		"metadata": kubeapi.Object{"name": p.Metadata.Name, "namespace": Namespace, "ownerReferences": []kubeapi.Object{
			{"apiVersion": "v1", "kind": "Pod", "name": p.Metadata.Name, "uid": p.Metadata.UID}}},
		"spec": kubeapi.Object{"logs": []kubeapi.Object{{"containers": []string{p.container()}, "logsFile": l.path}}},
	})
}

// say writes a line. A line like the one before is left out: a loop that fails
// the same way again says nothing new.
func (l *podLog) say(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == l.last {
		return
	}
	l.last = text
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return // a log that can't be written stops nothing
	}
	defer f.Close()
	fmt.Fprintf(f, "%s stdout F %s\n", time.Now().UTC().Format(time.RFC3339Nano), text)
}
