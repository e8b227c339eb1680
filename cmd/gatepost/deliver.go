package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/spf13/cobra"

	"gatepost/cmd/gatepost/lmtp"
	"gatepost/internal/daemon"
)

// defaultLMTP is where lmtpd listens unless it is told otherwise.
const defaultLMTP = "inet:127.0.0.1:24"

type deliverFlags struct {
	lmtp, config, from, cert, key string
	to                            []string
	json                          bool
}

func newDeliver() *cobra.Command {
	f := &deliverFlags{}
	c := &cobra.Command{
		Use:   "deliver [--lmtp ADDR] [--from ADDR] --to ADDR [--to ADDR]... FILE",
		Short: "Hand a message to lmtpd over LMTP and show each recipient's reply",
		Long: `Hands the message in FILE ("-" is standard input) to an LMTP server and shows
what it replies for each recipient. Bare LF line ends become CRLF, as in mail;
all else is sent byte for byte.

Exit status: 0 when all recipients were accepted, 1 when one was rejected (5xx),
else 75: at least one was deferred (4xx) or got no reply, so try again.`,
		Example: "  gatepost deliver --lmtp unix:/var/spool/postfix/gatepost/lmtpd.sock --to alice@example.com message.eml",
		Args:    arguments(1, 1),
		RunE:    action(f.run),
	}
	c.Flags().StringVar(&f.lmtp, "lmtp", "", "server `ADDR`: inet:HOST:PORT or unix:/path (default "+defaultLMTP+")")
	f.addConfig(c)
	c.Flags().StringVar(&f.from, "from", "", "envelope sender `ADDR` (default the null sender)")
	c.Flags().StringArrayVar(&f.to, "to", nil, "envelope recipient `ADDR`, repeatable")
	c.Flags().StringVar(&f.cert, "cert", "", "client certificate, a PEM `FILE`; STARTTLS is required then")
	c.Flags().StringVar(&f.key, "key", "", "its private key, a PEM `FILE`")
	c.Flags().BoolVar(&f.json, "json", false, "print the replies as JSON")
	_ = c.MarkFlagRequired("to")
	c.MarkFlagsRequiredTogether("cert", "key")
	return c
}

func (f *deliverFlags) run(cmd *cobra.Command, args []string) error {
	for _, address := range append([]string{f.from}, f.to...) {
		if err := lmtp.CheckAddress(address); err != nil {
			return usage("%v", err)
		}
	}
	server, err := f.server()
	if err != nil {
		return err
	}
	options, err := f.options()
	if err != nil {
		return err
	}
	content, err := readMessage(cmd.InOrStdin(), args[0])
	if err != nil {
		return err
	}
	client, err := dial(cmd.Context(), server, options)
	if err != nil {
		return err
	}
	defer client.Close()
	if state, ok := client.TLS(); ok {
		fmt.Fprintf(cmd.ErrOrStderr(), "encrypted with %s; the server's certificate is not verified\n", tls.VersionName(state.Version))
	}
	// After an error Send says why in the replies.
	replies, _ := client.Send(f.from, f.to, content)
	if f.json {
		err = printJSON(cmd.OutOrStdout(), replies)
	} else {
		err = printReplies(cmd.OutOrStdout(), "", replies)
	}
	if err != nil {
		return err
	}
	return verdict(replies)
}

// server is where to deliver to.
func (f *deliverFlags) server() (daemon.Address, error) {
	text := f.lmtp
	if text == "" && f.config != "" {
		return configuredServer(f.config)
	}
	if text == "" {
		text = defaultLMTP
	}
	a, err := daemon.ParseAddress(text)
	if err != nil {
		return a, usage("--lmtp: %v", err)
	}
	if a.Network == "systemd" {
		return a, usage("--lmtp %s: nobody can connect to that; want inet:HOST:PORT or unix:/path", text)
	}
	return a, nil
}

// options for the connection. Without a certificate of ours TLS is
// opportunistic (RFC 7435): better than clear text, and proves nothing.
func (f *deliverFlags) options() (lmtp.Options, error) {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return lmtp.Options{}, badConfig("read --cert and --key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "localhost"
	}
	return lmtp.Options{Hostname: hostname, TLS: config, TLSRequired: f.cert != ""}, nil
}

// dial connects to a server. Whatever goes wrong, no recipient was refused, so
// that it is worth another try.
func dial(ctx context.Context, a daemon.Address, o lmtp.Options) (*lmtp.Client, error) {
	network, address := "tcp", net.JoinHostPort(a.Host, a.Port)
	if a.Network == "unix" {
		network, address = "unix", a.Path
	}
	client, err := lmtp.Dial(ctx, network, address, o)
	if err != nil {
		return nil, &failure{daemon.ExitTempFail,
			fmt.Errorf("connect to the LMTP server at %s: %w; nothing was delivered", a, err)}
	}
	return client, nil
}

func readMessage(stdin io.Reader, file string) ([]byte, error) {
	var content []byte
	var err error
	if file == "-" {
		content, err = io.ReadAll(stdin)
	} else {
		content, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	return content, nil
}

func printReplies(w io.Writer, indent string, replies []lmtp.Reply) error {
	var rows [][]string
	for _, r := range replies {
		what := "accepted"
		switch {
		case r.Rejected():
			what = "rejected"
		case !r.Accepted():
			what = "deferred"
		}
		rows = append(rows, []string{indent + r.Recipient, what, r.String()})
	}
	return printTable(w, rows...)
}

// verdict is the exit status for all recipients together.
func verdict(replies []lmtp.Reply) error {
	var deferred bool
	for _, r := range replies {
		if r.Rejected() {
			return failed(exitCheck)
		}
		deferred = deferred || !r.Accepted()
	}
	if deferred {
		return failed(daemon.ExitTempFail)
	}
	return nil
}

// errNoAddress is a configuration that leaves open where lmtpd listens.
var errNoAddress = errors.New("it tells no address to connect to, only sockets that systemd passes or any free port; name the address with --lmtp")
