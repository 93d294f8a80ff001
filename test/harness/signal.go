package harness

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// Run runs the tests of a package, m, until ctx ends. Tests know nothing of a signal
// and would go on for half an hour with nobody to hear them; down takes away what was
// started for all of them, because the exit that follows runs no defer.
func Run(ctx context.Context, m interface{ Run() int }, down func(context.Context) error) int {
	unwatch := context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGPIPE) // go test has died of the same signal, and nobody reads the log
		log.Print("the tests are ended by a signal")
		if err := down(context.WithoutCancel(ctx)); err != nil {
			log.Print(err)
		}
		os.Exit(1)
	})
	defer unwatch()
	return m.Run()
}
