package daemon

import (
	"errors"
	"net"
	"strings"
	"sync"
)

// joined accepts from several listeners as if they were one: a socket unit
// passes all its ListenStream= lines under the same name. A connection that is
// in hand when it is closed is closed too.
type joined struct {
	listeners []net.Listener
	accepted  chan accepted
	closed    chan struct{}
	close     sync.Once
}

type accepted struct {
	conn net.Conn
	err  error
}

func joinListeners(listeners []net.Listener) net.Listener {
	if len(listeners) == 1 {
		return listeners[0]
	}
	j := &joined{listeners: listeners, accepted: make(chan accepted), closed: make(chan struct{})}
	for _, l := range listeners {
		go j.run(l)
	}
	return j
}

// run hands what one listener accepts to whoever calls Accept. It never has
// more than one connection in hand.
func (j *joined) run(l net.Listener) {
	for {
		conn, err := l.Accept()
		select {
		case j.accepted <- accepted{conn, err}:
			if errors.Is(err, net.ErrClosed) {
				return
			}
		case <-j.closed:
			if err == nil {
				conn.Close()
			}
			return
		}
	}
}

// Accept returns the next connection of any of the listeners.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case <-j.closed:
		return nil, net.ErrClosed
	case a := <-j.accepted:
		return a.conn, a.err
	}
}

// Close closes all of the listeners.
func (j *joined) Close() error {
	var errs []error
	j.close.Do(func() {
		close(j.closed)
		for _, l := range j.listeners {
			errs = append(errs, l.Close())
		}
	})
	return errors.Join(errs...)
}

// Addr returns all addresses, for the log.
func (j *joined) Addr() net.Addr {
	all := make(addresses, len(j.listeners))
	for i, l := range j.listeners {
		all[i] = l.Addr()
	}
	return all
}

type addresses []net.Addr

func (a addresses) Network() string { return a[0].Network() }

func (a addresses) String() string {
	names := make([]string, len(a))
	for i, one := range a {
		names[i] = one.String()
	}
	return strings.Join(names, " ")
}
