package lmtpd

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
	"gatepost/lmtpd/recipient"
)

// Directory is the open directory.
type Directory struct {
	config directory.Config
	live   *directory.Directory
	nouns  *directory.Nouns
}

// usesDirectory says that recipients are looked for in the directory.
func (c *Config) usesDirectory() bool { return slices.Contains(c.Recipients, "directory") }

// LoadDirectory reads the directory's file, if recipients are looked for
// there, and reports all that is wrong with it.
func (c *Config) LoadDirectory() (*directory.Config, daemon.Problems) {
	if !c.usesDirectory() {
		return nil, nil
	}
	d, problems := directory.LoadConfig(c.Directory)
	return &d, problems
}

// OpenDirectory starts to talk to a directory; it does not wait for its
// servers. Without a configuration there is none.
func OpenDirectory(config *directory.Config, log *slog.Logger) *Directory {
	if config == nil {
		return nil
	}
	d := &Directory{config: *config, live: config.Open(log)}
	d.nouns = directory.NewNouns(d.live, config.Kind(), config.Bases())
	return d
}

// Same says that it was opened with this configuration, so that a reload may
// keep its connections and all it knows.
func (d *Directory) Same(config *directory.Config) bool {
	if d == nil || config == nil {
		return d == nil && config == nil
	}
	return reflect.DeepEqual(d.config, *config)
}

// Stats are its counters; none when there is no directory.
func (d *Directory) Stats() []directory.DirectoryStats {
	if d == nil {
		return nil
	}
	return []directory.DirectoryStats{d.live.Stats()}
}

// Ready waits until a server can be asked, or it is known that none can.
func (d *Directory) Ready(ctx context.Context) error {
	if d == nil {
		return nil
	}
	return d.live.Ready(ctx)
}

// nobody is a name that nobody has (RFC 6761 6.4).
const nobody = "nobody@check.invalid"

// Check asks the directory for what every look-up needs: the bases, and the
// proof that somebody is not there, which takes the sentinel and the right to
// search by every attribute that has addresses.
func (d *Directory) Check(ctx context.Context) error {
	if err := d.Ready(ctx); err != nil {
		return err
	}
	for _, base := range []string{d.config.Bases().Accounts, d.config.Bases().Groups} {
		a, err := d.live.Search(ctx, &directory.Request{Base: base, Scope: directory.ScopeBase, Filter: "(objectClass=*)",
			Attributes: []string{"objectClass"}, Table: "check", NoCache: true})
		if err != nil {
			return err
		}
		if len(a.Entries) == 0 {
			return fmt.Errorf("%q may not be read by who we are there; see access in slapd.access(5)", base)
		}
	}
	if _, err := d.nouns.Find(ctx, []directory.Name{{Address: nobody, Login: nobody}}); err != nil {
		return fmt.Errorf("it would never be believed that an address does not exist: %w", err)
	}
	return nil
}

// Close ends the connections.
func (d *Directory) Close() {
	if d != nil {
		d.live.Close()
	}
}

// sources are who says what an address stands for, in the order of the
// configuration.
func (c *Config) sources(store *dbmail.Store, d *Directory, log *slog.Logger) Recipients {
	if d == nil {
		return recipient.SQL{Store: store}
	}
	people := recipient.NewDirectory(d.nouns, store, recipient.Options{Service: c.Service, Log: log})
	var all []recipient.Source
	for _, name := range c.Recipients {
		if name == "directory" {
			all = append(all, people)
		} else {
			all = append(all, recipient.SQL{Store: store})
		}
	}
	return recipient.InOrder(all...)
}
