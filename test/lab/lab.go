// Package lab brings up data centres on one Linux machine: systemd machines on
// a bridge of their own, with sshd, DNS and load balancers, and no container
// engine. It needs root on Debian 12 (or a relative with systemd-nspawn).
//
// A lab has a name. Everything it makes on the machine carries that name and
// is written to a state file before it is made, so that Down removes exactly
// what an earlier, perhaps killed, Up left. Labs of different names have
// different bridges and subnets and do not disturb one another.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/acpflow/acpflow/site"
)

// DefaultName is the lab a person gets without naming one.
const DefaultName = "lab"

// Options say what Up shall bring up. The zero value is one cluster, west,
// with three control planes.
type Options struct {
	Name     string        // of the lab, at most 11 characters; default DefaultName
	Dir      string        // where keys, certificates and site.yaml go; default below the state directory
	Clusters []ClusterPlan // default west with three control planes
	// Workloads names workload clusters, each one machine with a control plane,
	// Pods of warlock and a kubeconfig in Dir; they come with Clusters.
	Workloads []string
	Package   *site.Package    // for site.yaml; default a stand-in package built by Up
	Site      func(*site.Site) // changes the site document before it is written; default nothing
	Log       io.Writer        // progress lines; default none
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if len(o.Clusters) == 0 {
		o.Clusters = []ClusterPlan{{Name: "west", ControlPlanes: 3}}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// Cluster is one cluster of the lab.
type Cluster struct {
	Name string `json:"name"`
	VIP  string `json:"vip"` // address of its balancer, or of its only node
}

// Lab is a lab that is up. Its methods may be used from several goroutines,
// except Reset and Down.
type Lab struct {
	state state
	log   io.Writer
}

// Name of the lab.
func (l *Lab) Name() string { return l.state.Name }

// Dir holds the files for the user: site.yaml, lab.json, keys, certificates.
func (l *Lab) Dir() string { return l.state.Dir }

// Clusters of the lab, in the order planned.
func (l *Lab) Clusters() []Cluster { return slices.Clone(l.state.Clusters) }

// Nodes are all machines of the lab.
func (l *Lab) Nodes() []*Node {
	nodes := make([]*Node, len(l.state.Nodes))
	for i := range l.state.Nodes {
		n := l.state.Nodes[i]
		n.lab = l
		nodes[i] = &n
	}
	return nodes
}

// ErrNoNode is returned for a machine the lab does not have.
var ErrNoNode = errors.New("no such node")

// Node returns the named machine, for example "west-1", "west-lb" or "dns".
func (l *Lab) Node(name string) (*Node, error) {
	for _, n := range l.Nodes() {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("lab %s: %q: %w; see lab status", l.state.Name, name, ErrNoNode)
}

// Open returns the lab of that name when an Up of it has finished.
func Open(name string) (*Lab, error) {
	s, err := loadState(name)
	if err != nil {
		return nil, err
	}
	if s.Phase != phaseReady {
		return nil, fmt.Errorf("lab %s: never came up completely (%s); run lab up or lab down", name, s.Phase)
	}
	return &Lab{state: s, log: io.Discard}, nil
}

// Reset mends the network, gives every node its pristine disk back and boots it
// again: what was installed, changed or broken on the nodes is gone. Keys, addresses and the
// files in Dir stay; workload clusters are built anew.
func (l *Lab) Reset(ctx context.Context) error {
	unlock, err := lockLab(ctx, l.state.Name, l.log)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range l.state.sites() {
		if err := l.rejoin(ctx, name); err != nil {
			return err
		}
	}
	if err := each(ctx, l.Nodes(), func(ctx context.Context, n *Node) error {
		if err := n.stop(ctx); err != nil {
			return err
		}
		if err := n.wipe(); err != nil {
			return err
		}
		return n.boot(ctx)
	}); err != nil {
		return err
	}
	return l.startWorkloads(ctx)
}

func (l *Lab) say(format string, args ...any) { fmt.Fprintf(l.log, "lab: "+format+"\n", args...) }
