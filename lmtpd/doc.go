// Package lmtpd is an LMTP server (RFC 2033) that delivers into a DBMail
// store.
//
// A session resolves each RCPT, reads DATA (or BDAT) once into bounded memory,
// splits it outside any transaction and hands it to the store, which answers
// when every copy is on disk. Then external forwards go to the smarthost, and
// only then does the client get its replies, one for each RCPT in order.
//
// A reply tells one of three things, and reply.go is the one place that
// decides which: it is done (2xx), it is proven that it cannot be done (5xx),
// or we cannot tell (4xx) and the client keeps the message.
//
// # Repeats
//
// When the client did not read our 2xx it sends the message again. The store
// recognises that by sender, user and bytes. A client that has read the 2xx
// may send the same bytes again on purpose; that it has read it is proven by a
// command which arrives after the last reply was flushed, see conn.
//
// # Automatic mail
//
// Auto-replies and notifications of DBMail's tables are sent behind all that,
// by a few workers that no session waits for (afterwards.go), through the
// smarthost. A claim in the store, made just before a mail is sent, lets one
// server send it once; the claim is given back when the mail was surely not
// taken. So a kill may cost a mail that was being sent at that moment, and
// never doubles one; what was not begun is done when the message comes again.
package lmtpd
