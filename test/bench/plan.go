package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"gatepost/test/rig"
)

// plan is what to measure: every system in every cell.
type plan struct {
	systems                     []string
	sizes, sessions, recipients []int
	pace                        pace
}

// run measures. Systems start with empty stores for each pair of size and
// recipients; in each cell all of them are measured, one right after the
// other and each time another first, so that a machine that changes its speed
// does so for all.
func (p plan) run(ctx context.Context, say func(string, ...any)) (*report, error) {
	r := &report{Machine: thisMachine(), Seconds: p.pace.measure.Seconds()}
	err := rig.Within(func(t testing.TB) {
		b := &bench{load: newLoad(), pace: p.pace, program: []string{buildLmtpd(t)}, say: say}
		if needsMariaDB(p.systems) {
			b.server = startMariaDB(t)
			r.Machine.MariaDB = version(t, b.server)
		}
		for _, size := range p.sizes {
			for _, recipients := range p.recipients {
				if err := rig.Within(func(t testing.TB) { p.section(ctx, t, b, cell{Size: size, Recipients: recipients}, r) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		if slices.Contains(p.systems, gatepostLDAP) {
			if err := p.pairs(ctx, b, r); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.compare()
	return r, err
}

// section measures the cells of one size and number of recipients.
func (p plan) section(ctx context.Context, t testing.TB, b *bench, c cell, r *report) {
	var systems []system
	for _, name := range p.systems {
		if name == gatepostLDAP {
			continue
		}
		systems = append(systems, b.start(t, name, c)...)
	}
	for turn, sessions := range p.sessions {
		c.Sessions = sessions
		results := make([]*result, len(systems))
		for i := range systems {
			k := (i + turn*2) % len(systems)
			s := systems[k]
			if s.crowd && sessions == 1 {
				continue
			}
			if ctx.Err() != nil {
				t.Fatal("interrupted")
			}
			if b.server != nil {
				settle(t, b.server)
			}
			m, what, err := s.measure(c, p.pace)
			if err != nil {
				t.Fatalf("%s, %d octets to %d, %d sessions: %v", s.name, c.Size, c.Recipients, sessions, err)
			}
			results[k] = &result{c, s.name, what, m}
			b.say("%s %s, %d octets to %d, %d sessions: %.0f msg/s, p50 %.2f ms, CPU %.2f ms", s.name, what, c.Size, c.Recipients, sessions,
				m.Messages, rig.Milliseconds(m.P50), rig.Milliseconds(m.CPU))
		}
		for _, x := range results {
			if x != nil {
				r.Results = append(r.Results, *x)
			}
		}
	}
}

// measure runs a cell and notes the processor time.
func (s system) measure(c cell, p pace) (measurement, string, error) {
	before, err := s.cpu()
	if err != nil {
		return measurement{}, "", err
	}
	m, what, err := s.run(c, p)
	if err != nil {
		return m, what, err
	}
	after, err := s.cpu()
	m.CPU = (after - before) / time.Duration(m.all)
	return m, what, err
}

// version tells what the server is and how it is set.
func version(t testing.TB, s interface{ StoreDSN(testing.TB) string }) string {
	db := openDB(t, s.StoreDSN(t))
	defer db.Close()
	var name string
	var flush, pool, log int64
	if err := db.QueryRow("SELECT version(), @@innodb_flush_log_at_trx_commit, @@innodb_buffer_pool_size, @@innodb_log_file_size").
		Scan(&name, &flush, &pool, &log); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s (innodb_flush_log_at_trx_commit=%d, buffer pool %d MB, log %d MB, mimeparts DYNAMIC)", name, flush, pool>>20, log>>20)
}
