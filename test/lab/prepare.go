package lab

import (
	"context"
	"io"
)

// Prepare installs the Debian packages a lab needs and builds the node image
// when the cache has none, so that the first Up is as fast as the second.
func Prepare(ctx context.Context, log io.Writer) error {
	if err := prepareHost(ctx, log); err != nil {
		return err
	}
	_, err := ensureImage(ctx, log)
	return err
}
