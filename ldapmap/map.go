package ldapmap

import (
	"context"
	"time"
)

// Map is a table as Postfix sees it: one request stands for all keys that
// Postfix would have tried in an ldap: table used for the same feature.
type Map struct {
	table    Lookuper
	keys     *Keys
	deadline time.Duration
	counts   *mapCounts
}

// NewMap makes a Map of a table. A look-up takes no longer than the deadline.
func NewMap(name string, keys *Keys, table Lookuper, deadline time.Duration, metrics *Metrics) *Map {
	return &Map{table: table, keys: keys, deadline: deadline, counts: metrics.of(name)}
}

// Lookup answers a key as Postfix sends it.
func (m *Map) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	return m.keys.Lookup(ctx, m.table, key)
}

// Step is one key that a look-up tried.
type Step struct {
	Key   string
	Data  string
	Found bool
	Err   error
	Took  time.Duration
}

// Explain looks a key up and tells which keys were tried, and the reply as
// Postfix would get it.
func (m *Map) Explain(ctx context.Context, key string) (steps []Step, status, text string) {
	ctx, cancel := context.WithTimeout(ctx, m.deadline)
	defer cancel()
	recorder := lookupFunc(func(ctx context.Context, key string) (string, bool, error) {
		began := time.Now()
		data, found, err := m.table.Lookup(ctx, key)
		steps = append(steps, Step{Key: key, Data: data, Found: found, Err: err, Took: time.Since(began)})
		return data, found, err
	})
	r := answer(m.keys.Lookup(ctx, recorder, key))
	return steps, r.status, r.data
}

type lookupFunc func(ctx context.Context, key string) (string, bool, error)

// Lookup implements Lookuper.
func (f lookupFunc) Lookup(ctx context.Context, key string) (string, bool, error) { return f(ctx, key) }
