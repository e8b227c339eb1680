package directory

import (
	"fmt"
	"time"
)

// flips watches the searches of one table that used to find something and now
// find nothing. One by one they are deletions. Many at a time are a fault, or
// somebody who deletes many; the difference shows in time.
type flips struct {
	seen  map[uint64]time.Time // when a search flipped; zero: believed for good
	last  time.Time            // a new one came
	burst bool
}

const maxFlips = 10_000 // that one table remembers

// burst tells whether empty answers of the table are in doubt because so many
// flipped. hash is the search that has just found nothing; flipped says that it
// used to find something.
func (d *Doubt) burst(table string, hash uint64, flipped bool) bool {
	if d.options.Flips <= 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.flips[table]
	if f == nil {
		if !flipped {
			return false
		}
		if len(d.flips) >= maxGroups {
			clear(d.flips)
		}
		f = &flips{seen: make(map[uint64]time.Time)}
		d.flips[table] = f
	}
	now := time.Now()
	if f.burst && now.Sub(f.last) > d.options.Settle {
		// It stayed as it is: what flipped is gone.
		f.burst = false
		for hash := range f.seen {
			f.seen[hash] = time.Time{}
		}
		d.log.Info("directory believed again", "table", table, "why", "no more answers turned to nothing")
	}
	if flipped && f.add(hash, now, &d.options) {
		d.bursts.Add(1)
		d.log.Error("directory in doubt", "table", table, "why",
			fmt.Sprintf("%d answers turned to nothing within %v", d.options.Flips, d.options.FlipWindow))
	}
	return f.burst
}

// add notes a flip, and tells whether it begins a burst.
func (f *flips) add(hash uint64, now time.Time, o *DoubtOptions) bool {
	if _, again := f.seen[hash]; again {
		return false
	}
	if len(f.seen) >= maxFlips {
		clear(f.seen)
	}
	f.seen[hash], f.last = now, now
	if f.burst {
		return false
	}
	recent := 0
	for hash, at := range f.seen {
		if at.IsZero() {
			continue
		}
		if now.Sub(at) > o.FlipWindow {
			delete(f.seen, hash)
		} else {
			recent++
		}
	}
	f.burst = recent >= o.Flips
	return f.burst
}
