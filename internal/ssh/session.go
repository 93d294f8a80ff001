package ssh

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// startTimeout is how long a node may take to start bash, with slow .bashrc
// files and sudo rules from a directory server.
const startTimeout = 90 * time.Second

// session is a channel that runs one command line. Unlike ssh.Session it does
// not wait for the answer to "exec" before it sends data: that is one round
// trip less per command. A refusal shows as a channel that closes, or never
// prints the begin mark.
type session struct {
	ssh.Channel
	ended chan struct{} // closed when the other side has closed the channel
	code  int           // exit code; -1 when the server told none
}

func openSession(conn ssh.Conn) (*session, error) {
	ch, requests, err := conn.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	s := &session{Channel: ch, ended: make(chan struct{}), code: -1}
	go s.follow(requests)
	return s, nil
}

// follow notes the exit status; the channel of requests is closed at the end.
func (s *session) follow(requests <-chan *ssh.Request) {
	defer close(s.ended)
	for r := range requests {
		switch {
		case r.Type == "exit-status" && len(r.Payload) >= 4:
			s.code = int(binary.BigEndian.Uint32(r.Payload))
		case r.Type == "exit-signal":
			s.code = 128
		}
		if r.WantReply {
			_ = r.Reply(false, nil) // fails when the connection has ended, which shows anyway
		}
	}
}

// exec asks for the command; the answer is what it prints.
func (s *session) exec(line string) error {
	_, err := s.SendRequest("exec", false, ssh.Marshal(struct{ Command string }{line}))
	if err != nil {
		return fmt.Errorf("ask for the command: %w", err)
	}
	return nil
}
