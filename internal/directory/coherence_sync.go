package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// maxRefresh bounds what comes before the changes, in messages.
const maxRefresh = 1000

// follow hears the changes of one server until the connection ends or another
// server gets the searches. It returns errNotFollowed where that is not
// possible.
func (f *follower) follow(ctx context.Context, s *server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	conn, err := f.pool.dial(ctx, s)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // it ends whatever waits
	defer stop()
	cookie, err := syncCookie(conn, f.base)
	if err != nil {
		return err
	}
	r := conn.Syncrepl(ctx, ldap.NewSearchRequest(f.base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		anyEntry, []string{"*", "hasSubordinates"}, nil), maxBatch, ldap.SyncRequestModeRefreshAndPersist, cookie, false)
	go f.check(ctx, conn, s)
	live, before := false, 0
	for r.Next() {
		if !live {
			// The cookie is from a moment ago, so this is next to nothing.
			if before++; before > maxRefresh {
				return fmt.Errorf("%w: it begins with all that it holds", errNotFollowed)
			}
			if live = refreshDone(r.Controls()); live {
				f.cache.expire()
				f.server.Store(&s.at.uri)
				f.tell(slog.LevelInfo, "directory changes are followed", s.at.uri, nil)
			}
			continue
		}
		for _, c := range changes(r.Entry(), r.Controls()) {
			f.note(c)
		}
	}
	err = r.Err()
	switch {
	case !live && err == nil:
		return fmt.Errorf("%w: it takes the search for an ordinary one", errNotFollowed)
	case err == nil:
		return errors.New("the server ended it")
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultUnavailableCriticalExtension, ldap.LDAPResultNoSuchObject,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultUnwillingToPerform):
		return fmt.Errorf("%w: %w", errNotFollowed, err)
	}
	return err
}

// check ends the connection when it is dead, which is not seen while nothing
// changes, and when the searches go elsewhere.
func (f *follower) check(ctx context.Context, conn *ldap.Conn, s *server) {
	tick := time.NewTicker(followCheck)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if now := f.pool.active(); now != nil && now != s {
			conn.Close()
			return
		}
		if n%followProbe != 0 {
			continue
		}
		late := time.AfterFunc(followPatience, func() { conn.Close() })
		_, err := readBase(conn, "", noAttributes)
		if !late.Stop() || ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
			conn.Close()
			return
		}
	}
}

func readBase(conn *ldap.Conn, dn string, attributes ...string) (*ldap.Entry, error) {
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
		anyEntry, attributes, nil))
	if err != nil {
		return nil, err
	}
	if len(res.Entries) == 0 {
		return nil, ldap.NewError(ldap.LDAPResultNoSuchObject, fmt.Errorf("%q shows no entry", dn))
	}
	return res.Entries[0], nil
}

// syncCookie makes the cookie of OpenLDAP's form, "rid=000,csn=CSN;CSN", which
// says that we know everything up to now.
func syncCookie(conn *ldap.Conn, base string) ([]byte, error) {
	root, err := readBase(conn, "", "supportedControl", "namingContexts")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(root.GetEqualFoldAttributeValues("supportedControl"), ldap.ControlTypeSyncRequest) {
		return nil, fmt.Errorf("%w: it has no syncrepl (RFC 4533)", errNotFollowed)
	}
	suffix := ""
	for _, one := range root.GetEqualFoldAttributeValues("namingContexts") {
		if belowDN(foldDN(base), foldDN(one)) && len(one) > len(suffix) {
			suffix = one
		}
	}
	if suffix == "" {
		return nil, fmt.Errorf("%w: %q is not below any of its naming contexts", errNotFollowed, base)
	}
	top, err := readBase(conn, suffix, "contextCSN")
	if err != nil && !ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights) {
		return nil, err
	}
	var csns []string
	if err == nil {
		csns = top.GetEqualFoldAttributeValues("contextCSN")
	}
	if len(csns) == 0 {
		return nil, fmt.Errorf("%w: contextCSN of %s is not to be seen", errNotFollowed, suffix)
	}
	return []byte("rid=000,csn=" + strings.Join(csns, ";")), nil
}

// refreshDone tells whether the server has said all that was before (RFC 4533
// 3.4.1).
func refreshDone(controls []ldap.Control) bool {
	for _, c := range controls {
		if info, ok := c.(*ldap.ControlSyncInfo); ok {
			if info.RefreshDelete != nil && info.RefreshDelete.RefreshDone ||
				info.RefreshPresent != nil && info.RefreshPresent.RefreshDone {
				return true
			}
		}
	}
	return false
}

// changes reads one message of the persist stage. A nil change is one whose
// effect cannot be told.
func changes(e *ldap.Entry, controls []ldap.Control) []*change {
	var list []*change
	for _, c := range controls {
		switch c := c.(type) {
		case *ldap.ControlSyncState:
			if e != nil && c.State != ldap.SyncStatePresent {
				list = append(list, newChange(e, c))
			}
		case *ldap.ControlSyncInfo:
			switch {
			case c.SyncIdSet != nil && c.SyncIdSet.RefreshDeletes:
				for _, id := range c.SyncIdSet.SyncUUIDs {
					list = append(list, &change{uuid: id, deleted: true})
				}
			case c.NewCookie == nil:
				list = append(list, nil)
			}
		}
	}
	if e != nil && len(controls) == 0 {
		list = append(list, nil)
	}
	return list
}
