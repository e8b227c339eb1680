// Package message reads a mail message (RFC 5322, MIME) from the wire, keeps
// every byte of it, and makes of it what DBMail 3.x stores: blobs with their
// places in the part list, rows of the header cache, the IMAP envelope and the
// references.
//
//	octets ── ReadRaw ──▶ Raw (LF) ── Split ──▶ Message ──▶ rows ── Rebuild ──▶ octets (CRLF)
//
// Rebuilding what was split gives back the message with a Return-Path line
// before it, every line end as CRLF and otherwise byte for byte, always. DBMail
// regenerates boundary lines from the Content-Type of the enclosing header; a
// message of which that would not make the same bytes is stored unsplit, as one
// header and one body blob. Split finds out by doing it: the assembler in
// rebuild.go is DBMail's reader, row by row, and runs against the message before
// anything is stored. Common reasons for unsplit messages are a closing
// delimiter that the next delimiter follows without an empty line between them,
// a multipart/digest, white space behind a delimiter, a missing closing
// delimiter, and boundaries of more than 127 octets.
//
// The walk through the message (split.go) takes the decisions that DBMail's MIME
// library takes, so that the rows are the same: a part's header goes to the
// first empty line, the outermost open boundary still counts, an unquoted
// parameter goes to the next semicolon.
//
// # Intended differences from DBMail
//
// They are listed with their reasons in testdata/differences.md, which the tests
// read. In short: the Return-Path has angle brackets; RFCSize is what IMAP
// returns, Return-Path line included; lines in the header that are no fields are
// kept; a part with an empty header keeps its body; 8-bit header text is decoded
// from its declared or likely charset; strings in the envelope are quoted; the
// synthetic Date is in UTC; empty and headerless messages are stored; work and
// text are bounded (10,000 cached fields, 1 MiB per address list, 4 MiB per
// value, 5,000 references).
//
// # What leans on it
//
// internal/dbmail writes the rows and reads them back through Rebuild; lmtpd
// asks for Delivered-To and Received. The package itself leans on nothing but
// golang.org/x/text for charsets. Nothing in a message makes it fail: ReadRaw
// refuses NUL and what is too large, Split takes everything.
package message
