package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Waits between attempts to connect: each half as long again as the one before.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
)

// Client is an open connection; Close also closes the one to the proxy.
type Client struct {
	*ssh.Client
	proxy *ssh.Client
}

// Close closes the connection.
func (c *Client) Close() error {
	err := c.Client.Close()
	if c.proxy != nil {
		_ = c.proxy.Close() // what counts is the connection through it
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Dial connects and logs in, trying again as the connection's limits say. Each failed attempt that
// is forgiven is told to retrying.
func Dial(ctx context.Context, c Connection, retrying func(string)) (*Client, error) {
	if c.Proxy == nil {
		var dialer net.Dialer
		client, err := dialEndpoint(ctx, c.Endpoint, dialer.DialContext, retrying)
		if err != nil {
			return nil, err
		}
		return &Client{Client: client}, nil
	}
	var dialer net.Dialer
	proxy, err := dialEndpoint(ctx, *c.Proxy, dialer.DialContext, retrying)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	client, err := dialEndpoint(ctx, c.Endpoint, proxy.DialContext, retrying)
	if err != nil {
		_ = proxy.Close()
		return nil, fmt.Errorf("through the proxy %s: %w", c.Proxy.Address(), err)
	}
	return &Client{Client: client, proxy: proxy}, nil
}

type opener func(ctx context.Context, network, address string) (net.Conn, error)

func dialEndpoint(ctx context.Context, e Endpoint, open opener, retrying func(string)) (*ssh.Client, error) {
	wait := firstWait
	for failed := 0; ; failed++ {
		client, err := attempt(ctx, e, open)
		if err == nil {
			return client, nil
		}
		var wrong settingError
		switch {
		case errors.As(err, &wrong):
			return nil, err
		case ctx.Err() != nil:
			return nil, fmt.Errorf("connecting to %s was stopped: %w", e.Address(), context.Cause(ctx))
		case e.DialErrorLimit >= 0 && failed >= e.DialErrorLimit:
			return nil, fmt.Errorf("cannot connect to %s after %d attempts: %w", e.Address(), failed+1, err)
		}
		retrying(fmt.Sprintf("connecting to %s: attempt %d failed, trying again: %v", e.Address(), failed+1, err))
		if !sleep(ctx, wait) {
			return nil, fmt.Errorf("connecting to %s was stopped: %w", e.Address(), context.Cause(ctx))
		}
		wait = min(wait*3/2, longestWait)
	}
}

// settingError is a mistake in the connection's own values, that no second attempt mends.
type settingError struct{ error }

func (s settingError) Unwrap() error { return s.error }

func attempt(ctx context.Context, e Endpoint, open opener) (*ssh.Client, error) {
	entry, err := prepareLogin(e)
	if err != nil {
		return nil, settingError{err}
	}
	defer entry.Close()
	if e.PerDialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.PerDialTimeout,
			fmt.Errorf("no answer within %s", e.PerDialTimeout))
		defer cancel()
	}
	conn, err := open(ctx, "tcp", e.Address())
	if err != nil {
		return nil, causeOr(ctx, err)
	}
	// Closing the connection is what ends a handshake that takes too long.
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	link, channels, requests, err := ssh.NewClientConn(conn, e.Address(), entry.config)
	if !release() && err == nil {
		_ = link.Close()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, explain(causeOr(ctx, err), entry.config)
	}
	return ssh.NewClient(link, channels, requests), nil
}

func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func explain(err error, config *ssh.ClientConfig) error {
	if len(config.Auth) == 0 && strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("%w (the connection has no password, no privateKey and no agent)", err)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
