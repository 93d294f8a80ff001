package activities

import (
	"context"
	"fmt"
	"path"

	"github.com/acpflow/acpflow/internal/job"
	"github.com/acpflow/acpflow/internal/ssh"
)

// ExtractInput names the verified archive on the node and its folder.
type ExtractInput struct {
	Node      Node   `json:"node"`
	Archive   string `json:"archive"`
	Directory string `json:"directory"`
	SHA256    string `json:"sha256"`
	Job       string `json:"job"` // one per run
	Run       string `json:"run"` // workflow run id: its undo removes only what it extracted itself
}

// marker records which package is extracted completely; it is written last.
func (in ExtractInput) marker() string { return path.Join(in.Directory, ".acpflow-extracted") }

// extractScript unpacks beside the goal and swaps, so that a half-extracted
// package is never taken for a whole one. EXE-03 wants installer/ and res/
// directly below the folder.
const extractScript = `set -eu
shopt -s dotglob nullglob
dir=%[1]s archive=%[2]s sha=%[3]s marker=%[4]s run=%[5]s
if [ "$(cat "$marker" 2>/dev/null)" = "$sha" ]; then echo "extracted already"; exit 0; fi
rm -f "$marker"
printf '%%s\n' "$run" > "$marker.run"
stage="$dir/.acpflow-extract"
rm -rf "$stage"
mkdir -p "$stage"
tar -xf "$archive" -C "$stage"
for entry in "$stage"/* ; do
  rm -rf "$dir/$(basename "$entry")"
  mv "$entry" "$dir/"
  basename "$entry" >> "$stage.list"
done
rmdir "$stage"
mv -f "$stage.list" "$marker.list"
sync -f "$dir" 2>/dev/null || sync
printf '%%s\n' "$sha" > "$marker.new"
mv -f "$marker.new" "$marker"
echo "extracted"
`

// ExtractPackage unpacks the package once; what an earlier attempt began is adopted.
func (c *CorePackage) ExtractPackage(ctx context.Context, in ExtractInput) (Evidence, error) {
	script := fmt.Sprintf(extractScript, shellQuote(in.Directory), shellQuote(in.Archive), shellQuote(in.SHA256), shellQuote(in.marker()), shellQuote(in.Run))
	return c.Hosts.runJob(ctx, in.Node, "extract the package", job.Spec{ID: in.Job, Script: script, Sudo: true})
}

// RemoveExtractedPackage deletes what the same run has extracted; what was there before
// it stays.
func (c *CorePackage) RemoveExtractedPackage(ctx context.Context, in ExtractInput) (Evidence, error) {
	conn, err := c.Hosts.connect(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	if err := job.Cancel(ctx, conn, job.Spec{ID: in.Job, Sudo: true}); err != nil {
		return Evidence{}, err
	}
	script := fmt.Sprintf(`set -eu
dir=%[1]s marker=%[2]s run=%[3]s
[ "$(cat "$marker.run" 2>/dev/null)" = "$run" ] || exit 0
for list in "$marker.list" "$dir/.acpflow-extract.list"; do
  [ -f "$list" ] || continue
  while IFS= read -r entry; do rm -rf "$dir/$entry"; done < "$list"
done
rm -rf "$dir/.acpflow-extract" "$dir/.acpflow-extract.list" "$marker" "$marker.list" "$marker.new" "$marker.run"
`, shellQuote(in.Directory), shellQuote(in.marker()), shellQuote(in.Run))
	if _, err := conn.Run(ctx, ssh.Command{Script: script, Sudo: true}); err != nil {
		return Evidence{}, err
	}
	return Evidence{Summary: "extracted package removed", Host: in.Node.Name}, nil
}

// runJob runs a long command that outlives the worker and shows its last line
// as progress.
func (h *Hosts) runJob(ctx context.Context, node Node, what string, spec job.Spec) (Evidence, error) {
	conn, err := h.connect(ctx, node)
	if err != nil {
		return Evidence{}, err
	}
	result, err := job.Run(ctx, conn, spec, func(last string) {
		report(ctx, Progress{Text: what + ": " + last})
	})
	if err != nil {
		return Evidence{}, err
	}
	code := result.ExitCode
	return Evidence{
		Summary: what + ": done", Host: node.Name, Command: digest(spec.Script), ExitCode: &code, Tail: tail(result.Tail),
		Facts: map[string]string{"seconds": seconds(result.Ended.Sub(result.Started))},
	}, nil
}
