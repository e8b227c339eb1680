package ldapmap_test

import (
	"fmt"
	"sync"
	"testing"
)

// TestCrowd opens a thousand connections, as many Postfix processes would,
// has all of them ask at the same moment, for what is not known yet, and once
// more when they have been idle together.
func TestCrowd(t *testing.T) {
	const crowd = 1000
	p := newPeople(t, "")
	askers := make([]*asker, crowd)
	for n := range askers {
		var err error
		if askers[n], err = p.dial(); err != nil {
			t.Fatalf("connection %d: %v", n+1, err)
		}
		defer askers[n].conn.Close()
	}
	for _, round := range []string{"cold", "again"} {
		start := make(chan struct{})
		var all sync.WaitGroup
		for n, a := range askers {
			address, want := personal(n), ok
			if n%2 == 1 {
				address, want = fmt.Sprintf("nobody%d@example.com", n), notFound
			}
			all.Go(func() {
				<-start
				if status, data, took, err := a.ask(address); err != nil || status != want || status == ok && data != address {
					t.Errorf("%s: %s: %s %s after %v, %v", round, address, status, data, took, err)
				}
			})
		}
		close(start)
		all.Wait()
	}
	if most := p.wall.connections(); most > 4 {
		t.Errorf("%d LDAP connections at a time", most)
	}
}
