//go:build !dmz

package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jimlambrt/gldap"

	"gatepost/cmd/gatepost/samples"
)

// demoDirectory is a directory server over the sample entries, for the
// demonstration only: it answers searches, on a loopback port.
type demoDirectory struct {
	uri     string
	entries []samples.Entry
	server  *gldap.Server
	// broken makes it answer that it is unavailable.
	broken atomic.Bool
}

func startDirectory() (*demoDirectory, error) {
	d := &demoDirectory{entries: samples.Directory()}
	mux, err := gldap.NewMux()
	if err != nil {
		return nil, err
	}
	if err := mux.Search(d.search); err != nil {
		return nil, err
	}
	// The port was free a moment ago; somebody may have been faster.
	for attempt := 1; ; attempt++ {
		if err = d.listen(mux); err == nil {
			return d, nil
		}
		if attempt == 3 {
			return nil, fmt.Errorf("start the directory server: %w", err)
		}
	}
}

func (d *demoDirectory) listen(mux *gldap.Mux) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	l.Close()
	if d.server, err = gldap.NewServer(gldap.WithLogger(hclog.NewNullLogger())); err != nil {
		return err
	}
	if err := d.server.Router(mux); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- d.server.Run(address) }()
	retry := time.NewTicker(5 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		select {
		case err := <-ended:
			return err
		case <-retry.C:
		}
	}
	d.uri = "ldap://" + address
	return nil
}

// stop ends the server, once its clients are gone.
func (d *demoDirectory) stop() { _ = d.server.Stop() }

// search answers one search.
func (d *demoDirectory) search(w *gldap.ResponseWriter, r *gldap.Request) {
	done := r.NewSearchDoneResponse(gldap.WithResponseCode(gldap.ResultUnwillingToPerform))
	defer func() { _ = w.Write(done) }() // the client may be gone
	m, err := r.GetSearchMessage()
	if err != nil {
		return
	}
	if d.broken.Load() {
		done.SetResultCode(gldap.ResultUnavailable)
		return
	}
	if m.BaseDN != "" && !slices.ContainsFunc(d.entries, func(e samples.Entry) bool { return strings.EqualFold(e.DN, m.BaseDN) }) {
		done.SetResultCode(gldap.ResultNoSuchObject)
		return
	}
	sent := int64(0)
	for i := range d.entries {
		e := &d.entries[i]
		if !inScope(e.DN, m) {
			continue
		}
		ok, err := matches(e, m.Filter)
		if err != nil {
			done.SetDiagnosticMessage(err.Error())
			return
		}
		if ok && m.SizeLimit > 0 && sent == m.SizeLimit {
			done.SetResultCode(gldap.ResultSizeLimitExceeded)
			return
		}
		if ok {
			_ = w.Write(shown(e, m, r))
			sent++
		}
	}
	done.SetResultCode(gldap.ResultSuccess)
}

func inScope(dn string, m *gldap.SearchMessage) bool {
	switch _, parent, _ := strings.Cut(dn, ","); m.Scope {
	case gldap.BaseObject:
		return strings.EqualFold(dn, m.BaseDN)
	case gldap.SingleLevel:
		return strings.EqualFold(parent, m.BaseDN)
	}
	return strings.EqualFold(dn, m.BaseDN) || strings.HasSuffix(strings.ToLower(dn), ","+strings.ToLower(m.BaseDN))
}

// shown is an entry with the attributes that are asked for (RFC 4511 4.5.1.8).
func shown(e *samples.Entry, m *gldap.SearchMessage, r *gldap.Request) *gldap.SearchResponseEntry {
	out := r.NewSearchResponseEntry(e.DN)
	for _, a := range e.Attributes {
		asked := !samples.Operational(a.Name) && (len(m.Attributes) == 0 || slices.Contains(m.Attributes, "*")) ||
			slices.ContainsFunc(m.Attributes, func(name string) bool { return strings.EqualFold(name, a.Name) })
		if asked {
			out.AddAttribute(a.Name, a.Values)
		}
	}
	return out
}
