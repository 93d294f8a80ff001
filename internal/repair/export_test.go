package repair

import (
	"context"

	"github.com/acpflow/acpflow/checks/fix"
)

// ApplyWith is Apply with a line of bash before it.
func ApplyWith(ctx context.Context, n Node, line, run string, fixes []fix.Fix) (Report, error) {
	keep := library
	defer func() { library = keep }()
	library = line + library
	return n.Apply(ctx, run, fixes, nil)
}
