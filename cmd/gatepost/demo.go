//go:build !dmz

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"gatepost/cmd/gatepost/lmtp"
	"gatepost/cmd/gatepost/samples"
	"gatepost/internal/daemon"
	"gatepost/lmtpd"
)

func newDemo() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the main jobs: lmtpd delivers to users of a directory, ldapmap answers from it",
		Long: `Starts a small directory server of its own and gatepost-lmtpd (from the
directory of this program) over it and a new SQLite store, on free loopback
ports and in a temporary directory. Delivers sample messages over LMTP to the
people and the list of the directory, and to a user of DBMail's own tables, and
shows each reply and the rows and mailboxes that were made. Starts
gatepost-ldapmap over the same directory, looks addresses up as Postfix would,
and explains the answers; then takes the directory away for a moment. Then
serves until it is stopped. Nothing is left behind.`,
		Args: arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			d := &demo{out: cmd.OutOrStdout(), log: cmd.ErrOrStderr()}
			return d.run(cmd.Context(), once)
		}),
	}
	c.Flags().BoolVar(&once, "once", false, "end after showing instead of serving on")
	return c
}

// demo is one run of the demonstration.
type demo struct {
	out, log  io.Writer
	dir       string
	directory *demoDirectory
	config    lmtpd.Config
}

func (d *demo) run(ctx context.Context, once bool) (err error) {
	if d.dir, err = os.MkdirTemp("", "gatepost-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	if d.directory, err = startDirectory(); err != nil {
		return err
	}
	defer d.directory.stop() // after the daemons, which ask it
	if err := d.makeStore(ctx); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	server, err := startDaemon("gatepost-lmtpd", filepath.Join(d.dir, "lmtpd.log"), "--config", d.configFile())
	if err != nil {
		return err
	}
	defer server.stop()
	address, err := server.address(ctx)
	if err != nil {
		return d.ended(ctx, err)
	}
	if err := server.takesMail(ctx, address); err != nil {
		return d.ended(ctx, err)
	}
	fmt.Fprintf(d.out, "gatepost-lmtpd listens on %s; the store is %s, the directory %s\n", address, d.config.Store.DSN, d.directory.uri)
	if err := d.deliverSamples(ctx, address); err != nil {
		return d.ended(ctx, err)
	}
	if err := d.showStore(ctx); err != nil {
		return d.ended(ctx, err)
	}
	if err := d.showDirectory(ctx, "team@example.com"); err != nil {
		return d.ended(ctx, err)
	}
	maps, err := d.startLdapmap(ctx)
	if err != nil {
		return d.ended(ctx, err)
	}
	defer maps.daemon.stop()
	if err := maps.show(ctx, d.out); err != nil {
		return d.ended(ctx, err)
	}
	if err := d.showOutage(ctx, maps, address); err != nil {
		return d.ended(ctx, err)
	}
	d.showPostfix(address, maps.address)
	if once {
		return nil
	}
	fmt.Fprintf(d.out, "\nServing; stop with Ctrl-C. Deliver and look, in another terminal:\n"+
		"  %[1]s deliver --lmtp %[2]s --to alice@example.com MESSAGE.eml\n"+
		"  %[1]s lookup --control %[4]s lists team@example.com\n"+
		"  %[1]s directory show --config %[3]s alice@example.org\n"+
		"  %[1]s store ls alice --config %[3]s\n", os.Args[0], address, d.configFile(), maps.control)
	return d.serve(ctx, server, maps.daemon)
}

// serve shows what the daemons log until ctx ends, or one of them.
func (d *demo) serve(ctx context.Context, daemons ...*demoDaemon) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ends := make(chan error, len(daemons))
	log := &lockedWriter{w: d.log}
	for _, one := range daemons {
		go func() { ends <- one.serve(ctx, log) }()
	}
	err := <-ends
	cancel()
	for range daemons[1:] {
		if other := <-ends; err == nil {
			err = other
		}
	}
	return err
}

// lockedWriter lets several write whole lines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// ended forgives what failed because we were told to stop.
func (d *demo) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (d *demo) deliverSamples(ctx context.Context, address daemon.Address) error {
	messages, err := samples.Messages()
	if err != nil {
		return err
	}
	client, err := dial(ctx, address, lmtp.Options{Hostname: "demo.example.net"})
	if err != nil {
		return err
	}
	defer client.Close()
	for i, m := range messages {
		fmt.Fprintf(d.out, "\nMessage %d from <%s>: %s\n", i+1, m.From, m.What)
		if err := d.deliver(client, m); err != nil {
			return fmt.Errorf("deliver message %d: %w", i+1, err)
		}
	}
	return nil
}

func (d *demo) deliver(client *lmtp.Client, m samples.Message) error {
	replies, err := client.Send(m.From, m.To, m.Content)
	if err != nil {
		return err
	}
	return printReplies(d.out, "  ", replies)
}

// showDirectory shows what gatepost directory show makes of an address.
func (d *demo) showDirectory(ctx context.Context, asked string) error {
	fmt.Fprintf(d.out, "\nWhat gatepost directory show makes of %s:\n", asked)
	var text bytes.Buffer
	cmd := newDirectoryShow()
	cmd.SetArgs([]string{"--config", d.configFile(), asked})
	cmd.SetOut(&text)
	if err := cmd.ExecuteContext(ctx); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		fmt.Fprint(d.out, "  ", line)
	}
	return nil
}

// showOutage takes the directory away for a moment.
func (d *demo) showOutage(ctx context.Context, maps *demoMaps, address daemon.Address) error {
	d.directory.broken.Store(true)
	defer d.directory.broken.Store(false)
	fmt.Fprintln(d.out, "\nThe directory says that it is unavailable. What is known stays known; nothing is \"not found\":")
	if err := maps.showOutage(ctx, d.out); err != nil {
		return err
	}
	m, err := samples.Outage()
	if err != nil {
		return err
	}
	client, err := dial(ctx, address, lmtp.Options{Hostname: "demo.example.net"})
	if err != nil {
		return err
	}
	defer client.Close()
	return d.deliver(client, m)
}

func (d *demo) showPostfix(lmtpd, ldapmap daemon.Address) {
	fmt.Fprintf(d.out, `
For Postfix, in main.cf (contrib/postfix tells what each line does):
  virtual_mailbox_domains = example.com, example.org
  virtual_transport = lmtp:%[1]s
  virtual_alias_maps = socketmap:%[2]s:aliases
  virtual_mailbox_maps = socketmap:%[2]s:recipients
  lmtp_destination_recipient_limit = 100
  smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, reject_unverified_recipient
  unverified_recipient_reject_code = 550
and in master.cf, where Debian has it already:
  lmtp      unix  -       -       y       -       -       lmtp
`, lmtpd, ldapmap)
}
