// Package samples holds the messages of gatepost demo, and whom they are for.
package samples

import (
	"embed"
	"fmt"
)

//go:embed *.eml
var files embed.FS

// Message is a sample message on its way.
type Message struct {
	What    string   // what is special about it
	From    string   // envelope sender
	To      []string // envelope recipients
	Content []byte   // LF line ends
}

// User is somebody who stands in DBMail's own tables, and not in the directory.
type User struct {
	Name    string
	Quota   int64 // bytes; 0 is without limit
	Aliases []string
}

// Users are those of DBMail's own tables. Nobody is nobody@example.com.
func Users() []User { return []User{{Name: "dora", Aliases: []string{"dora@example.com"}}} }

// Outage is a message for somebody who is known, and somebody nobody asked for
// before, while the directory is away.
func Outage() (Message, error) {
	content, err := files.ReadFile("1-plain.eml")
	return Message{From: "erin@example.net", To: []string{"bob@example.com", "frank@example.com"}, Content: content}, err
}

// Messages are the samples in the order in which they are delivered.
func Messages() ([]Message, error) {
	list := []struct {
		file string
		Message
	}{
		{"1-plain.eml", Message{What: "plain text; one recipient does not exist", From: "dave@example.net",
			To: []string{"alice@example.com", "nobody@example.com"}}},
		{"2-nested.eml", Message{What: "nested multipart, to a list with a list in it; alice is in both", From: "news@example.net",
			To: []string{"team@example.com"}}},
		{"3-attachment.eml", Message{What: "attachment; it does not fit into bob's quota", From: "stats@example.net",
			To: []string{"alice@example.com", "bob@example.com"}}},
		{"4-8bit.eml", Message{What: "8-bit text; carol is disabled, dora is not in the directory but in DBMail's own tables", From: "chloe@example.net",
			To: []string{"bob@example.com", "carol@example.com", "dora@example.com"}}},
		{"5-encoded.eml", Message{What: "encoded headers; an address in another domain, and a detail without a mailbox of that name", From: "anna@example.net",
			To: []string{"bob.builder@example.org", "alice+projects@example.org"}}},
	}
	var out []Message
	for _, m := range list {
		content, err := files.ReadFile(m.file)
		if err != nil {
			return nil, fmt.Errorf("sample message: %w", err)
		}
		m.Content = content
		out = append(out, m.Message)
	}
	return out, nil
}
