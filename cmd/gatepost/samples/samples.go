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

// User is somebody who has to be in the store.
type User struct {
	Name    string
	Quota   int64 // bytes; 0 is without limit
	Active  bool
	Aliases []string
}

// Users are those that the messages are for. Nobody is nobody@example.com.
func Users() []User {
	return []User{
		{Name: "alice", Active: true, Aliases: []string{"alice@example.com", "postmaster@example.com"}},
		{Name: "bob", Active: true, Aliases: []string{"bob@example.com", "bob.builder@example.com"}, Quota: 12 << 10},
		{Name: "carol", Aliases: []string{"carol@example.com"}},
	}
}

// List is an address that leads to several users.
func List() (address string, members []string) {
	return "team@example.com", []string{"alice", "bob"}
}

// Messages are the samples in the order in which they are delivered.
func Messages() ([]Message, error) {
	list := []struct {
		file string
		Message
	}{
		{"1-plain.eml", Message{What: "plain text; one recipient does not exist", From: "dave@example.net",
			To: []string{"alice@example.com", "nobody@example.com"}}},
		{"2-nested.eml", Message{What: "nested multipart, to a list", From: "news@example.net",
			To: []string{"team@example.com"}}},
		{"3-attachment.eml", Message{What: "attachment; it does not fit into bob's quota", From: "stats@example.net",
			To: []string{"alice@example.com", "bob@example.com"}}},
		{"4-8bit.eml", Message{What: "8-bit text; carol is inactive", From: "chloe@example.net",
			To: []string{"bob@example.com", "carol@example.com"}}},
		{"5-encoded.eml", Message{What: "encoded headers; an alias, and a detail without a mailbox of that name", From: "anna@example.net",
			To: []string{"bob.builder@example.com", "alice+projects@example.com"}}},
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
