//go:build !dmz

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
	"gatepost/lmtpd"
	"gatepost/lmtpd/recipient"
)

const storeHelp = `
With --config, lmtpd's, or --store it also shows what lmtpd would answer to RCPT
with it, whose mailboxes get a copy, and the row in the store that the account
is paired with, its usage and mailboxes.
`

// maxShownUsers bounds the users and forwards that are shown.
const maxShownUsers = 10

// directoryStore are the flags that name a store.
type directoryStore struct{ storeFlags }

func (f *directoryStore) add(c *cobra.Command) {
	c.Flags().StringVar(&f.dsn, "store", "", "`DSN` of the store, too")
	c.Flags().StringVar(&f.config, "config", "", "lmtpd.toml `FILE` that names store and directory")
	c.Flags().StringVar(&f.prefix, "prefix", dbmail.DefaultPrefix, "what DBMail's table names begin with; - is none")
	c.MarkFlagsMutuallyExclusive("store", "config")
}

func (f *directoryStore) given() bool { return f.dsn != "" || f.config != "" }

// directoryFile is the one that lmtpd's configuration names; empty without it.
func (f *directoryStore) directoryFile() (string, error) {
	if f.config == "" {
		return "", nil
	}
	c, problems := lmtpd.LoadConfig(f.config)
	if err := problems.Err(); err != nil {
		return "", badConfig("%w", err)
	}
	return c.Directory, nil
}

// ask shows what lmtpd makes of an address with this directory, and the store.
func (f *directoryStore) ask(cmd *cobra.Command, people *directory.Config, v *directoryView) error {
	c, err := f.settings(cmd.Flags().Changed("prefix"))
	if err != nil {
		return err
	}
	if f.dsn != "" {
		c.Recipients = daemon.Strings{"directory"}
	}
	ctx := cmd.Context()
	store, err := openStore(ctx, &c)
	if err != nil {
		return err
	}
	defer store.Close()
	silent := slog.New(slog.DiscardHandler)
	var live *lmtpd.Directory
	if slices.Contains(c.Recipients, "directory") {
		live = lmtpd.OpenDirectory(people, silent)
		defer live.Close()
	}
	s, err := c.Settings(store, live, nil, silent, lmtpd.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return badConfig("%w", err)
	}
	if s.Smarthost == nil && f.dsn != "" {
		s.Smarthost = &lmtpd.Smarthost{} // whether there is one, we were not told
	}
	r, reply, why := s.Ask(ctx, v.Asked)
	v.Store = &storeView{Reply: replyText(reply)}
	switch {
	case reply == nil && v.FoundBy == "": // the store's own tables have it
		v.Wrong = nil
	case reply == nil:
	case reply.Code >= 500 || errors.Is(why, dbmail.ErrPairing):
		v.Store.Why = why.Error()
		v.wrong("lmtpd answers %s", v.Store.Reply)
	default:
		v.Store.Why = why.Error()
		v.CannotTell = append(v.CannotTell, fmt.Sprintf("lmtpd answers %s", v.Store.Reply))
	}
	return storeFailure(f.users(cmd, store, v, r))
}

func replyText(r *smtp.SMTPError) string {
	if r == nil {
		return "250"
	}
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.EnhancedCode[0], r.EnhancedCode[1], r.EnhancedCode[2], r.Message)
}

// users shows who gets copies.
func (f *directoryStore) users(cmd *cobra.Command, store *dbmail.Store, v *directoryView, r recipient.Recipient) error {
	if r.List != nil && len(r.List.Doubts) > 0 {
		v.wrong("of %s of the list lmtpd cannot tell; the first, %s: %v", pluralOf(len(r.List.Doubts), "member", "members"),
			r.List.Doubts[0].Member, r.List.Doubts[0].Why)
	}
	users, forwards := r.Users[:min(len(r.Users), maxShownUsers)], r.Forwards[:min(len(r.Forwards), maxShownUsers)]
	v.Store.Forwards, v.Store.More = forwards, len(r.Users)-len(users)+len(r.Forwards)-len(forwards)
	for _, u := range users {
		one := storeUserView{ID: u.ID, Name: u.Name, Quota: u.Quota, Used: u.Used}
		boxes, err := mailboxesOf(cmd, store, u)
		if err != nil {
			return err
		}
		one.There = boxes != nil
		for _, b := range boxes {
			one.Mailboxes = append(one.Mailboxes, storeMailboxView{b.Name, b.Messages, b.Size})
		}
		v.Store.Users = append(v.Store.Users, one)
	}
	return nil
}

// mailboxesOf gives a user's mailboxes; nil if there is no such row, whose name
// need not be that of the directory yet.
func mailboxesOf(cmd *cobra.Command, store *dbmail.Store, u dbmail.User) ([]dbmail.MailboxInfo, error) {
	for _, name := range []string{u.Name, strconv.FormatUint(u.ID, 10)} {
		row, err := store.User(cmd.Context(), name)
		switch {
		case errors.Is(err, dbmail.ErrNotFound) || err == nil && row.ID != u.ID:
			continue
		case err != nil:
			return nil, err
		}
		return store.Mailboxes(cmd.Context(), row.Name)
	}
	return nil, nil
}
