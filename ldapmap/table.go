package ldapmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatepost/internal/directory"
)

// lookupLimit is the longest time for all members of a group, whatever the
// limit of each search: Postfix waits for 100 s.
const lookupLimit = 90 * time.Second

var (
	// ErrNotText is the error of a result that is not UTF-8, which Postfix
	// takes for a fault of the configuration (PERM).
	ErrNotText = errors.New("the result is not UTF-8")
	// errLimit is the error of a look-up that goes beyond a limit.
	errLimit = errors.New("a limit is exceeded")
)

// Table answers keys of one table as Postfix's ldap: client does
// (ldap_table(5)). It may be used by any number of goroutines.
type Table struct {
	// Authorises is set when answers grant something: see directory.Request.
	Authorises bool
	// Log hears of entries and values that are left out; nil is silence.
	Log *slog.Logger

	*TableConfig
	searcher   directory.Searcher
	attributes []string // that are asked for
}

// NewTable makes a table that asks a searcher.
func NewTable(c *TableConfig, s directory.Searcher) *Table {
	t := &Table{TableConfig: c, searcher: s}
	t.attributes = slices.Concat(c.terminal, c.leaf, c.regular, c.special)
	return t
}

// Lookup answers one key, which has to be folded (Fold). It returns the data
// and true, or false for a key that is proven to have none. Every error means
// that it cannot tell; ErrNotText is the only one that waiting will not mend.
//
// What Trace has put into the context records the searches.
func (t *Table) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	trace := traceOf(ctx)
	reason, err := t.skip(key)
	if err != nil {
		return "", false, fmt.Errorf("table %s: %w", t.Name, err)
	}
	parts := directory.Key{}
	if reason == "" {
		parts, reason = t.templates.Key(key)
	}
	if reason != "" {
		trace.skip(key, reason)
		return "", false, nil
	}
	out, err := t.search(ctx, parts, trace)
	if err != nil {
		return "", false, fmt.Errorf("table %s: %w", t.Name, err)
	}
	return string(out), len(out) > 0, nil
}

// skip says why a key has no answer, without a search.
func (t *Table) skip(key string) (reason string, err error) {
	if !utf8.ValidString(key) {
		t.debug("key is not UTF-8", "key", key)
		return "the key is not UTF-8", nil
	}
	if !t.domains.given || key == "" {
		return "", nil
	}
	at := strings.LastIndexByte(key, '@')
	if at <= 0 {
		return "the table is for some domains, and the key is no address", nil
	}
	ours, err := t.domains.match(key[at+1:])
	if err != nil {
		return "", fmt.Errorf("domain: %w", err)
	}
	if !ours {
		return "the key's domain is not one of the table's", nil
	}
	return "", nil
}

func (t *Table) search(ctx context.Context, key directory.Key, trace *Trace) ([]byte, error) {
	if t.hopeless != "" {
		return nil, errors.New(t.hopeless)
	}
	base, filter, err := t.templates.Query(key)
	if err != nil {
		return nil, err
	}
	w := &walk{table: t, key: key, trace: trace}
	first := &w.first
	*first = step{base: base, scope: t.scope, filter: filter, attributes: t.attributes, fromKey: t.templates.Base.Dynamic(), depth: 1}
	w.out = w.short[:0]
	answer, err := w.ask(ctx, first)
	if err != nil {
		return nil, err
	}
	if len(t.special) > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookupLimit)
		defer cancel()
	}
	if err := w.entries(ctx, answer, first); err != nil {
		return nil, err
	}
	if !utf8.Valid(w.out) {
		return nil, ErrNotText
	}
	return w.out, nil
}

func (t *Table) debug(message string, fields ...any) {
	if t.Log != nil {
		t.Log.Debug(message, append([]any{"table", t.Name}, fields...)...)
	}
}
