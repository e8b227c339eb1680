package directory

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// followed is a directory whose changes are followed; answers would live for
// an hour.
func followed(t *testing.T, s *testbed.SlapdServer) *Directory {
	t.Helper()
	o := DefaultCacheOptions()
	o.PositiveTTL, o.NegativeTTL = time.Hour, time.Hour
	d := New(openPool(t, Settings{URIs: []string{s.URI()}}), o, DefaultDoubtOptions(), nil)
	t.Cleanup(d.Close)
	d.Follow(s.BaseDN)
	await(t, "changes are followed", func() bool { return d.Stats().Followed[s.BaseDN] == s.URI() })
	return d
}

func modify(t *testing.T, s *testbed.SlapdServer, ldif string) {
	t.Helper()
	if err := s.Modify(ldif); err != nil {
		t.Fatal(err)
	}
}

func byFilter(filter string) *Request {
	return &Request{Base: "dc=example,dc=com", Filter: filter, Attributes: []string{"uid"}, Table: filter[:5]}
}

// Every kind of change is seen by look-ups that were answered before, and
// those that it does not touch stay in the cache.
func TestCoherence(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{Syncprov: true})
	d := followed(t, s)
	for _, tt := range []struct {
		name, ldif, filter, before, after string
	}{
		{"new", "dn: uid=new,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: new\ncn: n\nsn: n\nmail: New@example.com\n",
			"(mail=new@example.com)", "nothing", "new"},
		{"new, in a list", "dn: uid=new2,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: new2\ncn: n\nsn: n\nmail: user5@example.com\n",
			"(mail=user5@example.com)", "user5", "user5 new2"},
		{"address added", "dn: uid=user1,ou=people,dc=example,dc=com\nchangetype: modify\nadd: mail\nmail: extra@example.com\n",
			"(|(mail=extra@example.com)(uid=extra))", "nothing", "user1"},
		{"address removed", "dn: uid=user1,ou=people,dc=example,dc=com\nchangetype: modify\ndelete: mail\nmail: extra@example.com\n",
			"(mail=extra@example.com)", "user1", "nothing"},
		{"deleted", "dn: uid=user2,ou=people,dc=example,dc=com\nchangetype: delete\n",
			"(mail=user2@example.com)", "user2", "nothing"},
		{"renamed", "dn: uid=user3,ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n",
			"(mail=user3@example.com)", "user3", "renamed"},
		{"renamed, old name", "dn: uid=user4,ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: uid=renamed4\ndeleteoldrdn: 1\n",
			"(uid=user4)", "user4", "nothing"},
		{"renamed, new name", "dn: uid=user6,ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: uid=renamed6\ndeleteoldrdn: 1\n",
			"(uid=renamed6)", "nothing", "renamed6"},
	} {
		r, other := byFilter(tt.filter), userMail(40)
		if got := summary(d.Search(t.Context(), r)); got != tt.before {
			t.Errorf("%s: %s before", tt.name, got)
		}
		d.Search(t.Context(), other)
		if got := summary(d.Search(t.Context(), r)); got != tt.before+" cached" {
			t.Errorf("%s: %s before, again", tt.name, got)
		}
		modify(t, s, tt.ldif)
		done := time.Now()
		await(t, tt.name, func() bool {
			got := summary(d.Search(t.Context(), r))
			return got == tt.after || got == tt.after+" cached"
		})
		t.Logf("%s: seen %v after ldapmodify ended", tt.name, time.Since(done).Round(time.Millisecond))
		if got := summary(d.Search(t.Context(), other)); got != "user40 cached" {
			t.Errorf("%s: an answer that it does not touch: %s", tt.name, got)
		}
	}
	// A renamed container renames what is below, which nobody says.
	if got := summary(d.Search(t.Context(), userMail(40))); got != "user40 cached" {
		t.Error(got)
	}
	modify(t, s, "dn: ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: ou=persons\ndeleteoldrdn: 1\n")
	await(t, "the container's new name", func() bool {
		a, err := d.Search(t.Context(), userMail(40))
		return err == nil && len(a.Entries) == 1 && a.Entries[0].DN == "uid=user40,ou=persons,dc=example,dc=com"
	})
	a, err := d.Search(t.Context(), userMail(40))
	if err != nil || !a.Cached || len(a.Entries[0].Attributes) != 1 {
		t.Errorf("entryUUID shows: %+v, %v", a, err)
	}
}

// Look-ups go on while the directory changes: an answer from before a change
// never stays after it.
func TestCoherenceRace(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{Syncprov: true})
	d := followed(t, s)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					d.Search(t.Context(), byFilter("(mail=wanderer@example.com)"))
					d.Search(t.Context(), userMail(n%50))
				}
			}
		})
	}
	for n := range 20 {
		modify(t, s, fmt.Sprintf("dn: uid=user%d,ou=people,dc=example,dc=com\nchangetype: modify\nadd: mail\nmail: wanderer@example.com\n", n))
		want := fmt.Sprintf("user%d", n)
		await(t, want, func() bool {
			return strings.HasPrefix(summary(d.Search(t.Context(), byFilter("(mail=wanderer@example.com)"))), want)
		})
		modify(t, s, fmt.Sprintf("dn: uid=user%d,ou=people,dc=example,dc=com\nchangetype: modify\ndelete: mail\nmail: wanderer@example.com\n", n))
		await(t, "nobody", func() bool {
			return strings.HasPrefix(summary(d.Search(t.Context(), byFilter("(mail=wanderer@example.com)"))), "nothing")
		})
	}
	close(stop)
	all.Wait()
}

// What changed while the server was not followed is found out when it is
// again; what was known helps over the time in between.
func TestCoherenceReconnect(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{Syncprov: true})
	d := followed(t, s)
	warm(t, d, 1, 2)
	s.Stop()
	await(t, "the follower sees that the server is gone", func() bool { return d.Stats().Followed[s.BaseDN] == "" })
	if got := summary(d.Search(t.Context(), userMail(1))); got != "user1 cached" {
		t.Errorf("while the server is gone: %s", got)
	}
	if err := s.Reload([]byte(strings.ReplaceAll(string(peopleLDIF(50)), "uid=user1,", "uid=other,"))); err != nil {
		t.Fatal(err)
	}
	await(t, "changes are followed again", func() bool { return d.Stats().Followed[s.BaseDN] == s.URI() })
	if got := summary(d.Search(t.Context(), userMail(1))); got != "other" {
		t.Errorf("after the server came back with other data: %s", got)
	}
}

// A server that tells no changes is said so once; answers live for their time.
func TestCoherenceWithout(t *testing.T) {
	for name, o := range map[string]testbed.SlapdOptions{
		"no module":     {},
		"not this base": {Modules: []string{"syncprov"}},
		"not any more":  {Syncprov: true},
		"no contextCSN": {Syncprov: true, Access: []string{"to attrs=contextCSN by * none", "to * by * read"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := poolSlapd(t, o)
			if name == "not any more" {
				if err := s.Reconfigure(func(o *testbed.SlapdOptions) { o.Syncprov, o.Modules = false, []string{"syncprov"} }); err != nil {
					t.Fatal(err)
				}
			}
			var log lockedBuffer
			d := New(openPool(t, Settings{URIs: []string{s.URI()}}), DefaultCacheOptions(), DefaultDoubtOptions(),
				slog.New(slog.NewTextHandler(&log, nil)))
			defer d.Close()
			d.Follow(s.BaseDN)
			await(t, "a word in the log", func() bool { return strings.Contains(log.String(), "not followed") })
			t.Log(log.String())
			warm(t, d, 1)
			if got := summary(d.Search(t.Context(), userMail(1))); got != "user1 cached" {
				t.Error(got)
			}
		})
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The key coherence of directory.toml has the bases followed.
func TestCoherenceConfigured(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{Syncprov: true})
	c := Config{URIs: []string{s.URI()}, Base: s.BaseDN, AccountBase: "ou=people," + s.BaseDN}
	c.Cache.Coherence = true
	d := c.Open(nil)
	defer d.Close()
	await(t, "changes are followed", func() bool { return d.Stats().Followed[s.BaseDN] == s.URI() })
	if n := len(d.Stats().Followed); n != 1 {
		t.Errorf("%d bases are followed", n)
	}
}
