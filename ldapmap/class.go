package ldapmap

import (
	"context"
	"time"
)

// Lookuper answers one key of a table: data and true, or a proven "no". An
// error means that it cannot tell.
type Lookuper interface {
	Lookup(ctx context.Context, key string) (data string, found bool, err error)
}

// Map is a table as Postfix sees it: one request stands for all keys that
// Postfix would have tried in an ldap: table used for the same feature.
type Map struct {
	table    Lookuper
	deadline time.Duration
	counts   *mapCounts
}

// NewMap makes a Map of a table. A look-up takes no longer than the deadline.
func NewMap(name string, table Lookuper, deadline time.Duration, metrics *Metrics) *Map {
	return &Map{table: table, deadline: deadline, counts: metrics.of(name)}
}

// Lookup answers a key as Postfix sends it.
func (m *Map) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	return m.table.Lookup(ctx, key)
}
