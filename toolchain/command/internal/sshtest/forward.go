//go:build !windows

package sshtest

import (
	"io"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// forward carries a connection on to where the client wants it.
func (s *Server) forward(opening ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(opening.ExtraData(), &target); err != nil {
		_ = opening.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))))
	if err != nil {
		_ = opening.Reject(ssh.ConnectionFailed, "refused")
		return
	}
	defer conn.Close() //nolint:errcheck // a test server
	channel, requests, err := opening.Accept()
	if err != nil {
		return
	}
	defer channel.Close() //nolint:errcheck // a test server
	s.Forwards.Add(1)
	go ssh.DiscardRequests(requests)
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(conn, channel); _ = conn.Close() })
	both.Go(func() { _, _ = io.Copy(channel, conn); _ = channel.Close() })
	both.Wait()
}
