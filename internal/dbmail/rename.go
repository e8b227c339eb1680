package dbmail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// RenameUser gives a user another login, or another number, or both, when the
// directory has done so; id 0 keeps the number. The mailboxes and all else that
// is the user's stays with it, and so does the entry that was noted. It refuses
// a login or number that another user has: that would be to merge two persons.
//
// Deliveries that come again after a new number are not recognised as repeats,
// since the number is part of their Mark.
func (s *Store) RenameUser(ctx context.Context, old, login string, id uint64) (User, error) {
	u, err := s.User(ctx, old)
	if err != nil {
		return u, err
	}
	if id == 0 {
		id = u.ID
	}
	if u.Name == login && u.ID == id {
		return u, fmt.Errorf("user %q (%d) has that login and number already", u.Name, u.ID)
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockUser(ctx, tx, u); err != nil {
			return err
		}
		if err := s.setLogin(ctx, tx, u, login); err != nil {
			return err
		}
		return s.setNumber(ctx, tx, u, id)
	})
	if err != nil {
		return u, err
	}
	u.ID, u.Name = id, login
	return u, nil
}

// AdoptUser says which entry of the directory a user belongs to from now on;
// what was noted before is forgotten. With "" the next delivery to the user
// notes the entry that it then finds. id gives the user that number as well,
// as in RenameUser; 0 keeps it.
func (s *Store) AdoptUser(ctx context.Context, name, uuid string, id uint64) (User, error) {
	u, err := s.User(ctx, name)
	if err != nil {
		return u, err
	}
	if !s.limits.OwnUsers {
		return u, fmt.Errorf("no table %s, in which entries are noted; add it with: gatepost schema apply --add-own", s.t.ownUsers)
	}
	uuid = strings.ToLower(uuid)
	if err := checkUUID(uuid); err != nil {
		return u, err
	}
	if id == 0 {
		id = u.ID
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		if err := s.lockUser(ctx, tx, u); err != nil {
			return err
		}
		if err := s.setNumber(ctx, tx, u, id); err != nil {
			return err
		}
		if err := s.forget(ctx, tx, id); err != nil || uuid == "" {
			return err
		}
		if err := s.freeUUID(ctx, tx, uuid); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO "+s.t.ownUsers+" (user_idnr, entry_uuid, login, noted) VALUES (?, ?, ?, ?)",
			id, uuid, u.Name, timestamp(time.Now()))
		return err
	})
	if err != nil {
		return u, err
	}
	u.ID = id
	return u, nil
}

// Entries tells the noted UUIDs of some users, or of all.
func (s *Store) Entries(ctx context.Context, ids ...uint64) (map[uint64]string, error) {
	out := map[uint64]string{}
	if !s.limits.OwnUsers {
		return out, nil
	}
	query := "SELECT user_idnr, entry_uuid FROM " + s.t.ownUsers
	if len(ids) > 0 {
		query += " WHERE user_idnr IN (" + placeholders(len(ids)) + ")"
	}
	rows, err := s.db.QueryContext(ctx, query, anySlice(ids)...)
	return out, collect(rows, err, func(r *sql.Rows) error {
		var id uint64
		var uuid string
		err := r.Scan(&id, &uuid)
		out[id] = uuid
		return err
	})
}

// lockUser locks a user's row, which must be what it was.
func (s *Store) lockUser(ctx context.Context, tx *sql.Tx, u User) error {
	var name string
	err := tx.QueryRowContext(ctx, "SELECT userid FROM "+s.t.users+" WHERE user_idnr = ?"+s.d.forUpdate, u.ID).Scan(&name)
	if err == sql.ErrNoRows || err == nil && name != u.Name {
		return fmt.Errorf("user %q was changed at this moment; look and try again", u.Name)
	}
	return err
}

func (s *Store) setLogin(ctx context.Context, tx *sql.Tx, u User, login string) error {
	if login == u.Name {
		return nil
	}
	if err := validName("user name", login); err != nil {
		return err
	}
	if isInternal(login) {
		return fmt.Errorf("user name %q belongs to DBMail itself", login)
	}
	var other User
	err := tx.QueryRowContext(ctx, "SELECT user_idnr, userid FROM "+s.t.users+" WHERE "+s.d.sameText("userid")+" AND user_idnr <> ?", login, u.ID).
		Scan(&other.ID, &other.Name)
	switch {
	case err == nil:
		return fmt.Errorf("user %q (%d) is there already, and two mailboxes are never made one; free the login first with: gatepost store user rename %s OTHERNAME",
			other.Name, other.ID, word(other.Name))
	case err != sql.ErrNoRows:
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE "+s.t.users+" SET userid = ? WHERE user_idnr = ?", login, u.ID); err != nil {
		return err
	}
	if !s.limits.OwnUsers {
		return nil
	}
	_, err = tx.ExecContext(ctx, "UPDATE "+s.t.ownUsers+" SET login = ? WHERE user_idnr = ?", login, u.ID)
	return err
}

// setNumber moves a user and all that refers to it.
func (s *Store) setNumber(ctx context.Context, tx *sql.Tx, u User, id uint64) error {
	if id == u.ID {
		return nil
	}
	if id > maxUserID {
		return fmt.Errorf("user number %d is larger than %d", id, uint64(maxUserID))
	}
	var other string
	err := tx.QueryRowContext(ctx, "SELECT userid FROM "+s.t.users+" WHERE user_idnr = ?", id).Scan(&other)
	switch {
	case err == nil && isInternal(other):
		return fmt.Errorf("number %d belongs to DBMail itself", id)
	case err == nil:
		return fmt.Errorf("number %d belongs to user %q, and two mailboxes are never made one; free it first with: gatepost store user rename %s %s --id NUMBER",
			id, other, word(other), word(other))
	case err != sql.ErrNoRows:
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE "+s.t.users+" SET user_idnr = ? WHERE user_idnr = ?", id, u.ID); err != nil {
		return fmt.Errorf("give user %q the number %d: %w", u.Name, id, err)
	}
	// DBMail's references follow by themselves, where the store has them; an
	// old one may lack some, or a table that nothing used.
	for _, child := range [][2]string{
		{s.t.mailboxes, "owner_idnr"}, {s.t.subscription, "user_id"}, {s.t.acl, "user_id"}, {s.t.filters, "user_id"},
		{s.t.sievescripts, "owner_idnr"}, {s.t.autoReplies, "user_idnr"}, {s.t.autoNotifications, "user_idnr"},
	} {
		if _, err := tx.ExecContext(ctx, "UPDATE "+child[0]+" SET "+child[1]+" = ? WHERE "+child[1]+" = ?", id, u.ID); err != nil && !isNoTable(err) {
			return fmt.Errorf("move what user %q has in %s: %w", u.Name, child[0], err)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE "+s.t.aliases+" SET deliver_to = ? WHERE deliver_to = ?",
		strconv.FormatUint(id, 10), strconv.FormatUint(u.ID, 10)); err != nil {
		return err
	}
	if !s.limits.OwnUsers {
		return nil
	}
	if err := s.forget(ctx, tx, id); err != nil { // of a user who is gone
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE "+s.t.ownUsers+" SET user_idnr = ? WHERE user_idnr = ?", id, u.ID)
	return err
}

// forget takes back what is noted of a user.
func (s *Store) forget(ctx context.Context, tx *sql.Tx, id uint64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM "+s.t.ownUsers+" WHERE user_idnr = ?", id)
	return err
}

// freeUUID refuses an entry that another user is noted for.
func (s *Store) freeUUID(ctx context.Context, tx *sql.Tx, uuid string) error {
	var id uint64
	var name sql.NullString
	err := tx.QueryRowContext(ctx, "SELECT g.user_idnr, u.userid FROM "+s.t.ownUsers+" g LEFT JOIN "+s.t.users+
		" u ON u.user_idnr = g.user_idnr WHERE g.entry_uuid = ?", uuid).Scan(&id, &name)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case name.Valid:
		return fmt.Errorf("entry %s is noted for user %q (%d), and one entry has one mailbox; if it is not theirs: gatepost store user adopt %s",
			uuid, name.String, id, word(name.String))
	}
	return s.forget(ctx, tx, id)
}
