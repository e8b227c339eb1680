package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatepost/internal/message"
)

// Kinds of problems that Verify finds.
const (
	ProblemOrphan  = "orphan"  // rows that no message uses; dbmail-util removes them too
	ProblemPart    = "part"    // a blob whose hash or size is not that of its data
	ProblemRebuild = "rebuild" // a message whose rows do not give a message of the recorded size
	ProblemQuota   = "quota"   // curmail_size is not the sum of the user's messages
)

// Problem is one finding of Verify.
type Problem struct {
	Kind string `json:"kind"`
	What string `json:"what"`
	// Mend tells what Repair would do; "" means that it leaves it alone.
	Mend string `json:"mend,omitempty"`

	repair func(ctx context.Context) error
}

// orphanAge is how old an orphan must be before it is removed: DBMail's own
// delivery writes its rows one transaction after the other, and must not lose
// what it has just written.
const orphanAge = 24 * time.Hour

// Verify examines the store, or one user's part of it, and calls report for
// each problem. It changes nothing; what it reports may be given to Repair.
func (s *Store) Verify(ctx context.Context, user string, report func(Problem)) error {
	var only *User
	if user != "" {
		u, err := s.User(ctx, user)
		if err != nil {
			return err
		}
		only = &u
	}
	checks := []struct {
		what string
		run  func(context.Context, *User, func(Problem)) error
	}{
		{"quota", s.verifyQuota}, {"messages", s.verifyMessages}, {"parts", s.verifyParts}, {"orphans", s.verifyOrphans},
	}
	for _, c := range checks {
		if err := c.run(ctx, only, report); err != nil {
			return fmt.Errorf("verify %s: %w", c.what, err)
		}
	}
	return nil
}

// Repair mends a problem for which that is safe.
func (s *Store) Repair(ctx context.Context, p Problem) error {
	if p.repair == nil {
		return fmt.Errorf("%s: nothing can be done safely", p.What)
	}
	return p.repair(ctx)
}

func (s *Store) usage(owner string) string {
	return "(SELECT COALESCE(sum(p.messagesize), 0) FROM " + s.t.messages + " m JOIN " + s.t.mailboxes +
		" b ON b.mailbox_idnr = m.mailbox_idnr JOIN " + s.t.physmessage + " p ON p.id = m.physmessage_id" +
		" WHERE m.status < 2 AND b.owner_idnr = " + owner + ")"
}

func (s *Store) verifyQuota(ctx context.Context, only *User, report func(Problem)) error {
	query, args := "SELECT u.user_idnr, u.userid, u.curmail_size, "+s.usage("u.user_idnr")+" FROM "+s.t.users+" u", []any(nil)
	if only != nil {
		query += " WHERE u.user_idnr = ?"
		args = append(args, only.ID)
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	return collect(rows, err, func(r *sql.Rows) error {
		var id uint64
		var name string
		var have, want int64
		if err := r.Scan(&id, &name, &have, &want); err != nil {
			return err
		}
		// The internal delivery user is never charged (DBMail's temporary copies).
		if have == want || isInternal(name) {
			return nil
		}
		report(Problem{ProblemQuota, fmt.Sprintf("user %s: curmail_size is %d, the messages have %d", name, have, want),
			fmt.Sprintf("count again under lock and set curmail_size (now %d)", want),
			func(ctx context.Context) error { return s.recount(ctx, id) }})
		return nil
	})
}

// recount sets a user's usage from its messages, with the user's row locked
// against deliveries.
func (s *Store) recount(ctx context.Context, id uint64) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var n int64
		if err := tx.QueryRowContext(ctx, "SELECT curmail_size FROM "+s.t.users+" WHERE user_idnr = ?"+s.d.forUpdate, id).Scan(&n); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "SELECT "+s.usage("?"), id).Scan(&n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE "+s.t.users+" SET curmail_size = ? WHERE user_idnr = ?", n, id)
		return err
	})
}

// countWriter counts octets.
type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) {
	*c += countWriter(len(p))
	return len(p), nil
}

func (s *Store) verifyMessages(ctx context.Context, only *User, report func(Problem)) error {
	after := uint64(0)
	for {
		query, args := "SELECT m.message_idnr, m.physmessage_id FROM "+s.t.messages+" m", []any{after}
		if only != nil {
			query += " JOIN " + s.t.mailboxes + " b ON b.mailbox_idnr = m.mailbox_idnr AND b.owner_idnr = ?"
			args = []any{only.ID, after}
		}
		type ref struct{ id, phys uint64 }
		var batch []ref
		rows, err := s.db.QueryContext(ctx, query+" WHERE m.status < 2 AND m.message_idnr > ? ORDER BY m.message_idnr LIMIT 500", args...)
		err = collect(rows, err, func(r *sql.Rows) error {
			var x ref
			err := r.Scan(&x.id, &x.phys)
			batch = append(batch, x)
			return err
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, x := range batch {
			if problem, err := s.verifyRebuild(ctx, x.phys); err != nil {
				return err
			} else if problem != "" {
				report(Problem{ProblemRebuild, fmt.Sprintf("message %d: %s", x.id, problem), "", nil})
			}
			after = x.id
		}
	}
}

func (s *Store) verifyRebuild(ctx context.Context, phys uint64) (string, error) {
	stored, err := s.stored(ctx, s.db, phys)
	if err != nil {
		return "", err
	}
	if len(stored.Parts) == 0 {
		return "it has no parts", nil
	}
	var n countWriter
	if err := message.Rebuild(&n, stored); err != nil {
		return "it does not rebuild: " + err.Error(), nil
	}
	// DBMail's own rfcsize leaves out the Return-Path line that it adds.
	first := 0
	for i, c := range stored.Parts[0].Data {
		if c == '\n' {
			first = i + 2
			break
		}
	}
	if int64(n) != stored.RFCSize && int64(n) != stored.RFCSize+int64(first) {
		return fmt.Sprintf("it rebuilds to %d octets, rfcsize is %d", n, stored.RFCSize), nil
	}
	return "", nil
}

func (s *Store) verifyParts(ctx context.Context, only *User, report func(Problem)) error {
	after := uint64(0)
	for {
		query := "SELECT p.id, p.hash, p.size, p.data FROM " + s.t.mimeparts + " p WHERE p.id > ?"
		args := []any{after}
		if only != nil {
			query += " AND p.id IN (SELECT l.part_id FROM " + s.t.partlists + " l JOIN " + s.t.messages +
				" m ON m.physmessage_id = l.physmessage_id JOIN " + s.t.mailboxes + " b ON b.mailbox_idnr = m.mailbox_idnr WHERE b.owner_idnr = ?)"
			args = append(args, only.ID)
		}
		n := 0
		rows, err := s.db.QueryContext(ctx, query+" ORDER BY p.id LIMIT 100", args...)
		err = collect(rows, err, func(r *sql.Rows) error {
			var hash string
			var size int64
			var data sql.RawBytes
			if err := r.Scan(&after, &hash, &size, &data); err != nil {
				return err
			}
			n++
			if int64(len(data)) != size {
				report(Problem{ProblemPart, fmt.Sprintf("part %d: size is %d, the data has %d octets", after, size, len(data)), "", nil})
			}
			h, err := newHasher(hashName(hash))
			if hashName(hash) == "" || err != nil {
				return nil // whirlpool or tiger: not ours to judge
			}
			if got := h(data); got != hash {
				report(Problem{ProblemPart, fmt.Sprintf("part %d: hash is %s, the data has %s", after, hash, got), "", nil})
			}
			return nil
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

func (s *Store) verifyOrphans(ctx context.Context, only *User, report func(Problem)) error {
	if only != nil {
		return nil // orphans belong to nobody
	}
	old := timestamp(time.Now().Add(-orphanAge))
	unused := " FROM " + s.t.physmessage + " WHERE NOT EXISTS (SELECT 1 FROM " + s.t.messages +
		" m WHERE m.physmessage_id = " + s.t.physmessage + ".id)"
	for _, c := range []struct{ what, query, mend, repair string }{
		{"physmessages without a message", "SELECT count(*)" + unused, "remove those older than a day", "DELETE" + unused + " AND internal_date < ?"},
		{"mimeparts that no message links", "SELECT count(*) FROM " + s.t.mimeparts + " p WHERE NOT EXISTS (SELECT 1 FROM " + s.t.partlists + " l WHERE l.part_id = p.id)", "", ""},
		{"headervalues that no message links", "SELECT count(*) FROM " + s.t.headervalue + " v WHERE NOT EXISTS (SELECT 1 FROM " + s.t.header + " h WHERE h.headervalue_id = v.id)", "", ""},
		{"messages without any part", "SELECT count(*) FROM " + s.t.messages + " m WHERE m.status < 2 AND NOT EXISTS (SELECT 1 FROM " + s.t.partlists + " l WHERE l.physmessage_id = m.physmessage_id)", "", ""},
	} {
		var n int64
		if err := s.db.QueryRowContext(ctx, c.query).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		p := Problem{Kind: ProblemOrphan, What: fmt.Sprintf("%d %s", n, c.what), Mend: c.mend}
		if c.repair != "" {
			p.repair = func(ctx context.Context) error {
				_, err := s.write.ExecContext(ctx, c.repair, old)
				return err
			}
		}
		report(p)
	}
	return nil
}
