package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/acpflow/acpflow/test/lab/workload"
)

const (
	teams   = 20              // as much as workload.Seed makes of each
	shop    = "shop"          // namespace of what the demo writes
	arrival = 3 * time.Minute // how long a change may take from one side to the other
)

// work fills a primary, writes one order more and waits for it on the standby.
func (s *story) work(ctx context.Context, primary, standby, order string) error {
	from, dyn, err := s.open(ctx, primary)
	if err != nil {
		return err
	}
	if err := workload.Seed(ctx, from, dyn, teams); err != nil {
		return err
	}
	_, err = from.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	meta := metav1.ObjectMeta{Name: order, Namespace: shop}
	if _, err := from.CoreV1().ConfigMaps(shop).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"order": order}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := from.CoreV1().Secrets(shop).Create(ctx, &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"order": order}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	start := time.Now()
	for {
		err := s.held(ctx, standby, order)
		if err == nil {
			fmt.Printf("  what was written in %s is in %s after %s\n", primary, standby, time.Since(start).Round(time.Millisecond))
			return nil
		}
		if time.Since(start) > arrival || ctx.Err() != nil {
			return fmt.Errorf("what was written in %s is not in %s after %s: %w", primary, standby, arrival, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// held demands that a cluster has the teams' data and these orders, and can
// decrypt their Secrets.
func (s *story) held(ctx context.Context, cluster string, orders ...string) error {
	api, dyn, err := s.open(ctx, cluster)
	if err != nil {
		return err
	}
	for _, order := range orders {
		config, err1 := api.CoreV1().ConfigMaps(shop).Get(ctx, order, metav1.GetOptions{})
		secret, err2 := api.CoreV1().Secrets(shop).Get(ctx, order, metav1.GetOptions{})
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if config.Data["order"] != order || string(secret.Data["order"]) != order {
			return fmt.Errorf("order %s is %q in %s", order, config.Data["order"], cluster)
		}
	}
	for i := range teams {
		team := workload.Team(i + 1)
		secret, err := api.CoreV1().Secrets(team).Get(ctx, "password-1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if string(secret.Data["password"]) != "of "+team {
			return fmt.Errorf("the password of %s cannot be read in %s", team, cluster)
		}
	}
	machines, err := dyn.Resource(workload.Machines).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(machines.Items) < teams*workload.MachinesEach {
		return fmt.Errorf("only %d Machines are in %s", len(machines.Items), cluster)
	}
	fmt.Printf("  %s has %d teams, %d Machines and the orders %v\n", cluster, teams, len(machines.Items), orders)
	return nil
}

// open is a cluster through its VIP, with the administrator's kubeconfig of its
// first control plane.
func (s *story) open(ctx context.Context, cluster string) (kubernetes.Interface, dynamic.Interface, error) {
	node, err := s.lab.Node(cluster + "-1")
	if err != nil {
		return nil, nil, err
	}
	text, err := node.Exec(ctx, "cat", "/etc/kubernetes/admin.conf")
	if err != nil {
		return nil, nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = 200, 200
	api, err1 := kubernetes.NewForConfig(config)
	dyn, err2 := dynamic.NewForConfig(config)
	return api, dyn, errors.Join(err1, err2)
}
