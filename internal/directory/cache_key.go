package directory

import (
	"hash/maphash"
	"math/bits"
	"slices"
)

// What makes two searches the same: every field that shapes the answer, and
// Table, because flushing, doubt and stale answers are told apart by table.
// Authorises and NoCache are the caller's terms for one look-up and no part
// of it. The hash only finds a candidate; sameSearch decides, so a collision
// costs a search and never gives a wrong answer.

// hasher is the seed that one cache hashes with: an outsider who chooses keys
// cannot aim for one bucket.
type hasher struct{ seed maphash.Seed }

func newHasher() hasher { return hasher{maphash.MakeSeed()} }

func (h hasher) sum(r *Request) uint64 {
	x := maphash.String(h.seed, r.Filter)
	x = mix(x, maphash.String(h.seed, r.Base))
	x = mix(x, maphash.String(h.seed, r.Table))
	for _, a := range r.Attributes {
		x = mix(x, maphash.String(h.seed, a))
	}
	small := uint64(r.SizeLimit)<<8 | uint64(r.Deref&3)<<4 | uint64(r.Scope&3)<<1
	if r.BaseFromKey {
		small |= 1
	}
	return mix(x, small)
}

func mix(x, y uint64) uint64 {
	return (bits.RotateLeft64(x, 29) ^ y) * 0x9e3779b97f4a7c15
}

// sameSearch tells whether a and b ask the same thing.
func sameSearch(a, b *Request) bool {
	return a.Filter == b.Filter && a.Base == b.Base && a.Table == b.Table &&
		a.Scope == b.Scope && a.SizeLimit == b.SizeLimit && a.Deref == b.Deref &&
		a.BaseFromKey == b.BaseFromKey && slices.Equal(a.Attributes, b.Attributes)
}
