package ldapmap

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/directory"
)

// explained are the keys of an explanation and what became of them.
func explained(e *Explanation) (keys []string) {
	for _, tried := range e.Tried {
		what := "no"
		switch {
		case tried.Why != "":
			what = "error"
		case tried.Found:
			what = tried.Result
		}
		keys = append(keys, tried.Key+" "+what)
	}
	return keys
}

func TestExplain(t *testing.T) {
	metrics := NewMetrics(prometheus.NewRegistry())
	for _, c := range []struct {
		class Class
		key   string
		tried []string
		reply Reply
		why   string
	}{
		{RelayRecipient, "Alice+x@example.org", []string{"alice+x@example.org no", "alice@example.org alice@mail.example.org"}, Reply{"OK", "alice@mail.example.org"}, ""},
		{VirtualAlias, "Alice+x@example.org", []string{"alice+x@example.org no", "alice@example.org alice@mail.example.org"}, Reply{"OK", "alice+x@mail.example.org"}, ""},
		{Exact, "nobody", []string{"nobody no"}, Reply{Status: "NOTFOUND"}, ""},
		{Exact, "broken", []string{"broken error"}, Reply{"TEMP", "the directory cannot tell"}, "ldap://10.0.0.5:389: code 52"},
		{Exact, "slow", []string{"slow error"}, Reply{"TEMP", "the look-up took too long"}, "search: context deadline exceeded"},
		{Exact, "beyond", []string{"beyond " + strings.Repeat("x", maxReply-2)}, Reply{"TEMP", "the answer is too long"}, errReplySize.Error()},
		{Exact, "", nil, Reply{Status: "NOTFOUND"}, "the key is empty"},
		{Exact, "\xff", nil, Reply{Status: "NOTFOUND"}, "the key is not UTF-8"},
	} {
		m := NewMap("users", NewKeys(c.class, site(nil)), users(), 200*time.Millisecond, metrics)
		e := m.Explain(t.Context(), c.key, false)
		if e.Table != "users" || e.Class != c.class || e.Key != c.key || !reflect.DeepEqual(explained(e), c.tried) || e.Reply != c.reply || e.Why != c.why {
			t.Errorf("%s %.20q: %.500v", c.class, c.key, e)
		}
	}
}

// While the directory cannot tell the walk is done once more, and shown so.
func TestExplainAgain(t *testing.T) {
	m := NewMap("users", NewKeys(RelayRecipient, site(nil)), users(), time.Minute, NewMetrics(prometheus.NewRegistry()))
	e := m.Explain(t.Context(), "broken", false)
	if !reflect.DeepEqual(explained(e), []string{"broken error", "broken error"}) || e.Tried[0].Again || !e.Tried[1].Again || e.Reply.Status != "TEMP" {
		t.Errorf("%+v", e)
	}
}

func TestExplainSearches(t *testing.T) {
	f, _ := crowd(12)
	f.entries["(mail=both)"] = []*directory.Entry{entry("cn=both", "member", "cn=1"), entry("cn=other", "mail", "x")}
	f.fail = map[string]error{"cn=11": errors.New("server: code 51")}
	m := NewMap("groups", NewKeys(Exact, DefaultPostfix()), groups(t, f, "domain = x"), time.Minute, NewMetrics(prometheus.NewRegistry()))
	m.table.(*Table).domains = &domainList{}
	e := m.Explain(t.Context(), "both", true)
	if len(e.Tried) != 1 || len(e.Tried[0].Searches) != 2 {
		t.Fatalf("%+v", e)
	}
	first, second := e.Tried[0].Searches[0], e.Tried[0].Searches[1]
	if first.Base != "dc=x" || first.Scope != "sub" || first.Filter != "(mail=both)" || first.Depth != 1 || first.Entries != 2 ||
		!reflect.DeepEqual(first.DNs, []string{"cn=both", "cn=other"}) || first.Server != "ldap://fake" ||
		second.Base != "cn=1" || second.Scope != "base" || second.Depth != 2 || second.Entries != 1 {
		t.Errorf("%+v\n%+v", first, second)
	}
	for _, r := range f.asked {
		if !r.NoCache {
			t.Errorf("%+v from the cache", r)
		}
	}
	// One member fails: the cause is at its search, and is that of all.
	e = m.Explain(t.Context(), "crowd", false)
	var why []string
	for _, s := range e.Tried[0].Searches {
		if s.Why != "" && !strings.Contains(s.Why, "canceled") {
			why = append(why, s.Base+": "+s.Why)
		}
	}
	if !reflect.DeepEqual(why, []string{"cn=11: server: code 51"}) || e.Reply.Status != "TEMP" || !strings.Contains(e.Why, "server: code 51") || e.Tried[0].Result != "" {
		t.Errorf("%q, %+v", why, e)
	}
}

func TestExplainSkipped(t *testing.T) {
	table := NewTable(parse(t, "search_base = dc=x", "query_filter = (mail=%u@%d)"), &fakeDirectory{})
	m := NewMap("parts", NewKeys(Exact, DefaultPostfix()), table, time.Minute, NewMetrics(prometheus.NewRegistry()))
	e := m.Explain(t.Context(), "alice", false)
	if len(e.Tried) != 1 || e.Tried[0].Skipped != "the key has no domain" || len(e.Tried[0].Searches) != 0 || e.Reply.Status != "NOTFOUND" {
		t.Errorf("%+v", e)
	}
}

// Traces of groups without end stay small.
func TestTraceIsBounded(t *testing.T) {
	trace := &Trace{}
	for range maxTraced + 3 {
		trace.end(trace.begin(&directory.Request{}, 1), &directory.Answer{Entries: make([]*directory.Entry, 0)}, nil)
	}
	many := &directory.Answer{}
	for range 100 {
		many.Entries = append(many.Entries, &directory.Entry{DN: "cn=x"})
	}
	short := &Trace{}
	short.end(short.begin(&directory.Request{}, 1), many, nil)
	if len(trace.Searches()) != maxTraced || trace.More() != 3 || len(short.Searches()[0].DNs) != maxTracedDNs || short.Searches()[0].Entries != 100 {
		t.Errorf("%d searches and %d more, %+v", len(trace.Searches()), trace.More(), short.Searches()[0])
	}
}
