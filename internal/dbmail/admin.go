package dbmail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Alias is a row of dbmail_aliases.
type Alias struct {
	ID        uint64 `json:"alias_idnr"`
	Alias     string `json:"alias"`
	DeliverTo string `json:"deliver_to"` // a user_idnr, another alias or an address elsewhere
}

// User finds a user by name or, if it is all digits, by id.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	u, err := s.userByName(ctx, name)
	if err != nil {
		return User{}, err
	}
	if u != nil {
		return *u, nil
	}
	if id, err := strconv.ParseUint(name, 10, 64); err == nil {
		found, err := s.usersByID(ctx, []uint64{id})
		if err != nil {
			return User{}, err
		}
		if len(found) == 1 && !isInternal(found[0].Name) {
			return found[0], nil
		}
	}
	return User{}, fmt.Errorf("user %q: %w", name, ErrNotFound)
}

// Users lists all users but DBMail's own.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var out []User
	rows, err := s.db.QueryContext(ctx, "SELECT "+userColumns+" FROM "+s.t.users+" ORDER BY userid")
	err = collect(rows, err, func(r *sql.Rows) error {
		u, err := scanUser(r)
		if !isInternal(u.Name) {
			out = append(out, u)
		}
		return err
	})
	return out, err
}

// AddUser makes a user of the store's own, without a password (so nobody can log in until one is
// set) and its aliases, in one transaction. The numbers of directory users are
// the directory's: a new user does not get the one after the highest of them,
// which the directory gives to somebody else next.
func (s *Store) AddUser(ctx context.Context, name string, quota int64, aliases []string) (User, error) {
	if err := validName("user name", name); err != nil {
		return User{}, err
	}
	if isInternal(name) {
		return User{}, fmt.Errorf("user name %q belongs to DBMail itself", name)
	}
	if existing, err := s.userByName(ctx, name); err != nil {
		return User{}, err
	} else if existing != nil {
		return User{}, fmt.Errorf("user %q is there already", existing.Name)
	}
	u := User{Name: name, Active: true, Quota: quota}
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		next, err := s.nextNumber(ctx, tx)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "INSERT INTO "+s.t.users+
			" (user_idnr, userid, passwd, client_idnr, maxmail_size, encryption_type) VALUES (?, ?, '', 0, ?, 'md5')", next, name, quota)
		if err != nil {
			return err
		}
		id, given := next.(int64)
		if !given {
			if id, err = res.LastInsertId(); err != nil {
				return err
			}
		}
		u.ID = uint64(id)
		if s.limits.OwnUsers { // of a user who is gone
			if err := s.forget(ctx, tx, u.ID); err != nil {
				return err
			}
		}
		for _, a := range aliases {
			if err := s.addAlias(ctx, tx, a, strconv.FormatUint(u.ID, 10)); err != nil {
				return err
			}
		}
		return nil
	})
	return u, err
}

// nextNumber is the number of the next user of the store's own: nil leaves it
// to the server, as long as there are no others.
func (s *Store) nextNumber(ctx context.Context, tx *sql.Tx) (any, error) {
	var shadows int64
	var last sql.NullInt64
	err := tx.QueryRowContext(ctx, "SELECT COALESCE(sum("+isShadow+"), 0), max(CASE WHEN "+isShadow+" THEN 0 ELSE user_idnr END) FROM "+s.t.users).
		Scan(&shadows, &last)
	if err != nil || shadows == 0 {
		return nil, err
	}
	for next := last.Int64 + 1; ; next++ {
		// A user who is gone may have left an alias, which must not lead to
		// the new one.
		var taken int
		err := tx.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM "+s.t.users+" WHERE user_idnr = ?) + (SELECT count(*) FROM "+s.t.aliases+
			" WHERE deliver_to = ?)", next, strconv.FormatInt(next, 10)).Scan(&taken)
		if err != nil || taken == 0 {
			return next, err
		}
	}
}

// UserChange says what to change; nil fields stay.
type UserChange struct {
	Quota  *int64
	Active *bool
}

// SetUser changes a user.
func (s *Store) SetUser(ctx context.Context, name string, c UserChange) (User, error) {
	u, err := s.User(ctx, name)
	if err != nil {
		return u, err
	}
	if c.Quota != nil && u.Shadow {
		return u, fmt.Errorf("user %q is one of the directory's, which sets the quota", u.Name)
	}
	if c.Quota != nil {
		u.Quota = *c.Quota
	}
	if c.Active != nil {
		u.Active = *c.Active
	}
	active := 0
	if u.Active {
		active = 1
	}
	_, err = s.write.ExecContext(ctx, "UPDATE "+s.t.users+" SET maxmail_size = ?, active = ? WHERE user_idnr = ?", u.Quota, active, u.ID)
	return u, err
}

// AddAlias makes an alias that leads to a user (by name), to another alias or
// to an address elsewhere.
func (s *Store) AddAlias(ctx context.Context, alias, target string) (Alias, error) {
	deliverTo := target
	switch u, err := s.User(ctx, target); {
	case err == nil:
		deliverTo = strconv.FormatUint(u.ID, 10)
	case !errors.Is(err, ErrNotFound):
		return Alias{}, err
	case !strings.Contains(target, "@"):
		return Alias{}, fmt.Errorf("%q is neither a user nor an address", target)
	}
	a := Alias{Alias: alias, DeliverTo: deliverTo}
	err := s.inTx(ctx, func(tx *sql.Tx) error { return s.addAlias(ctx, tx, alias, deliverTo) })
	return a, err
}

func (s *Store) addAlias(ctx context.Context, tx *sql.Tx, alias, deliverTo string) error {
	if err := validName("alias", alias); err != nil {
		return err
	}
	if err := validName("target", deliverTo); err != nil {
		return err
	}
	if !strings.Contains(alias, "@") {
		return fmt.Errorf("alias %q: no \"@\"; want user@domain, @domain or user@", alias)
	}
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+s.t.aliases+" WHERE "+s.d.sameText("alias")+" AND "+s.d.sameText("deliver_to"),
		alias, deliverTo).Scan(&n)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("alias %s to %s is there already", alias, deliverTo)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO "+s.t.aliases+" (alias, deliver_to, client_idnr) VALUES (?, ?, 0)", alias, deliverTo)
	return err
}

// Aliases lists aliases: all, or those that lead to a user.
func (s *Store) Aliases(ctx context.Context, user string) ([]Alias, error) {
	query, args := "SELECT alias_idnr, alias, deliver_to FROM "+s.t.aliases, []any(nil)
	if user != "" {
		u, err := s.User(ctx, user)
		if err != nil {
			return nil, err
		}
		query += " WHERE deliver_to = ?"
		args = append(args, strconv.FormatUint(u.ID, 10))
	}
	out := []Alias{}
	rows, err := s.db.QueryContext(ctx, query+" ORDER BY alias, alias_idnr", args...)
	err = collect(rows, err, func(r *sql.Rows) error {
		var a Alias
		err := r.Scan(&a.ID, &a.Alias, &a.DeliverTo)
		out = append(out, a)
		return err
	})
	return out, err
}

// MailboxInfo is a mailbox as the operator sees it.
type MailboxInfo struct {
	ID       uint64 `json:"mailbox_idnr"`
	Name     string `json:"name"`
	Messages int64  `json:"messages"`
	Size     int64  `json:"size"`
}

// Mailboxes lists a user's mailboxes.
func (s *Store) Mailboxes(ctx context.Context, user string) ([]MailboxInfo, error) {
	u, err := s.User(ctx, user)
	if err != nil {
		return nil, err
	}
	out := []MailboxInfo{}
	rows, err := s.db.QueryContext(ctx, "SELECT b.mailbox_idnr, b.name, count(p.id), COALESCE(sum(p.messagesize), 0) FROM "+s.t.mailboxes+
		" b LEFT JOIN "+s.t.messages+" m ON m.mailbox_idnr = b.mailbox_idnr AND m.status < 2 LEFT JOIN "+s.t.physmessage+
		" p ON p.id = m.physmessage_id WHERE b.owner_idnr = ? GROUP BY b.mailbox_idnr, b.name ORDER BY b.name", u.ID)
	err = collect(rows, err, func(r *sql.Rows) error {
		var m MailboxInfo
		err := r.Scan(&m.ID, &m.Name, &m.Messages, &m.Size)
		m.Name = decodeMailboxName(m.Name)
		out = append(out, m)
		return err
	})
	return out, err
}

// inTx runs f in a transaction of the operator's commands.
func (s *Store) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func validName(what, name string) error {
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return fmt.Errorf("%s %q: empty, or blanks at its ends", what, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s %q: no UTF-8", what, name)
	case len(name) > 255:
		return fmt.Errorf("%s %q: longer than 255 octets", what, name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return fmt.Errorf("%s %q: control characters", what, name)
	}
	return nil
}
