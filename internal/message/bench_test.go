package message

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// sample is a message as a gateway delivers it, with a body of about n octets:
// a text and an attachment.
func sample(n int) []byte {
	var b strings.Builder
	b.WriteString("Received: from gw.example.net (gw.example.net [192.0.2.1])\r\n\tby hub.example.net (Postfix) with LMTP id 4XyZ12;\r\n\tMon, 23 Nov 2026 13:24:47 +0000 (UTC)\r\n")
	b.WriteString("Received: from a.example.org (a.example.org [198.51.100.7])\r\n\tby gw.example.net (Postfix) with ESMTPS id 4XyZ11\r\n\tfor <bob@example.net>; Mon, 23 Nov 2026 13:24:46 +0000 (UTC)\r\n")
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k1;\r\n\th=from:to:subject:date; bh=" + strings.Repeat("A", 43) + "=;\r\n\tb=" + strings.Repeat("B", 70) + "\r\n\t " + strings.Repeat("C", 70) + "\r\n")
	b.WriteString("From: Nora Quill <nora@example.org>\r\nTo: Bob Example <bob@example.net>, carol@example.net\r\nCc: \"Desk, Help\" <desk@example.net>\r\n")
	b.WriteString("Subject: Re: [garden] the weekly greenhouse report\r\nDate: Mon, 23 Nov 2026 14:24:40 +0100\r\nMessage-ID: <20261123.1@example.org>\r\n")
	b.WriteString("In-Reply-To: <20261122.7@example.net>\r\nReferences: <20261121.3@example.org>\r\n <20261122.7@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_bound_1\"\r\n\r\n")
	b.WriteString("--=_bound_1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	for i := 0; b.Len() < n/2; i++ {
		fmt.Fprintf(&b, "Line %06d of a text that people may have written to each other in a mail.\r\n", i)
	}
	b.WriteString("--=_bound_1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for b.Len() < n {
		b.WriteString("AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1dzj6vH4/wYNFBsiKTA3PkVMU1phaG92fYSL\r\n")
	}
	b.WriteString("--=_bound_1--\r\n")
	return []byte(b.String())
}

func benchmark(b *testing.B, n int) {
	wire := sample(n)
	opt := Options{Sender: "nora@example.org", Received: time.Now()}
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		raw, err := ReadRaw(bytes.NewReader(wire), 0, int64(len(wire)))
		if err != nil {
			b.Fatal(err)
		}
		if m := Split(raw, opt); m.Unsplit || len(m.Parts) != 5 {
			b.Fatalf("%d parts", len(m.Parts))
		}
	}
}

func BenchmarkSplit4K(b *testing.B)   { benchmark(b, 4<<10) }
func BenchmarkSplit100K(b *testing.B) { benchmark(b, 100<<10) }
func BenchmarkSplit10M(b *testing.B)  { benchmark(b, 10<<20) }

func BenchmarkRebuild100K(b *testing.B) {
	wire := sample(100 << 10)
	raw, err := ReadRaw(bytes.NewReader(wire), 0, 0)
	if err != nil {
		b.Fatal(err)
	}
	m := Split(raw, Options{})
	b.SetBytes(m.RFCSize)
	b.ReportAllocs()
	for b.Loop() {
		if err := Rebuild(io.Discard, Stored{Parts: m.Parts, Size: m.Size, RFCSize: m.RFCSize}); err != nil {
			b.Fatal(err)
		}
	}
}
