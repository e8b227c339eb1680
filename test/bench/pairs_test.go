package main

import (
	"database/sql"
	"testing"
)

// Both systems of a pair do the same work: each user is there and has what was
// sent to it.
func TestBothOfAPairDeliver(t *testing.T) {
	b := &bench{load: newLoad(), slapd: startSlapd(t), program: []string{buildLmtpd(t)}}
	dsn, db := emptyStore(t, nil)
	_, directory := b.startWithDirectory(t, dsn)
	sqlDSN := newStore(t, nil)
	_, tables := startLmtpd(t, sqlDSN, b.program[0])
	for addr, db := range map[string]*sql.DB{directory: db, tables: openDB(t, sqlDSN)} {
		if err := b.load.warm(t.Context(), addr); err != nil {
			t.Fatal(err)
		}
		var n, boxes int
		if err := db.QueryRow("SELECT count(*), count(DISTINCT b.owner_idnr) FROM dbmail_messages m JOIN dbmail_mailboxes b ON b.mailbox_idnr = m.mailbox_idnr"+
			" JOIN dbmail_users u ON u.user_idnr = b.owner_idnr WHERE u.userid LIKE 'user%' AND b.name = 'INBOX'").Scan(&n, &boxes); err != nil {
			t.Fatal(err)
		}
		if n != users || boxes != users {
			t.Errorf("%d messages in %d mailboxes, want %d", n, boxes, users)
		}
	}
}

func TestSpread(t *testing.T) {
	if s := spreadOf([]float64{5, 1, 3, 2, 4}); s != (spread{Median: 3, Low: 2, High: 4, Least: 1, Most: 5}) {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{2, 1}); s != (spread{Median: 1.5, Low: 1.25, High: 1.75, Least: 1, Most: 2}) {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{1}); s != (spread{1, 1, 1, 1, 1}) {
		t.Errorf("%+v", s)
	}
}
