//go:build !dmz

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gatepost/internal/dbmail"
)

type verifyFlags struct {
	*storeFlags
	repair, yes bool
}

func newStoreVerify(store *storeFlags) *cobra.Command {
	f := &verifyFlags{storeFlags: store}
	c := &cobra.Command{
		Use:   "verify [USER] [--repair [--yes]]",
		Short: "Examine a store, or one user's part of it",
		Long: `Looks for wrong quota sums, messages that do not rebuild, blobs whose hash or size
is wrong, and rows that belong to nothing. With --repair it then mends what can be
mended safely, after showing what it would do; on a terminal it asks first.

Exit status: 1 when a problem was found and not mended.`,
		Args: arguments(0, 1),
		RunE: f.with(f.run),
	}
	c.Flags().BoolVar(&f.repair, "repair", false, "mend what can be mended safely")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask before mending")
	return c
}

// problemView is a problem and what became of it.
type problemView struct {
	dbmail.Problem
	Mended bool `json:"mended"`
}

func (f *verifyFlags) run(cmd *cobra.Command, store *dbmail.Store, args []string) error {
	var user string
	if len(args) > 0 {
		user = args[0]
	}
	out := cmd.OutOrStdout()
	problems := []problemView{}
	err := store.Verify(cmd.Context(), user, func(p dbmail.Problem) {
		problems = append(problems, problemView{Problem: p})
		if !f.json {
			fmt.Fprintf(out, "%s: %s\n", p.Kind, clean(p.What))
		}
	})
	if err != nil {
		return err
	}
	if f.repair {
		err = f.mend(cmd, store, problems)
	}
	left := 0
	for _, p := range problems {
		if !p.Mended {
			left++
		}
	}
	if e := f.summarize(out, problems, left); err == nil {
		err = e
	}
	if err == nil && left > 0 {
		err = failed(exitCheck)
	}
	return err
}

func (f *verifyFlags) summarize(out io.Writer, problems []problemView, left int) error {
	switch {
	case f.json:
		return printJSON(out, problems)
	case len(problems) == 0:
		fmt.Fprintln(out, "No problems.")
	case f.repair:
		fmt.Fprintf(out, "%s, %d mended.\n", plural(len(problems), "problem"), len(problems)-left)
	default:
		fmt.Fprintf(out, "%s.\n", plural(len(problems), "problem"))
	}
	return nil
}

// mend shows what it would do, asks where somebody can answer, and does it.
func (f *verifyFlags) mend(cmd *cobra.Command, store *dbmail.Store, problems []problemView) error {
	// The plan is for people; with --json standard output is for the program.
	plan := cmd.ErrOrStderr()
	n := 0
	for _, p := range problems {
		if p.Mend != "" {
			fmt.Fprintf(plan, "would mend: %s: %s\n", clean(p.What), clean(p.Mend))
			n++
		}
	}
	if n == 0 {
		return nil
	}
	if !f.yes && isTerminal(cmd.InOrStdin()) && !confirmed(cmd.InOrStdin(), plan) {
		fmt.Fprintln(plan, "Nothing was changed.")
		return nil
	}
	for i := range problems {
		p := &problems[i]
		if p.Mend == "" {
			continue
		}
		if err := store.Repair(cmd.Context(), p.Problem); err != nil {
			return fmt.Errorf("mend %s: %w", p.What, err)
		}
		p.Mended = true
	}
	return nil
}

func confirmed(in io.Reader, out io.Writer) bool {
	fmt.Fprint(out, "Do that? [y/N] ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

// isTerminal says that somebody can answer a question.
func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}
