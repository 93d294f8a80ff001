//go:build !linux

package ssh

import "net"

func quickAck(net.Conn) func() { return nil }
