package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"gatepost/test/rig"
)

// print writes the report for people.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n%d sessions, median of %d rounds\n\n", r.Machine, r.Sessions, len(r.of(r.first(), r.firstSystem())))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "load\tcache\tsystem\tlook-ups/s\tp50 ms\tp99 ms\tCPU µs\tslapd\tdaemon\tLDAP connections\t")
	for n, x := range r.Results {
		if n > 0 && x.cell != r.Results[n-1].cell {
			fmt.Fprintln(t, "\t\t\t\t\t\t\t\t\t\t")
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%s\t%s\t%d\t%d\t%d\t%d\t\n", x.Load, x.Cache, x.System, x.Rate, known(x.P50), known(x.P99),
			x.CPU.Microseconds(), x.Slapd.Microseconds(), x.Daemon.Microseconds(), x.Connections)
	}
	t.Flush()
	if len(r.Ratios) > 0 {
		fmt.Fprintln(w)
		t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "load\tcache\tsystem\t/ memory\t/ proxy\t/ ldap\t")
		for _, x := range r.Ratios {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t\n", x.Load, x.Cache, x.System, times(x.OverMemory), times(x.OverProxy), times(x.OverLDAP))
		}
		t.Flush()
	}
	printAims(w, r.Aims)
}

func (r *report) first() cell {
	if len(r.Results) == 0 {
		return cell{}
	}
	return r.Results[0].cell
}

func (r *report) firstSystem() string {
	if len(r.Results) == 0 {
		return ""
	}
	return r.Results[0].System
}

func printAims(w io.Writer, aims []aim) {
	if len(aims) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range aims {
		word, verdict := "at least", "met"
		if a.Most {
			word = "at most"
		}
		if !a.Met {
			verdict = "NOT MET"
		}
		fmt.Fprintf(t, "%s\t%s %.4g\t%.4g\t%s\n", a.What, word, a.Want, a.Got, verdict)
	}
	t.Flush()
}

func known(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", rig.Milliseconds(d))
}

func times(f float64) string {
	if f == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", f)
}
