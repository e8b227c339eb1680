package dbmail

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"
)

// What is asked together has the same answers as what is asked one by one,
// also where the collation takes letters for each other.
func TestQuestionsTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		recordedUsers(t, s)
		addUser(t, s, "accent", 0, "bä@example.org")
		addUser(t, s, "plain", 0, "ba@example.org", "xa@example.org")
		addUser(t, s, "cyrillic", 0, "бa@example.org")
		groups := map[string][]string{
			"plain":           {"alice@example.org", "ALICE@example.org", "bob@example.org", "nobody@example.org", "alice", "both@example.org"},
			"accent asked":    {"bä@example.org", "ba@example.org", "бa@example.org", "xa@example.org"},
			"accent found":    {"ba@example.org", "xa@example.org", "ca@example.org"},
			"blanks and case": {"alice ", "Alice@EXAMPLE.org", "alice"},
			"alone":           {"alice@example.org"},
		}
		for name, keys := range groups {
			var group []*question
			for _, k := range keys {
				group = append(group, &question{aliases: []string{k, "@example.org"}, names: []string{k}})
			}
			s.answer(group)
			for i, k := range keys {
				alone := &question{aliases: group[i].aliases, names: group[i].names}
				if err := s.look(context.Background(), alone); err != nil {
					t.Fatal(err)
				}
				if group[i].err != nil {
					t.Errorf("%s: %s: %v", name, k, group[i].err)
				}
				for _, a := range alone.aliases {
					if got, want := group[i].rows.of(a), alone.rows.of(a); !reflect.DeepEqual(got, want) {
						t.Errorf("%s: alias %s: %v, want %v", name, a, got, want)
					}
				}
				if got, want := pickUser(group[i].users, k), pickUser(alone.users, k); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: user %s: %v, want %v", name, k, got, want)
				}
			}
		}
	})
}

// A crowd gets its answers, each its own, and who gives up waits no longer.
func TestQuestionsOfACrowd(t *testing.T) {
	s := mariaStore(t, Options{})
	for i := range 20 {
		addUser(t, s, fmt.Sprintf("user%d", i), 0, fmt.Sprintf("u%d@example.org", i))
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			addr, want := fmt.Sprintf("u%d@example.org", i%40), fmt.Sprintf("user%d", i%40)
			r, err := s.Lookup(context.Background(), addr)
			switch {
			case i%40 >= 20 && !errors.Is(err, ErrUnknown):
				t.Errorf("%s: %v, want ErrUnknown", addr, err)
			case i%40 < 20 && (err != nil || len(r.Users) != 1 || r.Users[0].Name != want):
				t.Errorf("%s: %+v, %v", addr, r, err)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithDeadline(context.Background(), time.Now())
	defer cancel()
	if _, err := s.Lookup(ctx, "u1@example.org"); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("out of time: %v, want doubt", err)
	}
	if _, err := s.Lookup(context.Background(), "u1@example.org"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
