package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime/debug"
)

// Flags are the command line that all daemons share.
type Flags struct {
	Config  string   // --config: the configuration file
	Listen  []string // --listen, repeatable: addresses in place of the configured ones
	Check   bool     // --check: validate everything, print all problems, exit
	Version bool     // --version: print the version, exit
}

// ParseFlags reads the arguments after the program's name. Usage and complaints
// go to out. The error is flag.ErrHelp when help was asked for (exit 0); any
// other has been printed already (exit ExitUsage). A daemon with flags of its
// own adds them in more.
func ParseFlags(program, defaultConfig string, args []string, out io.Writer, more ...func(*flag.FlagSet)) (Flags, error) {
	var f Flags
	set := flag.NewFlagSet(program, flag.ContinueOnError)
	set.SetOutput(out)
	set.StringVar(&f.Config, "config", defaultConfig, "read settings from `FILE`")
	set.Func("listen", "listen on `ADDR` in place of the configured addresses: unix:/path?mode=0660&group=postfix,\n"+
		"inet:HOST:PORT or systemd:NAME; may be repeated", func(s string) error {
		if _, err := ParseAddress(s); err != nil {
			return err
		}
		f.Listen = append(f.Listen, s)
		return nil
	})
	set.BoolVar(&f.Check, "check", false, "validate everything, print all problems, and exit with 0 or 78")
	set.BoolVar(&f.Version, "version", false, "print the version and exit")
	for _, add := range more {
		add(set)
	}
	set.Usage = func() {
		fmt.Fprintf(out, "usage: %s [--config FILE] [--listen ADDR]... [--check] [--version]\n", program)
		set.PrintDefaults()
	}
	if err := set.Parse(args); err != nil {
		return Flags{}, err
	}
	if set.NArg() > 0 {
		fmt.Fprintf(out, "%s: unexpected argument %q\n", program, set.Arg(0))
		set.Usage()
		return Flags{}, errors.New("unexpected argument")
	}
	return f, nil
}

// Version returns what --version prints: the version stamped at build time
// (-ldflags "-X main.version=…"), or, where there is none, the module version
// or revision that the Go tool recorded.
func Version(stamped string) string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+modified"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + revision[:min(12, len(revision))] + modified
}
