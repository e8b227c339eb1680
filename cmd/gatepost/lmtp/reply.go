package lmtp

import (
	"fmt"
	"strings"
)

// Reply is what the server said for one recipient.
type Reply struct {
	Recipient string `json:"recipient"`
	// Stage is the command that was answered: MAIL, RCPT, DATA, or "content"
	// for the reply after the final dot.
	Stage string `json:"stage"`
	// Code is the three-digit reply code; 0 when no reply came.
	Code int `json:"code"`
	// Enhanced is the status code of RFC 3463, such as "5.1.1"; "" when there
	// was none.
	Enhanced string `json:"enhanced,omitempty"`
	// Text is the rest, lines joined by blanks; or why no reply came.
	Text string `json:"text"`

	raw string // as it came, lines joined by "\n"
}

// Accepted says that the server has taken the message for this recipient.
func (r Reply) Accepted() bool { return r.Stage == stageContent && r.Code/100 == 2 }

// Rejected says that the server will never take it (5xx). A reply that is
// neither accepted nor rejected is temporary.
func (r Reply) Rejected() bool { return r.Code/100 == 5 }

// String is the reply on one line, as the server gave it.
func (r Reply) String() string {
	if r.Code == 0 {
		return "no reply: " + r.Text
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%03d %s %s", r.Code, r.Enhanced, r.Text)), " ")
}

// Stages of a transaction.
const (
	stageMail    = "MAIL"
	stageRcpt    = "RCPT"
	stageData    = "DATA"
	stageContent = "content"
)

// ReplyError is a reply that refuses what was asked.
type ReplyError struct{ Reply Reply }

// Error implements error.
func (e *ReplyError) Error() string {
	return e.Reply.Stage + ": the server answered " + e.Reply.String()
}

// newReply takes apart what a server said. Each line of a reply may repeat the
// enhanced status code (RFC 2034 section 4).
func newReply(stage string, code int, text string) Reply {
	r := Reply{Stage: stage, Code: code, raw: text}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if status, rest, _ := strings.Cut(line, " "); isEnhanced(status) {
			r.Enhanced, lines[i] = status, rest
		}
	}
	r.Text = strings.Join(lines, " ")
	return r
}

// isEnhanced recognises class.subject.detail of RFC 3463 section 2.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || !strings.Contains("245", parts[0]) {
		return false
	}
	for _, p := range parts[1:] {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
