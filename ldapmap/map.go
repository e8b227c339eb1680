package ldapmap

import (
	"context"
	"time"
)

// Map is a table as Postfix sees it: one request stands for all keys that
// Postfix would have tried in an ldap: table used for the same feature.
type Map struct {
	name     string
	group    string // of tables that connect alike
	table    Lookuper
	keys     *Keys
	deadline time.Duration
	counts   *mapCounts
	known    []*Map // tables of the recipients that there are; see outage.go
}

// NewMap makes a Map of a table. A look-up takes no longer than the deadline.
func NewMap(name string, keys *Keys, table Lookuper, deadline time.Duration, metrics *Metrics) *Map {
	return &Map{name: name, table: table, keys: keys, deadline: deadline, counts: metrics.of(name)}
}

// Lookup answers a key as Postfix sends it.
func (m *Map) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	return m.lookup(ctx, m.table, key)
}
