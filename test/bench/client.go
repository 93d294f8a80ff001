package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"

	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/upload"
)

// client is the process that is measured beside scp: it connects, uploads as
// the worker does, prints the upload.Result as JSON, and ends.
func client(args []string) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	var spec upload.Spec
	addr := flags.String("addr", "", "host:port")
	hostKey := flags.String("hostkey", "", "accepted host key")
	keyFile := flags.String("key", "", "private key `file`")
	flags.StringVar(&spec.Local, "local", "", "file to upload")
	flags.StringVar(&spec.Remote, "remote", "", "where to")
	flags.StringVar(&spec.SHA256, "sha256", "", "known digest")
	flags.BoolVar(&spec.Unverified, "unverified", false, "as scp: without proof")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key, err := os.ReadFile(*keyFile)
	if err != nil {
		return err
	}
	ctx := context.Background()
	c, err := ssh.Dial(ctx, ssh.Target{Address: *addr, User: "root", HostKeys: []string{*hostKey}, PrivateKey: secret.NewValue(key)})
	if err != nil {
		return err
	}
	result, err := upload.File(ctx, c, spec, nil)
	if err != nil {
		return err
	}
	_ = c.Close() // everything is done
	return json.NewEncoder(os.Stdout).Encode(result)
}
