package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/internal/directory"
)

// defaultDirectory is the file that says where the directory is.
const defaultDirectory = "/etc/gatepost/directory.toml"

// directoryTime bounds what is asked for one command.
const directoryTime = time.Minute

func newDirectory() *cobra.Command {
	return group("directory", "Show what the directory says", newDirectoryShow())
}

// directoryShowFlags are those of directory show.
type directoryShowFlags struct {
	file    string
	members int
	json    bool
	store   directoryStore
}

func newDirectoryShow() *cobra.Command {
	f := &directoryShowFlags{}
	c := &cobra.Command{
		Use:   "show [--directory FILE] ADDRESS|LOGIN",
		Short: "Show what the parts of the mail system make of an address or login",
		Long: `Looks ADDRESS up as gatepost-lmtpd does (the whole address, without +detail,
then catch-alls), or the account with a LOGIN, and shows it: whose it is, its
addresses and whether their domains are hosted, status, quota, services, where
its mail goes, and the lists that it is in, by which way; of a list its owner,
rules and members, and those that cannot receive. Two entries with one address
are named. It shows which servers answered, and in what time.
` + storeHelp + `
The directory is asked over connections of our own, with nothing in memory, as
whom the file says: what that identity may not read does not show.

Exit status: 0 found, 1 not found, or something is wrong with it, 75 cannot
tell, 78 wrong configuration.`,
		Args: arguments(1, 1),
		RunE: action(f.run),
	}
	c.Flags().StringVar(&f.file, "directory", "", "`FILE` that says where the directory is (default "+defaultDirectory+")")
	c.Flags().IntVar(&f.members, "members", 10, "show this many members of a list")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	f.store.add(c)
	return c
}

func (f *directoryShowFlags) run(cmd *cobra.Command, args []string) error {
	if f.members < 0 {
		return usage("--members %d is less than nothing", f.members)
	}
	config, err := f.config()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), directoryTime)
	defer cancel()
	live := config.Open(slog.New(slog.DiscardHandler))
	defer live.Close()
	asked := &askedServers{next: live}
	l := &directoryLook{nouns: directory.NewNouns(asked, config.Kind(), config.Bases()), members: f.members,
		domains: len(config.Kind().Attributes.Domain) > 0}
	v := l.look(ctx, args[0])
	if f.store.given() && v.CannotTell == nil {
		if err := f.store.ask(cmd, config, v); err != nil {
			return err
		}
	}
	v.Servers = asked.servers(live)
	if f.json {
		err = printJSON(cmd.OutOrStdout(), v)
	} else {
		err = v.print(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	switch {
	case len(v.CannotTell) > 0:
		return failed(daemon.ExitTempFail)
	case len(v.Wrong) > 0:
		return failed(exitCheck)
	}
	return nil
}

// config is the directory's configuration: of --directory, of what lmtpd's
// names, or the usual.
func (f *directoryShowFlags) config() (*directory.Config, error) {
	file := f.file
	if file == "" {
		var err error
		if file, err = f.store.directoryFile(); err != nil {
			return nil, err
		}
	}
	if file == "" {
		file = defaultDirectory
	}
	c, problems := directory.LoadConfig(file)
	if err := problems.Err(); err != nil {
		return nil, badConfig("%w", err)
	}
	return &c, nil
}

// askedServers counts who answers.
type askedServers struct {
	next directory.Searcher
	mu   sync.Mutex
	seen []serverView
}

// serverView is one server, and how it answered.
type serverView struct {
	Server   string  `json:"server"` // URI
	State    string  `json:"state"`  // "up", "down" or "connecting"
	Searches int     `json:"searches"`
	Longest  float64 `json:"longest_ms"`
	Why      string  `json:"why,omitempty"` // it is not up
}

// Search implements directory.Searcher.
func (a *askedServers) Search(ctx context.Context, r *directory.Request) (*directory.Answer, error) {
	answer, err := a.next.Search(ctx, r)
	if err == nil && !answer.Cached {
		a.mu.Lock()
		defer a.mu.Unlock()
		i := slices.IndexFunc(a.seen, func(s serverView) bool { return s.Server == answer.Server })
		if i < 0 {
			i, a.seen = len(a.seen), append(a.seen, serverView{Server: answer.Server})
		}
		a.seen[i].Searches++
		a.seen[i].Longest = max(a.seen[i].Longest, float64(answer.Took)/float64(time.Millisecond))
	}
	return answer, err
}

// servers lists all that are configured.
func (a *askedServers) servers(live *directory.Directory) []serverView {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []serverView
	for _, s := range live.Stats().Pool.Servers {
		one := serverView{Server: s.URI}
		if i := slices.IndexFunc(a.seen, func(v serverView) bool { return v.Server == s.URI }); i >= 0 {
			one = a.seen[i]
		}
		if one.State = s.State; s.State != "up" && s.Err != nil {
			one.Why = s.Err.Error()
		}
		all = append(all, one)
	}
	return all
}

func (s *serverView) String() string {
	text := s.Server + ": " + s.State
	if s.Why != "" {
		text += ": " + s.Why
	}
	if s.Searches > 0 {
		text += fmt.Sprintf(", answered %s, the longest in %.2f ms", pluralOf(s.Searches, "search", "searches"), s.Longest)
	}
	return text
}
