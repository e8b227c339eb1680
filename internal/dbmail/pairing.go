package dbmail

import (
	"fmt"
	"strings"
)

// note is a row of gatepost_users: the entry that a user was seen to be.
type note struct {
	uuid  string
	login string // the userid at that moment
}

// roll is what the store holds about some identities: enough of it to say
// whether number, login and entry of each belong together.
type roll struct {
	own     bool              // gatepost_users is there
	utf8mb3 bool              // logins of the store have no 4-byte characters
	names   map[uint64]string // userid of the rows that were read
	notes   map[uint64]note

	// wide says that rows were also looked for by login and by UUID; before
	// that, only the rows of the identities' numbers are known.
	wide    bool
	holders map[string][]uint64 // by login, folded: the rows that have it, to the store's collation
	noted   map[string]uint64   // by UUID
}

// change is what a delivery to a user has to write first; zero for nothing.
type change struct {
	make   bool // the row
	rename bool // userid becomes the login
	note   bool // the UUID
}

// judge says what is to be done about an identity, or why nothing can be done
// (mostly ErrPairing). more says that it takes a wide roll to tell.
func (r *roll) judge(i *Identity) (c change, more bool, err error) {
	if err := i.check(); err != nil {
		return c, false, err
	}
	if r.utf8mb3 && strings.ContainsFunc(i.Login, func(c rune) bool { return c > 0xFFFF }) {
		return c, false, fmt.Errorf("login %q: the store's columns are utf8mb3 and cannot hold it", i.Login)
	}
	uuid := i.uuid()
	name, there := r.names[i.ID]
	if there && isInternal(name) {
		return c, false, pairing("uidNumber %d belongs to DBMail's own user %q in the store, the directory says %q; the entry needs another number",
			i.ID, name, i.Login)
	}
	if there && !r.own {
		if !sameLogin(name, i.Login) {
			return c, false, r.otherLogin(i, name)
		}
		return c, false, nil
	}
	if there {
		n := r.notes[i.ID]
		switch {
		case n.uuid == "" && !sameLogin(name, i.Login):
			return c, false, r.otherLogin(i, name)
		case n.uuid == "" && uuid == "":
			return c, false, nil
		case n.uuid == "":
			c.note = true
		case uuid == "":
			return c, false, pairing("user %q (%d) is noted for entry %s, but the directory shows no entryUUID now; let it be read, or settle it with: "+
				"gatepost store user adopt %s", name, i.ID, n.uuid, word(name))
		case n.uuid != uuid:
			return c, false, r.otherEntry(i, name, n)
		case sameLogin(name, i.Login):
			return c, false, nil // the warm path: one UUID is noted once
		case !sameLogin(n.login, name):
			return c, false, pairing("uidNumber %d belongs to user %q in the store, who was %q when entry %s was noted; the directory says %q; settle it with: "+
				"gatepost store user rename %s %s", i.ID, name, n.login, n.uuid, i.Login, word(name), word(i.Login))
		default:
			c.rename = true
		}
	} else {
		c.make, c.note = true, r.own && uuid != ""
	}
	if !r.wide {
		return change{}, true, nil
	}
	return c, false, r.claimed(i, uuid, c)
}

// claimed looks for somebody else who has the login or the UUID.
func (r *roll) claimed(i *Identity, uuid string, c change) error {
	if m, ok := r.noted[uuid]; ok && uuid != "" && m != i.ID && r.names[m] != "" {
		name := r.names[m]
		if c.make {
			return pairing("entry %s is noted for user %q (%d) in the store, the directory says %q, uidNumber %d; settle it with: "+
				"gatepost store user rename %s %s --id %d (the mailbox gets the new number)", uuid, name, m, i.Login, i.ID, word(name), word(i.Login), i.ID)
		}
		return pairing("entry %s is noted for user %q (%d) in the store, the directory says %q, uidNumber %d, where there is another mailbox; settle it with: "+
			"gatepost store user adopt %s (what is noted there is forgotten)", uuid, name, m, i.Login, i.ID, word(name))
	}
	if !c.make && !c.rename {
		return nil
	}
	for _, m := range r.holders[foldKey(i.Login)] {
		if m == i.ID {
			continue
		}
		name := r.names[m]
		if c.rename {
			return pairing("entry %s was renamed from %q to %q (uidNumber %d), but user %q (%d) has that login in the store; settle it with: "+
				"gatepost store user rename %s OTHERNAME", uuid, r.names[i.ID], i.Login, i.ID, name, m, word(name))
		}
		same := fmt.Sprintf("rename %s %s --id %d", word(name), word(i.Login), i.ID)
		if r.own {
			same = fmt.Sprintf("adopt %s --id %d", word(name), i.ID)
			if uuid != "" {
				same += " --uuid " + word(uuid)
			}
		}
		return pairing("login %q belongs to user %d in the store, the directory says uidNumber %d; settle it with: "+
			"gatepost store user %s (the same person), or rename %s OTHERNAME (somebody else)", i.Login, m, i.ID, same, word(name))
	}
	return nil
}

// otherLogin is the row of this number under another login, with nothing to
// show that it is the same entry.
func (r *roll) otherLogin(i *Identity, name string) error {
	return pairing("uidNumber %d belongs to user %q in the store, the directory says %q; settle it with: "+
		"gatepost store user rename %s %s (the same person), or rename %s %s --id NUMBER (somebody else)",
		i.ID, name, i.Login, word(name), word(i.Login), word(name), word(name))
}

// otherEntry is the row of this number noted for another entry.
func (r *roll) otherEntry(i *Identity, name string, n note) error {
	uuid := i.uuid()
	return pairing("uidNumber %d belongs to user %q, entry %s, in the store, the directory says %q, entry %s; settle it with: "+
		"gatepost store user adopt %s --uuid %s (the same person), or rename %s OTHERNAME --id NUMBER (somebody else)",
		i.ID, name, n.uuid, i.Login, uuid, word(name), word(uuid), word(name))
}

func pairing(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPairing}, args...)...)
}

// add makes the roll what it will be after a change.
func (r *roll) add(i *Identity, c change) {
	if c.make || c.rename {
		r.names[i.ID] = i.Login
		r.holders[foldKey(i.Login)] = append(r.holders[foldKey(i.Login)], i.ID)
	}
	if c.make {
		delete(r.notes, i.ID) // of a user who is gone
	}
	if c.note || c.rename {
		r.notes[i.ID] = note{i.uuid(), i.Login}
		r.noted[i.uuid()] = i.ID
	}
}

const (
	// maxUserID keeps dbmail_users' AUTO_INCREMENT, which follows the highest
	// number, away from its end (2^63 on SQLite). uidNumbers have 32 bits.
	maxUserID = 1 << 48
	maxUUID   = 64 // octets of gatepost_users.entry_uuid
)

// check refuses what cannot be a row.
func (i *Identity) check() error {
	switch {
	case i.ID == 0 || i.ID > maxUserID:
		return fmt.Errorf("uidNumber %d of %q: want 1 to %d", i.ID, i.Login, uint64(maxUserID))
	case isInternal(i.Login):
		return pairing("login %q belongs to DBMail itself; the entry (uidNumber %d) needs another", i.Login, i.ID)
	}
	if err := checkUUID(i.UUID); err != nil {
		return fmt.Errorf("entry of %q: %w", i.Login, err)
	}
	return validName("login", i.Login)
}

// checkUUID refuses what gatepost_users cannot hold; "" is none.
func checkUUID(uuid string) error {
	printable := !strings.ContainsFunc(uuid, func(r rune) bool { return r <= 0x20 || r > 0x7e })
	if len(uuid) > maxUUID || !printable {
		return fmt.Errorf("entryUUID %q: longer than %d octets, or not of printable ASCII", uuid, maxUUID)
	}
	return nil
}

// uuid is the UUID as it is noted: letters have no case in it (RFC 4530 2.2).
func (i *Identity) uuid() string { return strings.ToLower(i.UUID) }

// sameLogin compares logins as DBMail does, without case; uid has none in the
// directory either.
func sameLogin(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
}

// word quotes a name for a shell, if it needs that: the operator may copy the
// command from the log, and the name comes from the directory.
func word(name string) string {
	plain := !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._@+-", r))
	})
	if plain && name != "" && name[0] != '-' {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
