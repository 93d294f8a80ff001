package ssh

import (
	"net"

	"golang.org/x/sys/unix"
)

// quickAck returns a function that turns off the delayed acknowledgement for
// the next packet, or nil when conn is not TCP. A failure costs only time.
func quickAck(conn net.Conn) func() {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return func() {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
	}
}
