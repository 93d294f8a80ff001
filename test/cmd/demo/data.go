package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/acpflow/acpflow/test/lab"
)

// arrival bounds how long a change may take from one side to the other.
const arrival = 30 * time.Second

// mirrored writes a ConfigMap and a Secret through the primary's API and reads
// both through the standby's.
func mirrored(ctx context.Context, l *lab.Lab) error {
	west, err := api(ctx, l, primary)
	if err != nil {
		return err
	}
	east, err := api(ctx, l, standby)
	if err != nil {
		return err
	}
	meta := metav1.ObjectMeta{Name: "orders", Namespace: "shop"}
	_, err = west.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meta.Namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	word := time.Now().Format(time.RFC3339Nano)
	if _, err := west.CoreV1().ConfigMaps(meta.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"word": word}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := west.CoreV1().Secrets(meta.Namespace).Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"word": word}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	start := time.Now()
	for {
		config, err1 := east.CoreV1().ConfigMaps(meta.Namespace).Get(ctx, meta.Name, metav1.GetOptions{})
		secret, err2 := east.CoreV1().Secrets(meta.Namespace).Get(ctx, meta.Name, metav1.GetOptions{})
		if err1 == nil && err2 == nil && config.Data["word"] == word && string(secret.Data["word"]) == word {
			say("    both are there after %s, the Secret decrypted with the primary's key", time.Since(start).Round(time.Millisecond))
			return nil
		}
		if time.Since(start) > arrival || ctx.Err() != nil {
			return fmt.Errorf("what was written in %s is not in %s after %s: %w", primary, standby, arrival, errors.Join(err1, err2))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// api opens a cluster through its VIP, with the administrator's kubeconfig of
// its first control plane.
func api(ctx context.Context, l *lab.Lab, cluster string) (kubernetes.Interface, error) {
	node, err := l.Node(cluster + "-1")
	if err != nil {
		return nil, err
	}
	text, err := node.Exec(ctx, "cat", "/etc/kubernetes/admin.conf")
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
