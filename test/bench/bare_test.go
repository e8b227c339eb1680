package main

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"gatepost/internal/dbmail"
	"gatepost/internal/message"
)

// The bare loop is a fair limit only if it leaves the same rows behind as a
// delivery does.
func TestBareLoopWritesWhatADeliveryWrites(t *testing.T) {
	const n = 60
	l := newLoad()
	s, err := l.newSupply(cell{Size: 100 << 10, Recipients: 3}, n)
	if err != nil {
		t.Fatal(err)
	}
	bareDSN, dsn := newStore(t, nil), newStore(t, nil)
	b := newBare(t, bareDSN, s)
	for done := 0; done < n; done += 20 {
		if err := b.transaction(b.take(20)); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := dbmail.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	store, err := dbmail.Open(context.Background(), parsed, dbmail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i, r := range s.rows {
		d := &dbmail.Delivery{Message: &message.Message{Envelope: r.envelope, References: r.references, Size: r.size, RFCSize: r.rfcSize},
			Digest: sha256.Sum256([]byte{byte(i)}), Received: time.Now().UTC()}
		for _, p := range r.parts {
			d.Message.Parts = append(d.Message.Parts, p.Part)
		}
		for _, v := range r.values {
			d.Message.Headers = append(d.Message.Headers, v.CachedHeader)
		}
		for _, u := range r.to {
			d.Targets = append(d.Targets, dbmail.Target{UserID: b.owners[u]})
		}
		for _, o := range store.Deliver(d) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
		}
	}
	want, have := openDB(t, dsn), b.db
	for _, q := range []string{
		"SELECT count(*) FROM dbmail_physmessage", "SELECT count(*) FROM dbmail_messages", "SELECT count(*) FROM dbmail_partlists",
		"SELECT count(*) FROM dbmail_mimeparts", "SELECT sum(size) FROM dbmail_mimeparts", "SELECT sum(length(data)) FROM dbmail_mimeparts",
		"SELECT count(*) FROM dbmail_header", "SELECT count(*) FROM dbmail_headervalue", "SELECT sum(length(headervalue)) FROM dbmail_headervalue",
		"SELECT count(*) FROM dbmail_envelope", "SELECT count(*) FROM dbmail_referencesfield",
		"SELECT sum(seq) FROM dbmail_mailboxes", "SELECT sum(curmail_size) FROM dbmail_users",
	} {
		var w, h int64
		if err := want.QueryRow(q).Scan(&w); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if err := have.QueryRow(q).Scan(&h); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		if w != h || w == 0 {
			t.Errorf("%s: a delivery gives %d, the bare loop %d", q, w, h)
		}
	}
}
