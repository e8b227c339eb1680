package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// maxControlReply bounds what a client reads, in bytes.
const maxControlReply = 16 << 20

// ControlClient asks a running daemon by its control socket.
type ControlClient struct {
	client *http.Client
	at     Address
}

// NewControlClient makes a client of the daemon at a unix socket. It connects
// when it has something to ask.
func NewControlClient(a Address) (*ControlClient, error) {
	if a.Network != "unix" {
		return nil, fmt.Errorf("control address %v: want unix:/path", a)
	}
	var dialer net.Dialer
	return &ControlClient{at: a, client: &http.Client{Timeout: maxControlTime, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", a.Path)
		},
	}}}, nil
}

// Get asks for a path and reads the reply into a value. The error is a
// *ControlError when the daemon has answered with one.
func (c *ControlClient) Get(ctx context.Context, path string, query url.Values, into any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, into)
}

// Post sends a value to a path, and reads the reply like Get.
func (c *ControlClient) Post(ctx context.Context, path string, value, into any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, nil, body, into)
}

func (c *ControlClient) do(ctx context.Context, method, path string, query url.Values, body []byte, into any) error {
	u := url.URL{Scheme: "http", Host: "control", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		var wrapped *url.Error // names the URL, which tells nobody anything
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return fmt.Errorf("ask the daemon at %s: %w", c.at.Path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxControlReply+1))
	switch {
	case err != nil:
		return fmt.Errorf("ask the daemon at %s: %w", c.at.Path, err)
	case len(text) > maxControlReply:
		return fmt.Errorf("ask the daemon at %s: the reply has more than %d bytes", c.at.Path, maxControlReply)
	case response.StatusCode != http.StatusOK:
		var fault controlFault
		if json.Unmarshal(text, &fault) != nil || fault.Error == "" {
			fault.Error = response.Status
		}
		return &ControlError{response.StatusCode, fault.Error}
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read the reply of the daemon at %s: %w", c.at.Path, err)
	}
	return nil
}
