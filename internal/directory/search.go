package directory

import (
	"context"
	"errors"
	"time"
)

// Scope of a search (RFC 4511 4.5.1.2).
type Scope int

// Scopes; the zero value is Postfix's default.
const (
	ScopeSub Scope = iota
	ScopeOne
	ScopeBase
	ScopeChildren // the subtree without its base, in LDAP URLs only (draft-sermersheim-ldap-subordinate-scope)
)

// Request is one search. What shapes the answer is its identity in the cache
// and where concurrent searches are shared, and Table too; Authorises and
// NoCache are not. Once used, a Request is not changed.
type Request struct {
	Base   string // DN, RFC 4514
	Scope  Scope
	Filter string // RFC 4515; values in it have gone through EscapeFilter
	// Attributes to return, by name. Empty: all user attributes.
	Attributes []string
	// SizeLimit in entries, sent to the server; 0 is without limit. A server
	// that stops at it gives an error, never a shorter answer.
	SizeLimit int
	// Deref is the derefAliases field: 0 never, 1 searching, 2 finding, 3 always.
	Deref int

	// Table names what the search is for, such as an ldapmap table or
	// "account". Searches of one table vouch for each other: see ErrDoubt.
	Table string
	// Authorises says that the answer grants something (relay, sender, list):
	// it may be stale for MaxStaleAuthorisation at most.
	Authorises bool
	// StaleNo says that an empty answer past its time will do while no server
	// can tell, because the caller does not take it for proof of absence. It
	// is no part of the identity.
	StaleNo bool
	// NoCache asks the server, whatever is known: for look-ups by hand, and
	// for what is seldom and must not rest on what was true a while ago.
	NoCache bool
	// BaseFromKey says that Base was made from the key of the look-up, so
	// that noSuchObject proves that there is no such thing (an empty
	// answer). With a fixed base it is a fault (ErrNoBase).
	BaseFromKey bool

	// known: the cache holds a positive answer to this search, fresh or not.
	known bool
}

// Attribute is one attribute of an entry, as the server names it, with any
// option ("cn;lang-de").
type Attribute struct {
	Name   string
	Values [][]byte
}

// Entry of an answer. Attributes and values are in the server's order.
type Entry struct {
	DN         string
	Attributes []Attribute

	uuid [16]byte // while changes are followed; zero: not known
}

// Answer is a complete answer: all entries that match. It is shared, so
// nobody may change it.
type Answer struct {
	Entries []*Entry
	Server  string        // URI of the server that gave it
	Took    time.Duration // of the search, when it was made
	Cached  bool          // from the cache
	Stale   bool          // past its time to live, served because no server answers
	Age     time.Duration // since the server gave it
}

// Searcher answers searches. A nil error means a complete answer that may be
// relied on, also an empty one: "there is no such entry" has then been earned.
// Every error means that it cannot tell, whatever the reason.
type Searcher interface {
	Search(ctx context.Context, r *Request) (*Answer, error)
}

// Reasons for which the directory cannot tell. None of them is "not found".
var (
	// ErrUnavailable: no server could be asked.
	ErrUnavailable = errors.New("no directory server answers")
	// ErrNoBase: the search base does not exist, or may not be seen.
	ErrNoBase = errors.New("the search base does not exist or may not be seen")
	// ErrRefused: the server answered with a result code other than success.
	ErrRefused = errors.New("the directory server refused the search")
	// ErrDoubt: the server found nothing, but cannot prove that it is able to
	// find: its sentinel, or what it found a while ago, is gone too.
	ErrDoubt = errors.New("the directory server finds nothing, not even what is there")
)
