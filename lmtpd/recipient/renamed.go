package recipient

import (
	"context"
	"slices"
	"strings"

	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
)

// renamed makes sure of the logins of users whose rows a delivery would
// rename. What is remembered of an entry may be from before it was renamed,
// and would give the row its old login back; so the directory is asked again.
// While it cannot tell, the row keeps the login that it has: the mailbox is the
// same entry's with either.
func (d *Directory) renamed(ctx context.Context, users []dbmail.User, errs []error) {
	var of []int
	for k, u := range users {
		if errs[k] == nil && u.Renames != "" {
			of = append(of, k)
		}
	}
	for some := range slices.Chunk(of, together) {
		names := make([]directory.Name, len(some))
		for j, k := range some {
			names[j].Number = int64(users[k].ID)
		}
		found, err := d.nouns.FindNow(ctx, names)
		for j, k := range some {
			u, now := &users[k], users[k].Renames
			if err == nil && found[j].Account != nil {
				if a := found[j].Account; a.Login != "" && strings.EqualFold(a.UUID, u.Identity.UUID) {
					now = a.Login
				}
			}
			if now == u.Name {
				continue
			}
			one := *u.Identity
			one.Login, u.Name, u.Identity = now, now, &one
		}
	}
}
