package directory

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// startTLSName is the extended operation of StartTLS (RFC 4511 4.14.1).
const startTLSName = "1.3.6.1.4.1.1466.20037"

// readBuffer holds a few answers of a busy connection, in bytes.
const readBuffer = 16 << 10

// link is a connection that is ready for searches: encrypted and bound as the
// settings want it, with nothing under way.
type link struct {
	net.Conn
	raw        net.Conn // below TLS
	in         *bufio.Reader
	secure     bool
	generation int // of the TLS files
}

// connect opens a link within the context, which has a deadline. Bind or
// probe have been answered, so that it leads to a server that lives.
func connect(ctx context.Context, at endpoint, s *Settings, files *tlsState) (l *link, err error) {
	raw, err := new(net.Dialer).DialContext(ctx, at.network, at.address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	// Closing it interrupts whatever follows.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			raw.Close()
			if ctx.Err() != nil {
				err = fmt.Errorf("connect: %w", ctx.Err())
			}
		}
	}()
	l = &link{Conn: raw, raw: raw, in: bufio.NewReaderSize(raw, readBuffer)}
	if at.tls || s.StartTLS && at.network == "tcp" {
		if err := l.encrypt(ctx, at, files); err != nil {
			return nil, err
		}
	}
	if err := l.bind(s, at); err != nil {
		return nil, err
	}
	return l, nil
}

// encrypt begins TLS, after asking for it where the URI is not ldaps.
func (l *link) encrypt(ctx context.Context, at endpoint, files *tlsState) error {
	config, generation, err := files.current()
	if err != nil {
		return err
	}
	if !at.tls {
		op, open := openTag(nil, opExtendedRequest)
		op = closeTag(appendOctets(op, 0x80, startTLSName), open)
		r, err := l.exchange(1, op, opExtendedResponse)
		if err != nil {
			return fmt.Errorf("StartTLS: %w", err)
		}
		if r.code != ldap.LDAPResultSuccess {
			return fmt.Errorf("StartTLS: %w", refusal(r, at.uri))
		}
	}
	if l.in.Buffered() > 0 {
		// Somebody between us put it there, to be taken for the server's.
		return fmt.Errorf("StartTLS: %w: more than was asked for", errMalformed)
	}
	client := tls.Client(l.raw, forHost(config, at.host))
	if err := client.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	l.Conn, l.in = client, bufio.NewReaderSize(client, readBuffer)
	l.secure, l.generation = true, generation
	return nil
}

// errBind marks that the server was reached, but does not want us.
var errBind = errors.New("bind")

// bind says who we are (RFC 4511 4.2), or asks for the root DSE when nobody:
// a frozen server accepts connections too.
func (l *link) bind(s *Settings, at endpoint) error {
	if s.Bind.Method == BindNone {
		_, err := l.exchange(2, probe(), opSearchDone)
		if err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		return nil
	}
	op, err := s.Bind.request(l.secure || at.network == "unix")
	if err != nil {
		return fmt.Errorf("%w: %w", errBind, err)
	}
	r, err := l.exchange(2, op, opBindResponse)
	if err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	switch r.code {
	case ldap.LDAPResultSuccess:
		return nil
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return fmt.Errorf("bind: %w", refusal(r, at.uri))
	}
	return fmt.Errorf("%w: %w", errBind, refusal(r, at.uri))
}

// request makes the operation; private says that nobody can listen.
func (b Bind) request(private bool) ([]byte, error) {
	password := ""
	if b.Password != nil && !(b.Method == BindSASL && strings.EqualFold(b.Mechanism, "EXTERNAL")) {
		var err error
		if password, err = b.Password(); err != nil {
			return nil, err
		}
	}
	op, at := openTag(nil, opBindRequest)
	op = appendInt(op, tagInteger, 3)
	if b.Method == BindSimple {
		// A name without a password would count as success without proof
		// (RFC 4513 5.1.2).
		if b.DN != "" && password == "" {
			return nil, fmt.Errorf("the password of %s is empty", b.DN)
		}
		op = appendOctets(op, tagOctets, b.DN)
		return closeTag(appendOctets(op, 0x80, password), at), nil
	}
	op = appendOctets(op, tagOctets, "")
	op, sasl := openTag(op, 0xa3)
	mechanism := strings.ToUpper(b.Mechanism)
	op = appendOctets(op, tagOctets, mechanism)
	switch mechanism {
	case "EXTERNAL":
		op = appendOctets(op, tagOctets, b.Authz)
	case "PLAIN":
		if !private {
			return nil, errors.New("SASL PLAIN would show the password: the connection is not encrypted")
		}
		if password == "" || strings.Contains(b.Authz+b.User+password, "\x00") {
			return nil, errors.New("SASL PLAIN: the password is empty, or there is a NUL")
		}
		op = appendOctets(op, tagOctets, b.Authz+"\x00"+b.User+"\x00"+password)
	default:
		return nil, b.check()
	}
	return closeTag(closeTag(op, sasl), at), nil
}

// exchange sends one request and reads the messages up to its result.
func (l *link) exchange(id int, op []byte, answer byte) (result, error) {
	if _, err := l.Write(appendMessage(nil, id, op)); err != nil {
		return result{}, err
	}
	for {
		m, err := readMessage(l.in)
		if err != nil {
			return result{}, cutShort(err)
		}
		got, op, content, err := openMessage(m)
		switch {
		case err != nil:
			return result{}, err
		case op == opExtendedResponse && got == 0: // notice of disconnection (4.4.1)
			r, err := decodeResult(content)
			if err != nil {
				return result{}, err
			}
			return result{}, refusal(r, "")
		case got == id && op == answer:
			return decodeResult(content)
		case got == id && op == opSearchEntry: // of the root DSE
		default:
			return result{}, errMalformed
		}
	}
}
