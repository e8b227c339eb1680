package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gatepost/internal/directory"
)

// maxShownFailures bounds those of a list on a terminal; JSON has all.
const maxShownFailures = 20

// print shows a view to people.
func (v *directoryView) print(w io.Writer) error {
	rows := rows{{"asked", v.Asked}}
	found := "nothing"
	switch {
	case v.Account != nil:
		found = "account " + v.Account.DN
	case v.List != nil:
		found = "list " + v.List.DN
	case len(v.CannotTell) > 0:
		found = "cannot tell"
	case v.FoundBy != "":
		found = "no single entry"
	}
	if v.FoundBy != "" && v.FoundBy != v.Asked {
		found += ", by " + v.FoundBy
	}
	if v.Detail != "" {
		found += fmt.Sprintf(", for the mailbox %q", v.Detail)
	}
	rows.add("found", found)
	if v.Account != nil {
		rows.account(v.Account)
	}
	if v.List != nil {
		rows.list(v.List)
	}
	for _, a := range v.Addresses {
		text := a.Address
		switch {
		case a.Hosted == nil:
		case *a.Hosted:
			text += " (domain hosted)"
		default:
			text += " (domain not hosted)"
		}
		rows.add("address", text)
	}
	for _, l := range v.Lists {
		text := l.DN
		if l.Address != "" {
			text = l.Address + ", " + l.DN
		}
		if len(l.Through) > 0 {
			text += ", through " + strings.Join(l.Through, " and ")
		}
		rows.add("in list", text)
	}
	if v.Store != nil {
		rows.store(v.Store)
	}
	for _, s := range v.Servers {
		rows.add("server", s.String())
	}
	rows.add("wrong", v.Wrong...)
	rows.add("cannot tell", v.CannotTell...)
	return printTable(w, rows...)
}

// rows of two cells, a name and a value.
type rows [][]string

func (r *rows) add(name string, values ...string) {
	for _, value := range values {
		*r = append(*r, []string{name, value})
	}
}

func (r *rows) account(a *accountView) {
	if a.Login != "" {
		r.add("login", a.Login)
	}
	if a.UIDNumber != 0 {
		r.add("user number", fmt.Sprint(a.UIDNumber))
	}
	if a.UUID != "" {
		r.add("entry", a.UUID)
	}
	r.add("status", a.Status)
	r.add("mail goes to", a.Delivery)
	r.add("forward", a.Forward...)
	if a.Login != "" {
		r.add("quota", quotaText(a.Quota))
	}
	if len(a.Services) > 0 {
		r.add("services", strings.Join(a.Services, ", "))
	}
	r.add("may send as it", a.Delegates...)
	r.add("limit", a.Limits...)
}

func (r *rows) list(l *listView) {
	if l.UUID != "" {
		r.add("entry", l.UUID)
	}
	r.add("owner", l.Owners...)
	senders := l.Senders
	if senders == directory.SendersEveryone.String() {
		senders += ", unless the entry has a rule that may not be read here"
	}
	r.add("who may send", senders)
	r.add("moderator", l.Moderators...)
	r.add("may send as it", l.Delegates...)
	r.add("members", fmt.Sprint(l.Count))
	for _, m := range l.Members {
		text := m.Address
		switch {
		case m.Address == "":
			text = m.DN
		case m.Login != "":
			text += ", login " + m.Login
		case m.DN == "":
			text += ", elsewhere"
		}
		r.add("member", text)
	}
	if left := l.Count - len(l.Members); left > 0 && len(l.Members) > 0 {
		r.add("member", fmt.Sprintf("and %d more", left))
	}
	r.add("list within", l.Nested...)
	for i, f := range l.Failures {
		if i == maxShownFailures {
			r.add("cannot receive", fmt.Sprintf("and %d more", len(l.Failures)-i))
			break
		}
		r.add("cannot receive", f.Member+": "+f.Why)
	}
}

func (r *rows) store(s *storeView) {
	r.add("lmtpd answers", s.Reply)
	if s.Why != "" {
		r.add("because", s.Why)
	}
	for _, u := range s.Users {
		text := fmt.Sprintf("%s, number %d", u.Name, u.ID)
		if u.There {
			text += fmt.Sprintf(": %s used, quota %s", size(u.Used), quotaText(u.Quota))
		} else {
			text += ": the first delivery makes it"
		}
		r.add("in the store", text)
		for _, m := range u.Mailboxes {
			r.add("mailbox", fmt.Sprintf("%s (%s, %s)", m.Name, pluralOf(int(m.Messages), "message", "messages"), size(m.Size)))
		}
	}
	for _, f := range s.Forwards {
		r.add("to the smarthost", f)
	}
	if s.More > 0 {
		r.add("and", fmt.Sprintf("%d more", s.More))
	}
}

func quotaText(bytes int64) string {
	if bytes == 0 {
		return "no limit"
	}
	return size(bytes)
}

// limitText writes a limit as gatepostLimit has it.
func limitText(l directory.Limit) string {
	period := l.Period.String()
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if l.Period >= unit.of && l.Period%unit.of == 0 {
			period = fmt.Sprintf("%d%s", l.Period/unit.of, unit.name)
			break
		}
	}
	count := fmt.Sprint(l.Count)
	if l.What == "bytes" {
		count = size(l.Count)
	}
	return fmt.Sprintf("%s %s/%s", l.What, count, period)
}
