package message

import "time"

// Options are the circumstances of a delivery that enter the stored form.
type Options struct {
	Sender         string                      // envelope sender without angle brackets; "" is the null sender
	Received       time.Time                   // moment of delivery, for the synthetic Date cache row
	Cached         func(lowerName string) bool // which header names are cached; nil: DBMail's twelve
	DefaultCharset string                      // charset of undeclared 8-bit text that is not UTF-8; "" is windows-1252
}

// Part is one row of dbmail_partlists with its blob.
type Part struct {
	Header            bool
	Key, Depth, Order int
	Data              []byte // aliases Raw.Data wherever possible
}

// CachedHeader is one (name, value) pair of the header cache.
type CachedHeader struct {
	Name      string // lower case
	Value     string
	SortField string
	Date      string // "YYYY-MM-DD 00:00:00", or "" for NULL
}

// Message is what is stored of a message.
type Message struct {
	Parts      []Part // in the order in which DBMail stores them
	Headers    []CachedHeader
	Envelope   string
	References []string
	Size       int64 // octets received
	RFCSize    int64 // octets of what Rebuild gives
	Unsplit    bool
}

// HeaderValues returns the raw unfolded values of the top-level headers with
// this name (case-insensitive), in document order.
func (m *Message) HeaderValues(name string) []string { return nil }

// Split makes the stored form of raw. It never fails.
func Split(raw *Raw, opt Options) *Message { return nil }
