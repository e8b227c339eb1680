package directory

import (
	"errors"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// The layers together, on a real slapd that goes away and comes back.
func TestDirectoryOutage(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	o := DefaultCacheOptions()
	o.PositiveTTL, o.NegativeTTL = time.Millisecond, time.Millisecond
	d := New(openPool(t, Settings{URIs: []string{s.URI()}}), o, DefaultDoubtOptions(), nil)
	defer d.Close()
	warm(t, d, 1, 2)
	want(t, d, userMail(unknown), "no")

	down := func(how string) {
		t.Helper()
		await(t, "an old answer while the server "+how, func() bool { // a signal takes its time
			a, err := d.Search(t.Context(), userMail(1))
			if err != nil || len(a.Entries) != 1 {
				t.Fatalf("%s: a known address: %+v, %v", how, a, err)
			}
			return a.Stale
		})
		for _, n := range []int{3, unknown} {
			if _, err := d.Search(t.Context(), userMail(n)); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: user%d: %v", how, n, err)
			}
		}
	}
	s.Pause()
	down("hangs")
	s.Kill()
	down("is gone")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	await(t, "the server is reached again", func() bool { return d.Ready(t.Context()) == nil })
	warm(t, d, 1, 3)
	want(t, d, userMail(unknown), "no")
	if st := d.Stats(); st.Cache.Stale < 2 || st.Cache.Bytes == 0 || st.Doubt.Empties == 0 || len(st.Pool.Servers) != 1 {
		t.Errorf("%+v", st)
	}
	if n := d.Flush(); n != 4 || d.Stats().Cache.Entries != 0 {
		t.Errorf("flushed %d", n)
	}
}
