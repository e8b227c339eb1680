package directory

import (
	"strings"
	"sync/atomic"
	"time"
)

// item is one answer in the cache. All but the links and the marks is fixed
// once it is stored. Times are nanoseconds since the cache began, on the
// monotonic clock, so that setting the system's clock changes nothing.
type item struct {
	hash    uint64
	request Request
	entries []*Entry
	server  string
	took    time.Duration

	asked   int64 // the search was sent
	given   int64 // the answer came
	expires int64
	refresh int64 // from here on a hit asks again in the background; 0: never
	cost    int   // bytes
	wide    bool  // it may depend on entries that it does not hold

	used       atomic.Bool // since the hand of the shard came by
	refreshing atomic.Bool

	newer, older *item
}

func (i *item) negative() bool { return len(i.entries) == 0 }

// answer to give for i at now.
func (i *item) answer(now int64, stale bool) *Answer {
	return &Answer{
		Entries: i.entries, Server: i.server, Took: i.took,
		Cached: true, Stale: stale, Age: time.Duration(now - i.given),
	}
}

// What things cost in memory on 64-bit machines, with the allocator's
// rounding (a string or slice fills its size class to 7/8 on average).
const (
	costItem      = 288 + 32 // item's size class, and its slot in the shard's map at a usual load
	costPointer   = 8
	costEntry     = 64
	costAttribute = 48
	costSlice     = 24
	costString    = 16
)

func costBytes(n int) int { return n + n/8 + 8 }

// newItem copies what r and a hold, so that the cache keeps nothing alive
// that it does not count: a filter may be cut from a query's buffer and values
// from a packet. All text of an answer goes into two allocations.
func newItem(hash uint64, r *Request, a *Answer) *item {
	i := &item{hash: hash, request: *r, server: a.Server, took: a.Took, cost: costItem}
	i.request.Filter = strings.Clone(r.Filter)
	i.request.Base = strings.Clone(r.Base)
	i.cost += costBytes(len(r.Filter)) + costBytes(len(r.Base)) + len(r.Table) + len(a.Server)
	// Attributes belong to the table's configuration and are the same slice
	// in each request; counted as if they were not.
	for _, name := range r.Attributes {
		i.cost += costString + len(name)
	}
	i.entries = i.copyEntries(a.Entries)
	i.wide = r.Deref != 0 || mentionsMemberOf(r)
	return i
}

// mentionsMemberOf: servers keep that attribute by what groups say, and tell
// nobody that the member changes.
func mentionsMemberOf(r *Request) bool {
	if containsFold(r.Filter, "memberof") {
		return true
	}
	for _, name := range r.Attributes {
		if name == "+" || containsFold(name, "memberof") {
			return true
		}
	}
	return false
}

// containsFold finds word, which is in lower case, in s.
func containsFold(s, word string) bool {
	for n := 0; n+len(word) <= len(s); n++ {
		if strings.EqualFold(s[n:n+len(word)], word) {
			return true
		}
	}
	return false
}

func (i *item) copyEntries(from []*Entry) []*Entry {
	if len(from) == 0 {
		return nil
	}
	attributes, values, text, bytes := 0, 0, 0, 0
	for _, e := range from {
		attributes += len(e.Attributes)
		text += len(e.DN)
		for _, a := range e.Attributes {
			text += len(a.Name)
			values += len(a.Values)
			for _, v := range a.Values {
				bytes += len(v)
			}
		}
	}
	i.cost += len(from)*(costPointer+costEntry) + attributes*costAttribute +
		values*costSlice + costBytes(text) + costBytes(bytes)

	var names strings.Builder
	names.Grow(text)
	keep := func(s string) string {
		at := names.Len()
		names.WriteString(s)
		return names.String()[at:]
	}
	entries := make([]Entry, len(from))
	allAttributes := make([]Attribute, 0, attributes)
	allValues := make([][]byte, 0, values)
	allBytes := make([]byte, 0, bytes)
	to := make([]*Entry, len(from))
	for n, e := range from {
		firstAttribute := len(allAttributes)
		for _, a := range e.Attributes {
			firstValue := len(allValues)
			for _, v := range a.Values {
				at := len(allBytes)
				allBytes = append(allBytes, v...)
				allValues = append(allValues, allBytes[at:len(allBytes):len(allBytes)])
			}
			allAttributes = append(allAttributes, Attribute{
				Name: keep(a.Name), Values: allValues[firstValue:len(allValues):len(allValues)],
			})
		}
		entries[n] = *e
		entries[n].DN = keep(e.DN)
		entries[n].Attributes = allAttributes[firstAttribute:len(allAttributes):len(allAttributes)]
		to[n] = &entries[n]
	}
	return to
}
