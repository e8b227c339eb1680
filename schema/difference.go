package schema

import "fmt"

// Severity says how much a difference matters to mail.
type Severity int

// The severities, the mildest first.
const (
	// Advice: mail is delivered and read as it should be; something could
	// be better.
	Advice Severity = iota + 1

	// Degrades: some mail is refused, some is stored incompletely, or
	// something is slow.
	Degrades

	// Breaks: delivery or DBMail's readers fail.
	Breaks
)

// String is the severity in lower case.
func (s Severity) String() string {
	switch s {
	case Advice:
		return "advice"
	case Degrades:
		return "degrades"
	case Breaks:
		return "breaks"
	default:
		return fmt.Sprintf("severity %d", int(s))
	}
}

// MarshalText is String, for JSON output.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Difference is one way in which a database is not the store that Apply
// would have made.
type Difference struct {
	// Object is what differs: "dbmail_messages.seq",
	// "index dbmail_messages.mailbox_status", "view dbmail_ccfield".
	Object string `json:"object"`

	// Want and Have describe the object as it should be and as it is; Have
	// is "missing" when it is not there.
	Want string `json:"want"`
	Have string `json:"have"`

	Severity Severity `json:"severity"`

	// Why is one sentence: what the difference means for mail, and how to
	// mend it.
	Why string `json:"why"`
}

// missing is the Have of an object that is not there.
const missing = "missing"

// String is the difference on one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: want %s, have %s: %s", d.Severity, d.Object, d.Want, d.Have, d.Why)
}
