//go:build !dmz

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
		Short: "Show the main jobs: lmtpd delivers into a new store, ldapmap answers from a directory",
		Long: `Makes an SQLite store with a few users in a temporary directory, starts
gatepost-lmtpd (from the directory of this program) over it on a free loopback
port, delivers sample messages to it over LMTP, and shows each reply and what
then stands in the store. Starts gatepost-ldapmap over a small directory server
of its own, looks addresses up as Postfix would, and explains the answers. Then
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
	out, log io.Writer
	dir      string
	config   lmtpd.Config
}

func (d *demo) run(ctx context.Context, once bool) (err error) {
	if d.dir, err = os.MkdirTemp("", "gatepost-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
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
	fmt.Fprintf(d.out, "gatepost-lmtpd listens on %s; the store is %s\n", address, d.config.Store.DSN)
	if err := d.deliverSamples(ctx, address); err != nil {
		return d.ended(ctx, err)
	}
	if err := d.showStore(ctx); err != nil {
		return d.ended(ctx, err)
	}
	maps, err := d.startLdapmap(ctx)
	if err != nil {
		return d.ended(ctx, err)
	}
	defer maps.stop()
	if err := maps.show(ctx, d.out); err != nil {
		return d.ended(ctx, err)
	}
	d.showPostfix(address, maps.address)
	if once {
		return nil
	}
	fmt.Fprintf(d.out, "\nServing; stop with Ctrl-C. Deliver and look, in another terminal:\n"+
		"  %[1]s deliver --lmtp %[2]s --to alice@example.com MESSAGE.eml\n"+
		"  %[1]s lookup --control %[4]s aliases team@example.com\n"+
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
		replies, err := client.Send(m.From, m.To, m.Content)
		if err != nil {
			return fmt.Errorf("deliver message %d: %w", i+1, err)
		}
		if err := printReplies(d.out, "  ", replies); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) showPostfix(lmtpd, ldapmap daemon.Address) {
	fmt.Fprintf(d.out, `
For Postfix, in main.cf (contrib/postfix tells what each line does):
  virtual_mailbox_domains = example.com
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
