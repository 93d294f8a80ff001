// Command controlplane-dir makes sure that the lab's control plane programs
// exist and prints the directory that holds them. Progress goes to stderr.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/acpflow/acpflow/test/lab/binaries"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := binaries.Directory(ctx, binaries.Options{Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane-dir:", err)
		os.Exit(1)
	}
	fmt.Println(dir)
}
