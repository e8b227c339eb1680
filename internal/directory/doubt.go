package directory

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DoubtOptions say when "nothing found" is believed.
type DoubtOptions struct {
	// Sentinel must be found on a server whose empty answers are to count: a
	// DN, or a filter (in parentheses) below SentinelBase, or below the base
	// of the search where that is empty. Empty: none.
	Sentinel     string
	SentinelBase string
	// Flips is how many searches of one table that used to find something may
	// find nothing any more within FlipWindow; from there on the table's empty
	// answers are doubt. 0: any number.
	Flips      int
	FlipWindow time.Duration
	// Settle is how long the directory must stay as it is until a change that
	// looked like a fault is believed: most of what was found is gone, many
	// flips, contextCSN missing. Lost rights never settle.
	Settle time.Duration
	// Timeout of a proof, whatever the callers' deadlines.
	Timeout time.Duration
}

// DefaultDoubtOptions suit a site where a person deletes accounts.
func DefaultDoubtOptions() DoubtOptions {
	return DoubtOptions{
		Flips: 10, FlipWindow: time.Minute, Settle: 15 * time.Minute, Timeout: 10 * time.Second,
	}
}

// servers is what a Doubt asks: Search picks a server, which the Answer names,
// and SearchOn asks that very one. When the size limit stops SearchOn, it
// returns the entries that came along with the error.
type servers interface {
	Searcher
	SearchOn(ctx context.Context, server string, r *Request) (*Answer, error)
	Servers() []string // URIs, in order of preference
}

// Doubt is a Searcher that believes "nothing found" only of a server that is
// able to find: asked after the empty answer came, the same server still finds
// what the table found a while ago, or, when that is unknown, an entry on
// which it evaluates what the search filters by (see survey). That is what an
// identity that lost its rights, an attribute that the schema lacks, and a
// replica that is being loaded cannot do; to all of these LDAP has no other
// answer than success. Without the proof the other servers are asked; if they
// cannot prove it either, the answer is ErrDoubt.
type Doubt struct {
	next    servers
	options DoubtOptions
	log     *slog.Logger
	hasher  hasher

	mu     sync.Mutex
	groups map[string]*group
	flips  map[string]*flips    // by table
	csn    map[string]*csnState // by server

	empties, proofs, doubts, bursts atomic.Uint64
}

// NewDoubt puts doubt before next.
func NewDoubt(next servers, o DoubtOptions, log *slog.Logger) *Doubt {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Doubt{
		next: next, options: o, log: log, hasher: newHasher(),
		groups: make(map[string]*group), flips: make(map[string]*flips), csn: make(map[string]*csnState),
	}
}

// DoubtStats are the counters of a Doubt since it began.
type DoubtStats struct {
	Empties uint64 // empty answers that came
	Proofs  uint64 // proofs asked for them; one serves all that came before
	Doubts  uint64 // empty answers that were not believed
	Bursts  uint64 // alarms: too many answers of a table turned to nothing
}

// Stats reads the counters.
func (d *Doubt) Stats() DoubtStats {
	return DoubtStats{d.empties.Load(), d.proofs.Load(), d.doubts.Load(), d.bursts.Load()}
}

// Search asks the next Searcher and, when it finds nothing, for proof.
func (d *Doubt) Search(ctx context.Context, r *Request) (*Answer, error) {
	begun := time.Now()
	a, err := d.next.Search(ctx, r)
	if err != nil {
		return nil, err
	}
	g := d.group(r)
	a, doubt := d.believe(ctx, g, r, a, begun)
	if doubt == nil {
		return a, nil
	}
	for _, server := range d.next.Servers() {
		if server == a.Server || !errors.Is(doubt, ErrDoubt) {
			continue
		}
		begun := time.Now()
		if other, err := d.next.SearchOn(ctx, server, r); err == nil {
			if other, err = d.believe(ctx, g, r, other, begun); err == nil {
				return other, nil
			}
		}
	}
	return nil, doubt
}

// believe returns an answer that counts: a, which was asked for at begun, or
// what its server says when asked again. With an error it returns a.
//
// The server must have been able to find before the search and be it
// afterwards. Otherwise the search may have come just before it was mended.
func (d *Doubt) believe(ctx context.Context, g *group, r *Request, a *Answer, begun time.Time) (*Answer, error) {
	if len(a.Entries) > 0 {
		g.remember(r, a)
		return a, nil
	}
	d.empties.Add(1)
	probe := probeRequest(r)
	prover := d.prover(g, a.Server)
	for range maxAsked {
		since, err := prover.join(ctx, probe, r.known || g.has(&probe))
		if err == nil && since.After(begun) {
			begun = time.Now()
			again, err := d.next.SearchOn(ctx, a.Server, r)
			switch {
			case err != nil:
				return a, err
			case len(again.Entries) > 0:
				g.remember(r, again)
				return again, nil
			}
			continue
		}
		if err == nil && d.burst(r.Table, d.hasher.sum(&probe), r.known) {
			err = inDoubt("too many answers of table %q turned to nothing", r.Table)
		}
		if err != nil {
			d.doubts.Add(1)
		}
		return a, err
	}
	d.doubts.Add(1)
	return a, inDoubt("%s finds and does not find in turns", a.Server)
}

// maxAsked is how often a search is asked that finds nothing while its server
// changes its mind.
const maxAsked = 4

// Forget drops what is known of what the directory used to hold, as an
// administrator wants it who has really deleted most of a table.
func (d *Doubt) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.groups)
	clear(d.flips)
	clear(d.csn)
}
