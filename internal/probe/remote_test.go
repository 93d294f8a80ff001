package probe

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/probe/wire"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

func running(t *testing.T) string {
	out, _ := exec.Command("pgrep", "-fa", "acpflow-probe").Output()
	return string(out)
}

func TestAnAgentComesOverSSHAndGoes(t *testing.T) {
	server := sshtest.Start(t)
	conn := server.Dial(t)
	a, err := Start(t.Context(), "n", OverSSH(conn, time.Minute))
	require.NoError(t, err)
	got, err := a.Ask(t.Context(), wire.Order{Listen: &wire.Listen{Node: "n", Token: []byte("t"), Addresses: []string{"127.0.0.1"}, TCP: []int{10249}}})
	require.NoError(t, err)
	t.Log(running(t), got)
	left, _ := filepath.Glob("/tmp/.acpflow-probe.*")
	require.Empty(t, left)
	a.Stop()
	t.Log(a.Err())
	require.Empty(t, strings.TrimSpace(running(t)))
	_ = context.Background
}
