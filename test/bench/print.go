package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"gatepost/test/rig"
)

func kilobytes(n int) string { return fmt.Sprintf("%dk", n>>10) }

// print writes the report for people.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "size\tto\tsessions\tsystem\tmsg/s\trcpt/s\tp50 ms\tp99 ms\tCPU ms/msg\t")
	var last cell
	for _, x := range r.Results {
		if x.cell != last && last != (cell{}) {
			fmt.Fprintln(t, "\t\t\t\t\t\t\t\t\t")
		}
		last = x.cell
		name := x.System
		if x.What != "" {
			name += " " + x.What
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%.0f\t%.0f\t%.2f\t%.2f\t%.2f\t\n", kilobytes(x.Size), x.cell.Recipients, x.Sessions, name,
			x.Messages, x.measurement.Recipients, rig.Milliseconds(x.P50), rig.Milliseconds(x.P99), rig.Milliseconds(x.CPU))
	}
	t.Flush()
	r.printRatios(w)
	r.printPairs(w)
}

func (r *report) printRatios(w io.Writer) {
	if len(r.Ratios) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "size\tto\tsessions\tsystem\t/ dovecot\t/ bare\t/ bare-best\tp50 − bare p50, ms\t")
	for _, x := range r.Ratios {
		more := "–"
		if x.Sessions == 1 && x.OverBare != 0 {
			more = fmt.Sprintf("%+.2f", x.MoreThanBare)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", kilobytes(x.Size), x.cell.Recipients, x.Sessions, x.System,
			times(x.OverDovecot), times(x.OverBare), times(x.OverBest), more)
	}
	t.Flush()
}

func (r *report) printPairs(w io.Writer) {
	if len(r.Pairs) == 0 {
		return
	}
	fmt.Fprintf(w, "\nrecipients of a directory beside recipients of DBMail's tables, median (quartiles, extremes) of %d rounds\n", pairRounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "size\tto\tsessions\tSQL msg/s\tLDAP msg/s\trate LDAP / SQL\tCPU LDAP / SQL\t")
	for _, x := range r.Pairs {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.0f\t%.0f\t%v\t%v\t\n", kilobytes(x.Size), x.Recipients, x.Sessions, x.SQL, x.Directory, x.Rate, x.CPU)
	}
	t.Flush()
}

func times(f float64) string {
	if f == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", f)
}
