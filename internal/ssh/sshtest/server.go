// Package sshtest runs real OpenSSH servers for tests and benchmarks: on a
// loopback port, with host keys, configuration and home of their own. It needs
// /usr/sbin/sshd (Debian: openssh-server) and root.
package sshtest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Server is a running sshd.
type Server struct {
	Addr     string   // 127.0.0.1:port
	Dir      string   // its files
	Home     string   // HOME of every login; empty at first
	HostKeys []string // authorized_keys format: ed25519, then ecdsa
	Key      []byte   // private key that may log in as any user, PEM
	cmd      *exec.Cmd
	log      *os.File
}

// Run starts an sshd with files in dir. The lines come before the defaults of
// the configuration, so they win. Call Stop at the end.
func Run(dir string, lines ...string) (*Server, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("sshtest needs root: sshd has to switch users")
	}
	s := &Server{Dir: dir, Home: filepath.Join(dir, "home")}
	// sshd insists on this folder, which Debian makes at boot.
	if err := errors.Join(os.MkdirAll("/run/sshd", 0o755), os.MkdirAll(s.Home, 0o777), os.Chmod(s.Home, 0o777), s.makeKeys()); err != nil {
		return nil, err
	}
	err := errTaken
	for tries := 0; errors.Is(err, errTaken) && tries < 5; tries++ {
		err = s.tryPort(lines)
	}
	return s, err
}

// errTaken: a port that was free is another program's a moment later.
var errTaken = errors.New("sshd could not have its port")

// tryPort starts the server on a port that is free.
func (s *Server) tryPort(lines []string) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	s.Addr = addr
	_, port, _ := net.SplitHostPort(addr)
	dir := s.Dir
	conf := filepath.Join(dir, "sshd_config")
	text := strings.Join(lines, "\n") + fmt.Sprintf(`
ListenAddress 127.0.0.1
Port %[1]s
HostKey %[2]s/host_ed25519
HostKey %[2]s/host_ecdsa
AuthorizedKeysFile %[2]s/authorized_keys
StrictModes no
UsePAM no
UseDNS no
PidFile none
LogLevel VERBOSE
MaxStartups 100
PermitRootLogin yes
SetEnv HOME=%[2]s/home
`, port, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	return s.start(conf)
}

func (s *Server) start(conf string) error {
	var err error
	if s.log, err = os.Create(filepath.Join(s.Dir, "sshd.log")); err != nil {
		return err
	}
	s.cmd = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", conf)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start sshd (Debian package openssh-server): %w", err)
	}
	_, port, _ := net.SplitHostPort(s.Addr)
	refused := fmt.Sprintf("Bind to port %s on 127.0.0.1 failed", port)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		greeted := greets(s.Addr) // perhaps by whoever has the port
		if strings.Contains(s.Log(), refused) {
			s.Stop()
			return errTaken
		}
		if greeted {
			return nil
		}
	}
	s.Stop()
	return fmt.Errorf("sshd does not listen on %s; its log: %s", s.Addr, s.Log())
}

// greets reports whether an SSH server answers.
func greets(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	hello := make([]byte, len("SSH-2.0-"))
	err = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err2 := io.ReadFull(conn, hello)
	return errors.Join(err, err2) == nil && string(hello) == "SSH-2.0-"
}

// Log returns what sshd wrote.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Pid is the process id of the listening sshd.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Stop ends the server. Sessions that run lose their connection only when
// their own sshd process ends.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // fails when it has ended already
	_ = s.cmd.Wait()
	_ = s.log.Close()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *Server) makeKeys() error {
	_, client, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for name, key := range map[string]any{"host_ed25519": host, "host_ecdsa": ec, "client": client} {
		if err := s.writeKey(name, key); err != nil {
			return err
		}
	}
	for _, name := range []string{"host_ed25519", "host_ecdsa"} {
		line, err := os.ReadFile(filepath.Join(s.Dir, name+".pub"))
		if err != nil {
			return err
		}
		s.HostKeys = append(s.HostKeys, strings.TrimSpace(string(line)))
	}
	if s.Key, err = os.ReadFile(filepath.Join(s.Dir, "client")); err != nil {
		return err
	}
	return os.Rename(filepath.Join(s.Dir, "client.pub"), filepath.Join(s.Dir, "authorized_keys"))
}

func (s *Server) writeKey(name string, key any) error {
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return err
	}
	path := filepath.Join(s.Dir, name)
	return errors.Join(
		os.WriteFile(path, pem.EncodeToMemory(block), 0o600),
		os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644))
}
