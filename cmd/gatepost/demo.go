//go:build !dmz

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
		Short: "Show the main job: lmtpd delivers sample messages into a new store",
		Long: `Makes an SQLite store with a few users in a temporary directory, starts
gatepost-lmtpd (from the directory of this program) over it on a free loopback
port, delivers sample messages to it over LMTP, shows each reply and what then
stands in the store, and serves until it is stopped. Nothing is left behind.`,
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
	server, err := startLMTPd(d.configFile(), filepath.Join(d.dir, "lmtpd.log"))
	if err != nil {
		return err
	}
	defer server.stop()
	address, err := server.address(ctx)
	if err != nil {
		return d.ended(ctx, err)
	}
	fmt.Fprintf(d.out, "gatepost-lmtpd listens on %s; the store is %s\n", address, d.config.Store.DSN)
	if err := d.deliverSamples(ctx, address); err != nil {
		return d.ended(ctx, err)
	}
	if err := d.showStore(ctx); err != nil {
		return d.ended(ctx, err)
	}
	d.showPostfix(address)
	if once {
		return nil
	}
	fmt.Fprintf(d.out, "\nServing; stop with Ctrl-C. Deliver and look, in another terminal:\n"+
		"  %[1]s deliver --lmtp %[2]s --to alice@example.com MESSAGE.eml\n"+
		"  %[1]s store ls alice --config %[3]s\n", os.Args[0], address, d.configFile())
	return server.serve(ctx, d.log)
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

func (d *demo) showPostfix(address daemon.Address) {
	fmt.Fprintf(d.out, `
For Postfix, in main.cf (contrib/postfix tells what each line does):
  virtual_mailbox_domains = example.com
  virtual_transport = lmtp:%s
  lmtp_destination_recipient_limit = 100
  smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, reject_unverified_recipient
  unverified_recipient_reject_code = 550
and in master.cf, where Debian has it already:
  lmtp      unix  -       -       y       -       -       lmtp
`, address)
}
