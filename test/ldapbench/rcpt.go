package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"gatepost/test/rig"
)

// rcptLoad is Postfix with so many sessions at once, each with an smtpd of its
// own, that ask for recipients.
type rcptLoad struct {
	sessions int
	keys     []key
}

// open opens all sessions.
func (l *rcptLoad) open(addr string) (probers []*prober, close func(), err error) {
	close = func() {
		for _, p := range probers {
			p.close()
		}
	}
	for n := range l.sessions {
		p, err := dialProber(addr)
		if err != nil {
			close()
			return nil, nil, fmt.Errorf("session %d: %w", n+1, err)
		}
		probers = append(probers, p)
	}
	return probers, close, nil
}

// run has each session ask for its share of the keys so many times, and checks
// all answers.
func (l *rcptLoad) run(probers []*prober, times int) (figures, error) {
	took := make([][]time.Duration, len(probers))
	errs := make([]error, len(probers))
	runtime.GC() // not while the clock runs
	var done sync.WaitGroup
	begin := time.Now()
	for n, p := range probers {
		done.Go(func() { took[n], errs[n] = l.probe(p, n, len(probers), times) })
	}
	done.Wait()
	total := time.Since(begin)
	for n, err := range errs {
		if err != nil {
			return figures{}, fmt.Errorf("session %d: %w", n+1, err)
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return figures{Rate: float64(len(all)) / total.Seconds(), P50: rig.Percentile(all, 50), P99: rig.Percentile(all, 99), lookups: len(all)}, nil
}

// probe is the work of one session of many.
func (l *rcptLoad) probe(p *prober, nth, of, times int) ([]time.Duration, error) {
	took := make([]time.Duration, 0, times*(len(l.keys)/of+1))
	for range times {
		for i := nth; i < len(l.keys); i += of {
			k := l.keys[i]
			found, d, err := p.ask(k.address)
			if err != nil {
				return nil, err
			}
			if found != (k.found != "") {
				return nil, fmt.Errorf("%s: found %v, which is wrong", k.address, found)
			}
			took = append(took, d)
		}
	}
	return took, nil
}
