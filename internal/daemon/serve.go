package daemon

import (
	"context"
	"errors"
	"net"
)

// Serve accepts connections and runs handler for each in its own goroutine
// until ctx ends.
func Serve(ctx context.Context, l net.Listener, o ServeOptions, handler func(context.Context, net.Conn)) error {
	return errors.New("not written yet")
}

// ServeOptions are for Serve.
type ServeOptions struct {
	Drain Duration // how long connections may go on after the end of ctx; then they are closed
	Panic func(conn net.Conn, value any, stack []byte)
}
