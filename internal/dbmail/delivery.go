package dbmail

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gatepost/internal/message"
)

// Delivery is one message on its way to some users.
type Delivery struct {
	Message  *message.Message
	Digest   [sha256.Size]byte // of the bytes received, without Return-Path
	Sender   string            // envelope sender; "" is the null sender
	Received time.Time         // becomes internal_date
	Targets  []Target          // each user once
	Arrived  func()            // of Store.Expect; may be nil
}

// Target is a user and the mailbox that the message is for.
type Target struct {
	UserID   uint64
	Mailbox  string    // as in the address, UTF-8; "" is INBOX; one that is missing or not writable falls back to INBOX
	Identity *Identity // as in User
	// Also are other identities by which the message reaches the same user.
	// If one does not fit, there is no telling whose mail it is.
	Also []*Identity
}

// Reached says that the message reaches the target's user by an identity as
// well; nil is none.
func (t *Target) Reached(by *Identity) {
	switch {
	case by == nil:
	case t.Identity == nil:
		t.Identity = by
	case by.UUID != t.Identity.UUID || by.Login != t.Identity.Login || by.ID != t.Identity.ID:
		t.Also = append(t.Also, by)
	}
}

// Outcome is what became of one target. A nil Err means that the copy is on
// disk.
type Outcome struct {
	Err     error  // nil, one of the definite errors, or any other: cannot tell
	Mailbox string // where it went
	UID     uint64 // message_idnr
	Repeat  bool   // an earlier attempt had stored it already
}

// Mark names sender, user and bytes of a delivery: equal marks within
// Options.RepeatWindow are the same delivery. It is the head of unique_id.
type Mark string

const markDigits = 24 // of unique_id's 32 hex digits; the rest is random

// NewMark makes the mark of a delivery to a user.
func NewMark(sender string, user uint64, digest [sha256.Size]byte) Mark {
	h := sha256.New()
	h.Write(digest[:])
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], user)
	h.Write(id[:])
	h.Write([]byte(sender))
	return Mark(hex.EncodeToString(h.Sum(nil))[:markDigits])
}

// uniqueID makes dbmail_messages.unique_id: only its uniqueness matters to
// DBMail's readers (POP3 shows it as UIDL).
func (m Mark) uniqueID() string {
	var b [(32 - markDigits) / 2]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return string(m) + hex.EncodeToString(b[:])
}

// job is a Delivery made ready to be written: all that can be computed
// outside the transaction.
type job struct {
	d        *Delivery
	blobs    []blobKey // parallel to d.Message.Parts
	values   []headerValue
	marks    []Mark   // parallel to d.Targets
	unique   []string // unique_id of each copy, the same in all attempts
	out      []Outcome
	bytes    int
	refs     []string
	env      string
	until    time.Time // when to give up
	attempts int       // transactions that were begun for it
	written  bool      // all outcomes are final
	done     chan struct{}
}

// blobKey finds a blob: by content, for which hash and size stand.
type blobKey struct {
	hash string
	size int
}

// headerValue is a cached header, ready for the tables.
type headerValue struct {
	name              string // lower case
	hash, value, sort string
	date              any // string or nil
}

func (s *Store) newJob(d *Delivery) (*job, error) {
	j := &job{
		d: d, done: make(chan struct{}), until: time.Now().Add(s.opt.Deadline), env: s.text(d.Message.Envelope),
		out:   make([]Outcome, len(d.Targets)),
		marks: make([]Mark, len(d.Targets)),
		blobs: make([]blobKey, len(d.Message.Parts)),
	}
	for i, p := range d.Message.Parts {
		if int64(len(p.Data)) > s.limits.MaxPart {
			return nil, fmt.Errorf("%w: part %d has %d bytes, the limit is %d", ErrTooLarge, i+1, len(p.Data), s.limits.MaxPart)
		}
		j.blobs[i] = blobKey{s.hash(p.Data), len(p.Data)}
		j.bytes += len(p.Data)
	}
	j.values = make([]headerValue, 0, len(d.Message.Headers))
	for _, h := range d.Message.Headers {
		v := headerValue{name: h.Name, value: s.text(h.Value), sort: s.text(h.SortField)}
		if h.Date != "" {
			v.date = h.Date
		}
		v.hash = s.hash([]byte(v.value))
		j.values = append(j.values, v)
		j.bytes += len(v.value)
	}
	for _, r := range d.Message.References {
		j.refs = append(j.refs, s.text(r))
	}
	for i, t := range d.Targets {
		j.marks[i] = NewMark(d.Sender, t.UserID, d.Digest)
		j.unique = append(j.unique, j.marks[i].uniqueID())
	}
	return j, nil
}

// text makes a string that the store's text columns take.
func (s *Store) text(v string) string {
	if !s.limits.UTF8MB3 {
		return v
	}
	return strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return utf8.RuneError
		}
		return r
	}, v)
}

// toASCII makes the cached texts such that every column takes them: the
// columns of an old store may be of any charset and hold 64 KB. The message
// itself is in blobs and stays whole.
func (j *job) toASCII(s *Store) {
	const limit = 60000
	plain := func(v string) string {
		v = strings.Map(func(r rune) rune {
			if r > 0x7e {
				return '?'
			}
			return r
		}, v)
		return v[:min(len(v), limit)]
	}
	for i := range j.values {
		v := &j.values[i]
		v.value, v.sort = plain(v.value), plain(v.sort)
		v.hash = s.hash([]byte(v.value))
	}
	for i := range j.refs {
		j.refs[i] = plain(j.refs[i])
	}
	if j.env = plain(j.env); len(j.env) == limit {
		j.env = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" // half an envelope is none
	}
}

// Deliver stores a message for its targets and returns when every copy is on
// disk or proven impossible, or when the store cannot tell, which it says
// after Options.Deadline and the attempt that is then under way. It does not
// end earlier: once handed over, a message may be committed at any moment. The
// outcomes are parallel to d.Targets.
func (s *Store) Deliver(d *Delivery) []Outcome {
	j, err := s.newJob(d)
	if err != nil {
		out := make([]Outcome, len(d.Targets))
		for i := range out {
			out[i].Err = err
		}
		return out
	}
	s.groups.submit(j)
	<-j.done
	return j.out
}

// fail ends a job whose outcomes are not known yet.
func (j *job) fail(err error) {
	for i := range j.out {
		j.out[i] = Outcome{Err: err}
	}
	j.settle()
}

// settle says that the outcomes are final.
func (j *job) settle() {
	if !j.written {
		j.written = true
		close(j.done)
	}
}
