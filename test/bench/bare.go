package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// bare is the reference: a loop that writes the rows of messages which were
// prepared before, with one multi-row statement for each table and one commit
// for each group. It receives, parses, hashes, looks up and checks nothing, so
// nothing that uses these tables durably can be much faster.
type bare struct {
	db      *sql.DB
	supply  *supply
	names   map[string]uint64 // headername ids
	boxes   [users]uint64
	owners  [users]uint64
	seq     [users]atomic.Int64
	next    atomic.Uint64 // place in the supply
	retries atomic.Int64
}

// grouping is how a bare loop works: so many messages in a transaction, so
// many writers at a time.
type grouping struct{ Group, Writers int }

func (g grouping) String() string { return fmt.Sprintf("%d×%d", g.Group, g.Writers) }

func newBare(t testing.TB, dsn string, s *supply) *bare {
	t.Helper()
	b := &bare{db: openDB(t, dsn), supply: s, names: map[string]uint64{}}
	if err := s.store(b.db); err != nil {
		t.Fatal(err)
	}
	if err := b.learn(); err != nil {
		t.Fatalf("learn ids: %v", err)
	}
	return b
}

func (b *bare) learn() error {
	names, err := b.db.Query("SELECT id, headername FROM dbmail_headername")
	if err != nil {
		return err
	}
	defer names.Close()
	for names.Next() {
		var id uint64
		var name string
		if err := names.Scan(&id, &name); err != nil {
			return err
		}
		b.names[strings.ToLower(name)] = id
	}
	if err := names.Err(); err != nil {
		return err
	}
	names.Close()
	for i := range users {
		err := b.db.QueryRow("SELECT u.user_idnr, m.mailbox_idnr, m.seq FROM dbmail_users u JOIN dbmail_mailboxes m ON m.owner_idnr = u.user_idnr"+
			" WHERE u.userid = ?", userName(i)).Scan(&b.owners[i], &b.boxes[i], new(int64))
		if err != nil {
			return err
		}
	}
	return nil
}

// run writes for a while.
func (b *bare) run(g grouping, recipients int, p pace) (measurement, error) {
	var (
		stop    atomic.Bool
		mu      sync.Mutex
		samples []sample
		failed  error
		done    sync.WaitGroup
	)
	begin := time.Now()
	timer := time.AfterFunc(p.warm+p.measure, func() { stop.Store(true) })
	defer timer.Stop()
	for range g.Writers {
		done.Go(func() {
			var mine []sample
			var err error
			for err == nil && !stop.Load() {
				start := time.Now()
				if err = b.transaction(b.take(g.Group)); err == nil {
					end := time.Now()
					for range g.Group {
						mine = append(mine, sample{end, end.Sub(start)})
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			samples = append(samples, mine...)
			if failed == nil {
				failed = err
			}
			if err != nil {
				stop.Store(true)
			}
		})
	}
	done.Wait()
	if failed != nil {
		return measurement{}, fmt.Errorf("bare loop %v: %w", g, failed)
	}
	return summarise(samples, begin.Add(p.warm), begin.Add(p.warm+p.measure), recipients)
}

// take gives the next n messages.
func (b *bare) take(n int) []*row {
	group := make([]*row, n)
	for i := range group {
		group[i] = b.supply.rows[(b.next.Add(1)-1)%uint64(len(b.supply.rows))]
	}
	return group
}

// transaction writes a group, again if it loses a deadlock.
func (b *bare) transaction(group []*row) error {
	for {
		err := b.attempt(group)
		var my *mysql.MySQLError
		if errors.As(err, &my) && (my.Number == 1213 || my.Number == 1205) { // ER_LOCK_DEADLOCK, ER_LOCK_WAIT_TIMEOUT
			b.retries.Add(1)
			continue
		}
		return err
	}
}

func (b *bare) attempt(group []*row) error {
	tx, err := b.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := &bareWriter{b: b, tx: tx, group: group}
	for _, step := range []func() error{w.physmessages, w.parts, w.headers, w.envelopes, w.references, w.mailboxes, w.messages, w.quotas} {
		if err := step(); err != nil {
			return err
		}
	}
	return tx.Commit()
}
