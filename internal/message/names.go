package message

import "strings"

// fieldID names the header fields that this package knows.
type fieldID uint8

// The fields up to and including fieldFrom are those that DBMail caches, in the
// order of their headername ids on a fresh store; the next ones only tell that
// a block of lines is a header.
const (
	fieldOther fieldID = iota
	fieldReturnPath
	fieldReplyTo
	fieldInReplyTo
	fieldReferences
	fieldContentDisposition
	fieldContentType
	fieldSubject
	fieldDate
	fieldBcc
	fieldCc
	fieldTo
	fieldFrom
	fieldSender
	fieldMessageID
	fieldReceived
	fieldKnown
)

// lookupField finds the field with this name, whatever its case.
func lookupField(name string) fieldID {
	var buf [32]byte
	if len(name) > len(buf) {
		return fieldOther
	}
	for i := 0; i < len(name); i++ {
		buf[i] = lower(name[i])
	}
	switch string(buf[:len(name)]) {
	case "return-path":
		return fieldReturnPath
	case "reply-to":
		return fieldReplyTo
	case "in-reply-to":
		return fieldInReplyTo
	case "references":
		return fieldReferences
	case "content-disposition":
		return fieldContentDisposition
	case "content-type":
		return fieldContentType
	case "subject":
		return fieldSubject
	case "date":
		return fieldDate
	case "bcc":
		return fieldBcc
	case "cc":
		return fieldCc
	case "to":
		return fieldTo
	case "from":
		return fieldFrom
	case "sender":
		return fieldSender
	case "message-id":
		return fieldMessageID
	case "received":
		return fieldReceived
	case "mime-version", "content-transfer-encoding", "delivered-to", "x-original-to",
		"dkim-signature", "authentication-results", "list-id", "precedence",
		"resent-from", "resent-to", "resent-date", "resent-message-id",
		"x-mailer", "user-agent", "x-spam-status", "auto-submitted":
		return fieldKnown
	}
	return fieldOther
}

// lowerName is the name in lower case, without a copy for the names that
// DBMail caches.
func (f field) lowerName() string {
	switch f.id {
	case fieldReturnPath:
		return "return-path"
	case fieldReplyTo:
		return "reply-to"
	case fieldInReplyTo:
		return "in-reply-to"
	case fieldReferences:
		return "references"
	case fieldSubject:
		return "subject"
	case fieldDate:
		return "date"
	case fieldBcc:
		return "bcc"
	case fieldCc:
		return "cc"
	case fieldTo:
		return "to"
	case fieldFrom:
		return "from"
	}
	return strings.ToLower(f.name)
}

// isAddress reports whether DBMail treats the field as a list of addresses when
// it caches it (Sender is not among them).
func (id fieldID) isAddress() bool {
	switch id {
	case fieldFrom, fieldTo, fieldCc, fieldBcc, fieldReplyTo, fieldReturnPath:
		return true
	}
	return false
}

// seeded reports whether DBMail seeds the name, that is, caches the field as it
// ships (header_cache_readonly).
func (id fieldID) seeded() bool { return fieldReturnPath <= id && id <= fieldFrom }

func cachedByDefault(name string) bool { return lookupField(name).seeded() }
