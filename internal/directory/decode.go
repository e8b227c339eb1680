package directory

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Status of an account.
type Status int

// Statuses. Active is also that of an account that says nothing.
const (
	StatusActive   Status = iota
	StatusNoAccess        // takes mail, but may not log in
	StatusDisabled        // takes no mail and may not log in
	StatusDeleted         // likewise, for good
)

// String gives the word of the schemas.
func (s Status) String() string {
	switch s {
	case StatusActive:
		return "active"
	case StatusNoAccess:
		return "noaccess"
	case StatusDisabled:
		return "disabled"
	case StatusDeleted:
		return "deleted"
	}
	return "unknown"
}

// TakesMail says whether mail for the account may be accepted.
func (s Status) TakesMail() bool { return s == StatusActive || s == StatusNoAccess }

// MayLogIn says whether the account may be used.
func (s Status) MayLogIn() bool { return s == StatusActive }

// accountDisable is a flag of userAccountControl ([MS-ADTS] 2.2.16).
const accountDisable = 0x2

// status reads a word, or userAccountControl. Of several values the strictest
// counts.
func (at *Attributes) status(e *Entry) (Status, error) {
	worst := StatusActive
	for _, name := range at.Status {
		for _, text := range valuesOf(e, []string{name}) {
			s, ok := parseStatus(name, text)
			if !ok {
				return 0, malformed(e, name, text)
			}
			worst = max(worst, s)
		}
	}
	return worst, nil
}

func parseStatus(name, text string) (Status, bool) {
	if strings.EqualFold(name, "userAccountControl") {
		flags, err := strconv.ParseInt(text, 10, 64)
		if flags&accountDisable != 0 {
			return StatusDisabled, err == nil
		}
		return StatusActive, err == nil
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "active", "enabled", "true", "yes", "1":
		return StatusActive, true
	case "noaccess", "nopop":
		return StatusNoAccess, true
	case "disabled", "inactive", "false", "no", "0":
		return StatusDisabled, true
	case "deleted":
		return StatusDeleted, true
	}
	return 0, false
}

// delivery reads where mail for the account goes: dbmail's deliveryMode is
// normal or forwardonly, qmail's any of nolocal, noforward, noprogram, reply.
// targetAddress goes before the mailbox, as in Exchange.
func (at *Attributes) delivery(e *Entry, a *Account) error {
	a.Keep = a.Login != ""
	for _, name := range at.Forward {
		for _, text := range valuesOf(e, []string{name}) {
			if strings.EqualFold(name, "targetAddress") {
				smtp, ok := cutSMTP(text)
				if !ok {
					continue
				}
				text, a.Keep = smtp, false
			}
			if !hasAddress(a.Forward, text) {
				a.Forward = append(a.Forward, text)
			}
		}
	}
	for _, text := range valuesOf(e, at.Delivery) {
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "normal", "localdelivery", "reply", "noprogram":
		case "forwardonly", "nolocal", "nombox":
			a.Keep = false
		case "noforward":
			a.Forward = nil
		default:
			return malformed(e, "the delivery mode", text)
		}
	}
	return nil
}

// addresses reads the primary address and the others, each once.
func (at *Attributes) addresses(e *Entry) (primary string, others []string) {
	var all []string
	for _, name := range slices.Concat(at.Mail, at.Alternate) {
		for _, text := range valuesOf(e, []string{name}) {
			if strings.EqualFold(name, "proxyAddresses") {
				smtp, ok := cutSMTP(text)
				if !ok {
					continue
				}
				if primary == "" && strings.HasPrefix(text, "SMTP:") {
					primary = smtp
				}
				text = smtp
			}
			if !hasAddress(all, text) {
				all = append(all, text)
			}
		}
	}
	if primary == "" && len(all) > 0 {
		primary = all[0]
	}
	for _, text := range all {
		if !SameAddress(text, primary) {
			others = append(others, text)
		}
	}
	return primary, others
}

// cutSMTP takes the kind off an Exchange address; others are X400:, SIP: ….
func cutSMTP(text string) (address string, ok bool) {
	if len(text) > 5 && strings.EqualFold(text[:5], "smtp:") {
		return text[5:], true
	}
	return "", false
}

func hasAddress(list []string, address string) bool {
	return slices.ContainsFunc(list, func(a string) bool { return SameAddress(a, address) })
}

// hasAddress is a filter for entries with the address.
func (at *Attributes) hasAddress(address string) string {
	return equals(slices.Concat(at.Mail, at.Alternate), addressForms(address)...)
}

// shown leaves out entries that show their addresses, not this one among them.
// Active Directory compares without regard to accents, so that it finds
// muller@ for müller@. A server that finds an entry and does not show why is
// believed.
func (at *Attributes) shown(entries []*Entry, address string) []*Entry {
	if !slices.ContainsFunc(at.Mail, func(name string) bool { return strings.EqualFold(name, "proxyAddresses") }) {
		return entries
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e *Entry) bool {
		primary, others := at.addresses(e)
		return primary != "" && !SameAddress(primary, address) && !hasAddress(others, address)
	})
}

// uuid reads an entryUUID (RFC 4530), or an objectGUID, whose first three
// fields are little-endian ([MS-DTYP] 2.3.4.2).
func (at *Attributes) uuid(e *Entry) string {
	text := firstOf(e, at.UUID)
	if len(text) != 16 {
		return text
	}
	b := []byte(text)
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// parseQuota reads bytes, or a number with K, M, G or T in powers of 1024, and
// perhaps a "B". qmail's older form ends in "S".
func parseQuota(text string) (int64, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	unit := int64(1)
	if trimmed := strings.TrimRight(text, "BS"); len(text)-len(trimmed) <= 1 {
		text = trimmed
	}
	if n := len(text); n > 0 {
		if power := strings.IndexByte("KMGT", text[n-1]); power >= 0 {
			text, unit = strings.TrimSpace(text[:n-1]), int64(1)<<(10*(power+1))
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0, err
	case n < 0 || n > math.MaxInt64/unit:
		return 0, errors.New("out of range")
	}
	return n * unit, nil
}

// Limit is how much an account may send: Count messages, recipients or bytes
// in any Period.
type Limit struct {
	What   string // "messages", "recipients" or "bytes"
	Count  int64
	Period time.Duration
}

// ParseLimit reads "messages 200/1h", "bytes 500M/1d": the period is a number
// with s, m, h or d.
func ParseLimit(text string) (Limit, error) {
	fields := strings.Fields(strings.ToLower(text))
	if len(fields) != 2 || !slices.Contains([]string{"messages", "recipients", "bytes"}, fields[0]) {
		return Limit{}, fmt.Errorf("%q is no limit; write for example \"messages 200/1h\"", text)
	}
	count, period, ok := strings.Cut(fields[1], "/")
	if !ok {
		return Limit{}, fmt.Errorf("limit %q has no period; write for example \"messages 200/1h\"", text)
	}
	n, err := parseQuota(count)
	if err != nil {
		return Limit{}, fmt.Errorf("limit %q: %w", text, err)
	}
	var unit time.Duration
	for suffix, u := range map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour} {
		if digits, ok := strings.CutSuffix(period, suffix); ok {
			period, unit = digits, u
			break
		}
	}
	times, err := strconv.ParseInt(period, 10, 32)
	if err != nil || times <= 0 || unit == 0 || times > int64(math.MaxInt64/unit) {
		return Limit{}, fmt.Errorf("limit %q: the period is a number with s, m, h or d", text)
	}
	return Limit{What: fields[0], Count: n, Period: time.Duration(times) * unit}, nil
}
