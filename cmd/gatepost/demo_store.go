//go:build !dmz

package main

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"strings"

	"gatepost/cmd/gatepost/samples"
	"gatepost/internal/dbmail"
	"gatepost/internal/message"
	"gatepost/lmtpd"
	"gatepost/schema"
)

func (d *demo) configFile() string { return filepath.Join(d.dir, "lmtpd.toml") }

// makeStore makes the store, with the users that are not in the directory, and
// lmtpd's configuration.
func (d *demo) makeStore(ctx context.Context) error {
	path := filepath.Join(d.dir, "store.db")
	dsn, err := dbmail.ParseDSN("sqlite:" + path)
	if err != nil {
		return err
	}
	if _, _, err := applySchema(ctx, dsn, schema.SQLite, schema.Options{Own: true}); err != nil {
		return err
	}
	toml := fmt.Sprintf("uris = [%q]\nbase = \"dc=example,dc=com\"\nsentinel = \"uid=alice,dc=example,dc=com\"\n", d.directory.uri)
	if err := os.WriteFile(filepath.Join(d.dir, "directory.toml"), []byte(toml), 0o600); err != nil {
		return err
	}
	toml = fmt.Sprintf("hostname = \"demo.example.com\"\nrecipients = [\"directory\", \"sql\"]\nlisten = [\"inet:127.0.0.1:0\"]\n\n[store]\ndsn = %q\n", "sqlite:"+path)
	if err := os.WriteFile(d.configFile(), []byte(toml), 0o600); err != nil {
		return err
	}
	config, problems := lmtpd.LoadConfig(d.configFile())
	if err := problems.Err(); err != nil {
		return err
	}
	d.config = config
	store, err := openStore(ctx, &d.config)
	if err != nil {
		return err
	}
	defer store.Close()
	return addSampleUsers(ctx, store)
}

func addSampleUsers(ctx context.Context, store *dbmail.Store) error {
	for _, u := range samples.Users() {
		if _, err := store.AddUser(ctx, u.Name, u.Quota, u.Aliases); err != nil {
			return err
		}
	}
	return nil
}

// showStore shows what stands in the store: users, mailboxes, messages, parts.
func (d *demo) showStore(ctx context.Context) error {
	store, err := openStore(ctx, &d.config)
	if err != nil {
		return err
	}
	defer store.Close()
	users, err := store.Users(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nIn the store, sizes in octets:")
	for _, u := range users {
		from := "DBMail's own"
		if u.Shadow {
			from = "row made by the first delivery, quota in the directory"
		}
		fmt.Fprintf(d.out, "  %s, number %d, %s: %d used\n", u.Name, u.ID, from, u.Used)
		if err := d.showUser(ctx, store, u.Name); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) showUser(ctx context.Context, store *dbmail.Store, user string) error {
	boxes, err := store.Mailboxes(ctx, user)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		fmt.Fprintf(d.out, "    %s: %s, %d\n", clean(b.Name), plural(int(b.Messages), "message"), b.Size)
		list, err := store.List(ctx, user, b.Name)
		if err != nil {
			return err
		}
		for _, m := range list {
			fmt.Fprintf(d.out, "      message %d: %d, %q\n", m.MessageIDnr, m.Size, clean(m.Subject))
			stored, err := store.Structure(ctx, m.MessageIDnr)
			if err != nil {
				return err
			}
			if err := printTable(d.out, partRows(stored, "        ")...); err != nil {
				return err
			}
		}
	}
	return nil
}

// partRows shows the rows of dbmail_partlists, indented by their depth.
func partRows(s message.Stored, indent string) [][]string {
	var rows [][]string
	for _, p := range s.Parts {
		kind, what := "body", ""
		if p.Header {
			kind, what = "header", contentType(p.Data)
		}
		rows = append(rows, []string{
			fmt.Sprintf("%s%spart %d.%d", indent, strings.Repeat("  ", p.Depth), p.Key, p.Order), kind, fmt.Sprint(len(p.Data)), what,
		})
	}
	return rows
}

// contentType is the media type that a header declares (RFC 2045 section 5.2
// for one that declares none).
func contentType(header []byte) string {
	m, err := mail.ReadMessage(bytes.NewReader(append(bytes.TrimRight(header, "\n"), "\n\n"...)))
	if err == nil {
		if t, _, err := mime.ParseMediaType(m.Header.Get("Content-Type")); err == nil {
			return t
		}
	}
	return "text/plain"
}
