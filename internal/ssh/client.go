package ssh

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// How a dead connection is noticed: a node that lost its power says nothing.
const (
	keepAliveEvery   = 15 * time.Second
	keepAliveTimeout = 20 * time.Second
)

// Client is one SSH connection. It is safe for concurrent use.
type Client struct {
	target  Target
	wire    *wire
	conn    *ssh.Client
	slots   *slots
	relay   atomic.Bool  // the server forbids TCP forwarding
	streams atomic.Int32 // open TCP streams
	onClose func()       // closes what the connection rests on
	once    sync.Once
	dead    chan struct{} // closed when the connection has ended
}

func newClient(t Target, w *wire, conn *ssh.Client) *Client {
	c := &Client{target: t, wire: w, conn: conn, slots: newSlots(maxSessions), dead: make(chan struct{})}
	go func() {
		_ = conn.Wait() // its error is that of the read that noticed it
		close(c.dead)
	}()
	go c.keepAlive()
	return c
}

// Target names the other side: user@host:port.
func (c *Client) Target() string { return c.target.place() }

// Done is closed when the connection has ended, for whatever reason.
func (c *Client) Done() <-chan struct{} { return c.dead }

// Close ends the connection and everything that runs through it.
func (c *Client) Close() error {
	err := c.conn.Close()
	c.once.Do(func() {
		if c.onClose != nil {
			c.onClose()
		}
	})
	return err
}

func (c *Client) keepAlive() {
	ticker := time.NewTicker(keepAliveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), keepAliveTimeout)
		// On a slow line the question may wait behind megabytes; anything heard will do.
		if c.ping(ctx) != nil && c.wire.silence() > keepAliveTimeout {
			_ = c.Close() // it is dead already; Close only tells the waiters
		}
		cancel()
	}
}

var errNoAnswer = errors.New("the connection gives no sign of life")

// ping asks the server for any answer at all.
func (c *Client) ping(ctx context.Context) error {
	answer := make(chan error, 1)
	go func() {
		_, _, err := c.conn.SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return errNoAnswer
	}
}
