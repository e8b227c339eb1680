package main

import "gatepost/internal/directory"

// directoryView is what the directory makes of an address or login.
type directoryView struct {
	Asked string `json:"asked"`
	// FoundBy is the name that somebody has: the address, the address without
	// its detail, a catch-all, or a login. Empty: nobody has one.
	FoundBy string       `json:"found_by,omitempty"`
	Detail  string       `json:"detail,omitempty"` // the mailbox that the address names
	Account *accountView `json:"account,omitempty"`
	List    *listView    `json:"list,omitempty"`
	// Addresses of the account or list, the primary one first.
	Addresses []addressView `json:"addresses,omitempty"`
	// Lists that it is in.
	Lists []inListView `json:"lists,omitempty"`
	// Store is what lmtpd and the store make of it, if a store was named.
	Store   *storeView   `json:"store,omitempty"`
	Servers []serverView `json:"servers"`
	// Wrong: why mail does not arrive as it should. CannotTell: what the
	// directory or the store could not be asked.
	Wrong      []string `json:"wrong,omitempty"`
	CannotTell []string `json:"cannot_tell,omitempty"`
}

// accountView is an account, or an address that only forwards.
type accountView struct {
	DN        string   `json:"dn"`
	UUID      string   `json:"entry_uuid,omitempty"`
	Login     string   `json:"login,omitempty"`
	UIDNumber int64    `json:"uid_number,omitempty"`
	Status    string   `json:"status"`
	Delivery  string   `json:"delivery"`
	Forward   []string `json:"forward,omitempty"`
	Quota     int64    `json:"quota"` // bytes; 0 is without limit
	Services  []string `json:"services,omitempty"`
	Delegates []string `json:"delegates,omitempty"` // may send as it
	Limits    []string `json:"limits,omitempty"`
}

// addressView is one of the addresses.
type addressView struct {
	Address string `json:"address"`
	// Hosted says whether the directory has the domain; nil: it has no
	// domains at all, or it cannot tell.
	Hosted *bool `json:"domain_hosted,omitempty"`
}

// inListView is a list that something is in.
type inListView struct {
	DN      string   `json:"dn"`
	Address string   `json:"address,omitempty"`
	Through []string `json:"through,omitempty"` // DNs of the lists between, the nearest first
}

// listView is a list.
type listView struct {
	DN         string        `json:"dn"`
	UUID       string        `json:"entry_uuid,omitempty"`
	Senders    string        `json:"senders"`          // "everyone" also where we may not read the rule
	Owners     []string      `json:"owners,omitempty"` // addresses; the DN of one without
	Moderators []string      `json:"moderators,omitempty"`
	Delegates  []string      `json:"delegates,omitempty"`
	Count      int           `json:"count"` // of members, each once
	Members    []memberView  `json:"members"`
	Nested     []string      `json:"nested,omitempty"` // DNs of lists within
	Failures   []failureView `json:"failures,omitempty"`
}

// memberView is one of the first members.
type memberView struct {
	DN      string `json:"dn,omitempty"` // none: an address elsewhere
	Login   string `json:"login,omitempty"`
	Address string `json:"address,omitempty"`
}

// failureView is a member that cannot receive.
type failureView struct {
	Member string `json:"member"`
	Why    string `json:"why"`
}

// storeView is what lmtpd answers, and what is in the store.
type storeView struct {
	// Reply to RCPT TO of the address, and why it is not 250.
	Reply    string          `json:"reply"`
	Why      string          `json:"why,omitempty"`
	Users    []storeUserView `json:"users,omitempty"`
	Forwards []string        `json:"forwards,omitempty"`
	More     int             `json:"more,omitempty"` // users and forwards beyond those
}

// storeUserView is a user who gets a copy.
type storeUserView struct {
	ID    uint64 `json:"user_idnr"`
	Name  string `json:"name"`
	There bool   `json:"there"` // false: the first delivery makes it
	Quota int64  `json:"quota"` // bytes; 0 is without limit
	Used  int64  `json:"used"`  // bytes
	// Mailboxes with their number of messages.
	Mailboxes []storeMailboxView `json:"mailboxes,omitempty"`
}

type storeMailboxView struct {
	Name     string `json:"mailbox"`
	Messages int64  `json:"messages"`
	Size     int64  `json:"size"` // bytes
}

func viewAccount(a *directory.Account) *accountView {
	v := &accountView{DN: a.DN, UUID: a.UUID, Login: a.Login, UIDNumber: a.UIDNumber, Status: a.Status.String(), Forward: a.Forward,
		Quota: a.Quota, Services: a.Services, Delegates: a.Delegates}
	for _, l := range a.Limits {
		v.Limits = append(v.Limits, limitText(l))
	}
	switch {
	case !a.Status.TakesMail():
		v.Delivery = "refused"
	case a.Keep && len(a.Forward) > 0:
		v.Delivery = "mailbox, and forwarded"
	case a.Keep:
		v.Delivery = "mailbox"
	case len(a.Forward) > 0:
		v.Delivery = "forwarded only"
	default:
		v.Delivery = "nowhere"
	}
	return v
}
