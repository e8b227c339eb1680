package lmtpd

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"mime"
	"slices"
	"strings"
	"time"

	"gatepost/lmtpd/recipient"
)

// maxReported is how many failures a report names; the rest is a number.
const maxReported = 500

// failureReport is a delivery status notification (RFC 3464) to the owner of a
// list, with LF line ends. It has the failed message's header, not its body.
func (d *delivery) failureReport(l *recipient.List, failures []failed) []byte {
	host := d.s.set.Hostname
	boundary := "=_" + rand.Text()
	var b bytes.Buffer
	named := failures[:min(len(failures), maxReported)]
	fmt.Fprintf(&b, "From: Mail delivery <postmaster@%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%s@%s>\n", host, clean(l.Owner),
		mime.QEncoding.Encode("utf-8", fmt.Sprintf("%d members of %s not reached", len(failures), clean(l.Address))),
		d.start.Format(time.RFC1123Z), rand.Text(), host)
	fmt.Fprintf(&b, "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=%q\n\n", boundary)
	fmt.Fprintf(&b, "--%s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n", boundary)
	fmt.Fprintf(&b, "A message from <%s> to the list %s, whose owner you are, did not\nreach these members; all others have it.\n\n",
		clean(d.tx.from), clean(l.Address))
	for _, f := range named {
		fmt.Fprintf(&b, "  %s: %s\n", clean(f.member), f.reply.Message)
	}
	if n := len(failures) - len(named); n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	status := "message/delivery-status"
	if slices.ContainsFunc(named, func(f failed) bool { return !ascii(f.member) }) {
		status = "message/global-delivery-status; charset=utf-8\nContent-Transfer-Encoding: 8bit" // RFC 6533
	}
	fmt.Fprintf(&b, "\n--%s\nContent-Type: %s\n\nReporting-MTA: dns; %s\nArrival-Date: %s\n", boundary, status, host, d.start.Format(time.RFC1123Z))
	for _, f := range named {
		e := f.reply.EnhancedCode
		fmt.Fprintf(&b, "\nFinal-Recipient: %s\nAction: failed\nStatus: %d.%d.%d\nDiagnostic-Code: smtp; %d %d.%d.%d %s\n",
			addressField(f.member), e[0], e[1], e[2], f.reply.Code, e[0], e[1], e[2], f.reply.Message)
	}
	fmt.Fprintf(&b, "\n--%s\nContent-Type: text/rfc822-headers; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n", boundary)
	head, _, _ := bytes.Cut(d.raw.Data, []byte("\n\n"))
	const limit = 64 << 10
	b.Write(head[:min(len(head), limit)])
	fmt.Fprintf(&b, "\n--%s--\n", boundary)
	return b.Bytes()
}

// addressField writes a member as RFC 3464 2.3.2 has it, by RFC 6533 where it
// is not ASCII. What the directory names otherwise is no address.
func addressField(member string) string {
	switch {
	case !strings.Contains(member, "@"):
		return "x-local; " + clean(member)
	case ascii(member):
		return "rfc822; " + clean(member)
	}
	return "utf-8; " + clean(member)
}

// clean takes out what would end a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
