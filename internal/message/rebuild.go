package message

import (
	"errors"
	"io"
)

// Stored is what a reader has of a message: its rows, ordered by part_key,
// part_order, part_depth descending, and the two sizes of dbmail_physmessage.
type Stored struct {
	Parts         []Part
	Size, RFCSize int64
}

// Rebuild writes the message, with its Return-Path line, with CRLF line ends.
func Rebuild(w io.Writer, s Stored) error { return errors.New("not yet") }
