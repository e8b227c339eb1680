package dbmail

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gatepost/internal/message"
)

func addFilter(t *testing.T, s *Store, user uint64, header, value, mailbox string) {
	t.Helper()
	if _, err := s.db.Exec("INSERT INTO dbmail_filters (user_id, headername, headervalue, mailbox) VALUES (?,?,?,?)", user, header, value, mailbox); err != nil {
		t.Fatal(err)
	}
}

func TestFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		alice, bob := addUser(t, s, "alice", 0), addUser(t, s, "bob", 0)
		const anyone = 2
		headers := []message.CachedHeader{
			{Name: "return-path", Value: " <nora@sender.test>"}, {Name: "subject", Value: "Invoice 17"},
			{Name: "to", Value: " <alice@example.org>"}, {Name: "to", Value: " <bob@example.org>"},
		}
		check := func(user uint64, want string) {
			t.Helper()
			f, err := s.Filters(ctx, []uint64{alice, bob})
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Mailbox(user, NewFilterHeaders(headers)); got != want {
				t.Errorf("user %d: mailbox %q, want %q", user, got, want)
			}
		}
		check(alice, "")
		addFilter(t, s, anyone, "Subject", "%invoice%", "Money")
		check(alice, "Money")
		check(bob, "Money")
		addFilter(t, s, alice, "Subject", "no%", "Wrong")
		addFilter(t, s, alice, "X-Other", "%", "Wrong")
		addFilter(t, s, alice, "TO", "%BOB@example.org%", "WithBob")
		addFilter(t, s, alice, "subject", "%", "All")
		check(alice, "WithBob") // the second field of that name; own before anyone's
		check(bob, "Money")
		addFilter(t, s, bob, "return-path", "%@sender.test>", "R&AOk-sum&AOk-")
		check(bob, "Résumé") // as in dbmail_mailboxes

		var names []uint64
		for i := range 2500 {
			names = append(names, uint64(10000+i))
		}
		f, err := s.Filters(ctx, append(names, bob))
		if err != nil || f.Mailbox(bob, NewFilterHeaders(headers)) != "Résumé" || f.Mailbox(10007, NewFilterHeaders(headers)) != "Money" {
			t.Errorf("among thousands of users: %v, %+v", err, f)
		}
		if f, err = s.Filters(ctx, nil); err != nil || len(f.anyone) != 1 {
			t.Errorf("of nobody: %v, %+v", err, f)
		}
	})
}

// Who asks after a filter was made sees it, whoever else asks.
func TestFiltersAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		headers := []message.CachedHeader{{Name: "subject", Value: "x"}}
		var users []uint64
		for i := range 8 {
			users = append(users, addUser(t, s, fmt.Sprintf("user%d", i), 0))
		}
		var wg sync.WaitGroup
		for i, u := range users {
			wg.Go(func() {
				for round := range 10 {
					want := fmt.Sprintf("Box%d.%d", i, round)
					if _, err := s.write.Exec("DELETE FROM dbmail_filters WHERE user_id = ?", u); err != nil {
						t.Error(err)
					}
					if _, err := s.write.Exec("INSERT INTO dbmail_filters (user_id, headername, headervalue, mailbox) VALUES (?,'subject','%',?)", u, want); err != nil {
						t.Error(err)
					}
					f, err := s.Filters(context.Background(), []uint64{u})
					if got := f.Mailbox(u, NewFilterHeaders(headers)); err != nil || got != want {
						t.Errorf("user %d: %q, %v; want %q", i, got, err, want)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestFiltersCannotTell(t *testing.T) {
	s := sqliteStore(t, Options{})
	if _, err := s.db.Exec("DROP TABLE dbmail_filters"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Filters(context.Background(), []uint64{1}); err == nil {
		t.Error("no error without the table")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Filters(ctx, []uint64{1}); err == nil {
		t.Error("no error at the end of the context")
	}
}

// What a message holds cannot make its filters endless.
func TestFiltersAreBounded(t *testing.T) {
	var headers []message.CachedHeader
	for i := range 100 {
		headers = append(headers, message.CachedHeader{Name: "subject", Value: fmt.Sprint(i, strings.Repeat("a", 1<<20))})
	}
	h := NewFilterHeaders(headers)
	if len(h.headers) > maxFiltered/maxFilteredValue {
		t.Errorf("%d headers of 1 MB are looked at", len(h.headers))
	}
	f := Filters{anyone: []filter{newFilter("subject", "%"+strings.Repeat("a", 200)+"b%", "x"), newFilter("subject", "3%", "y")}}
	if got := f.Mailbox(1, h); got != "y" {
		t.Errorf("mailbox %q", got)
	}
	for _, v := range h.values {
		if len(v) > maxFilteredValue {
			t.Errorf("%d characters of a value are looked at", len(v))
		}
	}
}
