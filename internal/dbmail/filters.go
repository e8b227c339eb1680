package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"gatepost/internal/message"
)

// Filters are the rows of dbmail_filters of some users, and those of the user
// "anyone", which are for all. The zero value has none.
type Filters struct {
	own    map[uint64][]filter // by user, in the order of their ids
	anyone []filter
}

// filter is a row of dbmail_filters, ready to be compared.
type filter struct {
	header  string // folded
	value   []rune // folded LIKE pattern
	mailbox string // UTF-8
}

// Filters reads the filters of users in one round trip, which it shares with
// all others who ask at the same moment. What was committed before the call is
// seen.
//
// "anyone" is the store's own row, for the users of a directory too; DBMail
// wants an entry of that name in the directory, and without one applies no
// filters at all.
func (s *Store) Filters(ctx context.Context, users []uint64) (Filters, error) {
	q := &filterQuestion{users: users}
	err := s.filters.ask(ctx, q, s.answerFilters)
	if err == nil {
		err = q.err
	}
	if err != nil {
		return Filters{}, fmt.Errorf("read filters: %w", err)
	}
	return q.found, nil
}

// Mailbox gives the mailbox of the first filter that one of the cached headers
// passes, a user's own filters before anyone's, each by id; "" for none.
func (f Filters) Mailbox(user uint64, h *FilterHeaders) string {
	for _, rows := range [][]filter{f.own[user], f.anyone} {
		for i := range rows {
			if h.pass(&rows[i]) {
				return rows[i].mailbox
			}
		}
	}
	return ""
}

// Bounds of what filters look at: of one value, and of all, in octets. DBMail
// has none.
const (
	maxFilteredValue = 64 << 10
	maxFiltered      = 256 << 10
)

// FilterHeaders are the cached headers of a message, ready to be compared.
type FilterHeaders struct {
	headers []message.CachedHeader
	names   []string
	values  [][]rune // nil: not folded yet
}

// NewFilterHeaders prepares a message's headers for its recipients' filters.
func NewFilterHeaders(headers []message.CachedHeader) *FilterHeaders {
	n, octets := 0, 0
	for n < len(headers) && octets < maxFiltered {
		octets += min(len(headers[n].Value), maxFilteredValue)
		n++
	}
	h := &FilterHeaders{headers: headers[:n], values: make([][]rune, n)}
	for _, c := range h.headers {
		h.names = append(h.names, foldText(c.Name))
	}
	return h
}

func (h *FilterHeaders) pass(f *filter) bool {
	for i, name := range h.names {
		if name != f.header {
			continue
		}
		if h.values[i] == nil {
			v := h.headers[i].Value
			h.values[i] = []rune(foldText(v[:min(len(v), maxFilteredValue)]))
		}
		if like(h.values[i], f.value) {
			return true
		}
	}
	return false
}

// filterQuestion asks for the filters of some users.
type filterQuestion struct {
	users []uint64
	found Filters
	err   error
}

// answerFilters gives all the same answer: who asked for fewer users looks up
// no others in it.
func (s *Store) answerFilters(group []*filterQuestion) {
	users := map[uint64]bool{}
	for _, q := range group {
		for _, u := range q.users {
			users[u] = true
		}
	}
	found, err := s.readFilters(sortedIDs(users))
	for _, q := range group {
		q.found, q.err = found, err
	}
}

func (s *Store) readFilters(users []uint64) (found Filters, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("internal error", "why", p)
			err = fmt.Errorf("%w: %v", errInternal, p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	found.own = map[uint64][]filter{}
	scan := func(r *sql.Rows) (user uint64, f filter, err error) {
		var header, value, mailbox string
		err = r.Scan(&user, &header, &value, &mailbox)
		return user, newFilter(header, value, mailbox), err
	}
	b := s.batch(s.db)
	const columns = "SELECT f.user_id, f.headername, f.headervalue, f.mailbox FROM "
	_ = chunked(users, 1000, func(users []uint64) error {
		b.query(func(r *sql.Rows) error {
			user, f, err := scan(r)
			found.own[user] = append(found.own[user], f)
			return err
		}, columns+s.t.filters+" f WHERE f.user_id IN ("+placeholders(len(users))+") ORDER BY f.id", anySlice(users)...)
		return nil
	})
	b.query(func(r *sql.Rows) error {
		_, f, err := scan(r)
		found.anyone = append(found.anyone, f)
		return err
	}, columns+s.t.filters+" f JOIN "+s.t.users+" u ON u.user_idnr = f.user_id WHERE "+s.d.sameText("u.userid")+" ORDER BY f.id", "anyone")
	return found, b.run(ctx)
}

func newFilter(header, value, mailbox string) filter {
	return filter{
		header: foldText(strings.TrimRight(header, " ")), value: []rune(foldText(value)),
		// Names stand there as people write them, or as in dbmail_mailboxes.
		mailbox: decodeMailboxName(mailbox),
	}
}
