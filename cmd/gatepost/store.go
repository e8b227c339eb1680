//go:build !dmz

package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/lmtpd"
)

// defaultConfig names the store where nothing else does: a command that a log
// line suggests works as it stands.
const defaultConfig = "/etc/gatepost/lmtpd.toml"

// storeFlags are those of all store commands.
type storeFlags struct {
	dsn, config, prefix string
	json                bool
}

func newStore() *cobra.Command {
	f := &storeFlags{}
	c := group("store", "Look after users, aliases and messages of a store",
		group("user", "Add, change and list users, and settle whose they are in the directory", newUserAdd(f), newUserSet(f), newUserList(f), newUserShow(f),
			newUserRename(f), newUserAdopt(f)),
		group("alias", "Add and list aliases", newAliasAdd(f), newAliasList(f)),
		newStoreLs(f), newStoreCat(f), newStoreVerify(f))
	p := c.PersistentFlags()
	p.StringVar(&f.dsn, "store", "", "`DSN` of the store: sqlite:/path/store.db or mysql://user@host/database?password_file=/path")
	p.StringVar(&f.config, "config", "", "lmtpd.toml `FILE` that names the store (default "+defaultConfig+" if there is one)")
	p.StringVar(&f.prefix, "prefix", dbmail.DefaultPrefix, "what DBMail's table names begin with; - is none")
	p.BoolVar(&f.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("store", "config")
	return c
}

// settings are those with which lmtpd would open the store.
func (f *storeFlags) settings(prefixGiven bool) (lmtpd.Config, error) {
	c := lmtpd.DefaultConfig()
	if f.dsn == "" && f.config == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			f.config = defaultConfig
		}
	}
	switch {
	case f.dsn == "" && f.config == "":
		return c, usage("say which store, with --store DSN or --config FILE; there is no %s", defaultConfig)
	case f.dsn != "":
		if _, err := dbmail.ParseDSN(f.dsn); err != nil {
			return c, usage("%v", err)
		}
		c.Store.DSN = f.dsn
	default:
		var problems daemon.Problems
		if c, problems = lmtpd.LoadConfig(f.config); len(problems) > 0 {
			return c, badConfig("%w", problems.Err())
		}
	}
	if prefixGiven {
		prefix := f.prefix
		if prefix == "-" { // as the schema commands have it
			prefix = ""
		}
		c.Store.TablePrefix = &prefix
	}
	return c, nil
}

// storeRunner is the body of a command that works on an open store.
type storeRunner = func(cmd *cobra.Command, store *dbmail.Store, args []string) error

// with opens the store around a command's body.
func (f *storeFlags) with(body storeRunner) runner {
	return action(func(cmd *cobra.Command, args []string) error {
		c, err := f.settings(cmd.Flags().Changed("prefix"))
		if err != nil {
			return err
		}
		store, err := openStore(cmd.Context(), &c)
		if err != nil {
			return err
		}
		defer store.Close()
		if err := body(cmd, store, args); err != nil {
			return storeFailure(err)
		}
		return nil
	})
}

func openStore(ctx context.Context, c *lmtpd.Config) (*dbmail.Store, error) {
	store, err := c.OpenStore(ctx, nil)
	if err != nil {
		return nil, openFailure(err)
	}
	return store, nil
}

// openFailure is a store that does not open: either it does not answer now,
// or something is configured wrongly.
func openFailure(err error) error {
	if temporary(err) {
		return &failure{daemon.ExitTempFail, err}
	}
	return &failure{daemon.ExitConfig, err}
}

// storeFailure keeps what the store refuses apart from a store that does not
// answer.
func storeFailure(err error) error {
	var f *failure
	var u *usageError
	if errors.As(err, &f) || errors.As(err, &u) || !temporary(err) {
		return err
	}
	return &failure{daemon.ExitTempFail, err}
}

// temporary recognises a server that is away or does not answer in time.
// (net.Error would not do: every errno of a missing file is one.)
func temporary(err error) bool {
	var away *net.OpError
	return errors.As(err, &away) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// userView is a user as the commands print it. The names are DBMail's where a
// column holds the value.
type userView struct {
	ID        uint64               `json:"user_idnr"`
	Name      string               `json:"name"`
	Active    bool                 `json:"active"`
	Quota     int64                `json:"quota"` // bytes; 0 is without limit, or the directory's
	Used      int64                `json:"used"`  // bytes
	Directory bool                 `json:"directory"`
	Entry     string               `json:"entry_uuid,omitempty"` // as it was noted
	Aliases   []string             `json:"aliases,omitempty"`
	Mailboxes []dbmail.MailboxInfo `json:"mailboxes,omitempty"`
}

// viewUser makes a view; entries are Store.Entries.
func viewUser(u dbmail.User, entries map[uint64]string) userView {
	entry := entries[u.ID]
	return userView{ID: u.ID, Name: u.Name, Active: u.Active, Quota: u.Quota, Used: u.Used, Directory: u.Shadow || entry != "", Entry: entry}
}

// view looks up what is noted of a user.
func (f *storeFlags) view(cmd *cobra.Command, store *dbmail.Store, u dbmail.User) (userView, error) {
	entries, err := store.Entries(cmd.Context(), u.ID)
	return viewUser(u, entries), err
}

func (u userView) quota() string {
	switch {
	case u.Directory && u.Quota == 0:
		return "the directory's"
	case u.Quota == 0:
		return "no limit"
	}
	return size(u.Quota)
}

// entry says which entry of the directory a user is.
func (u userView) entry() string {
	switch {
	case u.Entry != "":
		return u.Entry
	case u.Directory:
		return "not noted yet"
	}
	return ""
}

func (u userView) active() string {
	if u.Active {
		return "active"
	}
	return "inactive"
}

// printUser shows one user, after it was made or changed.
func (f *storeFlags) printUser(cmd *cobra.Command, u userView) error {
	if f.json {
		return printJSON(cmd.OutOrStdout(), u)
	}
	rows := [][]string{
		{"user", u.Name}, {"id", fmt.Sprint(u.ID)}, {"status", u.active()},
		{"quota", u.quota()}, {"used", size(u.Used)},
	}
	if u.Directory {
		rows = append(rows, []string{"directory", u.entry()})
	}
	for _, a := range u.Aliases {
		rows = append(rows, []string{"alias", a})
	}
	for _, m := range u.Mailboxes {
		rows = append(rows, []string{"mailbox", fmt.Sprintf("%s (%s, %s)", m.Name, plural(int(m.Messages), "message"), size(m.Size))})
	}
	return printTable(cmd.OutOrStdout(), rows...)
}
