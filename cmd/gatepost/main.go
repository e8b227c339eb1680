// Command gatepost is the operator's tool: it makes and examines stores, looks
// after users and messages in them, hands messages to gatepost-lmtpd, and moves
// Postfix's ldap: tables to gatepost-ldapmap and explains what that answers.
//
// Exit status: 0 good, 1 a check failed or something was refused, 2 wrong
// usage, 75 cannot tell now (try again), 78 wrong configuration.
//
// With the build tag dmz it holds no store and no SQL, for the machines that
// must not have them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
)

var version string // -ldflags "-X main.version=…"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends us at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errors io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errors)
	cmd, err := root.ExecuteContextC(ctx)
	return report(cmd, err)
}

func newRoot() *cobra.Command {
	root := group("gatepost", "Look after mail stores, and after what Postfix asks")
	root.Version = daemon.Version(version)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newDeliver(), newLookup(), newLdapmap(), newDirectory())
	root.AddCommand(storeCommands()...)
	return root
}
