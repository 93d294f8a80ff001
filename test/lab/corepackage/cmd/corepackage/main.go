// Command corepackage writes a stand-in Core Package and prints its checksums
// as JSON. Progress goes to stderr.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/acpflow/acpflow/test/lab/corepackage"
)

func main() {
	o := corepackage.Options{Log: os.Stderr}
	flag.StringVar(&o.Path, "o", "acp-core.tar", "file to write")
	architecture := flag.String("arch", string(corepackage.AMD64), "amd64, arm64 or hybrid")
	flag.IntVar(&o.PayloadMB, "payload", corepackage.DefaultPayloadMB, "ballast per architecture, MiB")
	flag.Parse()
	o.Architecture = corepackage.Architecture(*architecture)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p, err := corepackage.Build(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "corepackage:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(p)
}
