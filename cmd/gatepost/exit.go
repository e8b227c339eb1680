package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
)

// exitCheck is the status when a check failed, or something was refused.
const exitCheck = 1

// failure is how a command ended that was understood and run. Every other
// error is one of usage.
type failure struct {
	code int
	err  error // nil: the command's output has said it all
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit status %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// failed is a failure whose reasons have been printed.
func failed(code int) error { return &failure{code: code} }

// badConfig is a failure by something that is configured wrongly.
func badConfig(format string, args ...any) error {
	return &failure{daemon.ExitConfig, fmt.Errorf(format, args...)}
}

// usageError is a command line that does not fit.
type usageError struct{ what string }

func (e *usageError) Error() string { return e.what }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// runner is the body of a command.
type runner = func(cmd *cobra.Command, args []string) error

// action marks the errors of a body as failures, so that those that cobra
// finds itself, before the body runs, can be told apart.
func action(body runner) runner {
	return func(cmd *cobra.Command, args []string) error {
		err := body(cmd, args)
		var f *failure
		var u *usageError
		if err == nil || errors.As(err, &f) || errors.As(err, &u) {
			return err
		}
		return &failure{exitCheck, err}
	}
}

// report prints an error, if it has something to say, and gives the exit
// status.
func report(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	var f *failure
	if errors.As(err, &f) {
		if f.err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "gatepost: %v\n", err)
		}
		return f.code
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "gatepost: %v; see: %s --help\n", err, cmd.CommandPath())
	return daemon.ExitUsage
}

// arguments accepts between low and high of them.
func arguments(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < low || len(args) > high {
			return usage("want: %s", cmd.UseLine())
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("%q is no command of %s", args[0], cmd.CommandPath())
			}
			cmd.SetOut(cmd.ErrOrStderr())
			_ = cmd.Help()
			return failed(daemon.ExitUsage)
		},
	}
	c.AddCommand(commands...)
	return c
}
