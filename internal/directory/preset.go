package directory

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatepost/internal/daemon"
)

// Attributes says under which names a directory keeps what mail needs. Several
// names are alternatives: values of all of them count, in this order. No name
// means that the directory does not have it.
//
// Some names also say how values are written: proxyAddresses and
// targetAddress ("SMTP:"), userAccountControl (a number of flags), objectGUID
// (binary).
type Attributes struct {
	// UUID is what stays when an entry is renamed.
	UUID daemon.Strings `toml:"uuid"`
	// EntryDN has an entry's own DN and can be searched by, so that members
	// are read many at a time. Without it each is read by itself.
	EntryDN daemon.Strings `toml:"entry_dn"`

	// AccountClass: object classes of accounts.
	AccountClass daemon.Strings `toml:"account_class"`
	Login        daemon.Strings `toml:"login"`
	UIDNumber    daemon.Strings `toml:"uid_number"`
	// Mail has the primary address, and any further values are alternates.
	Mail daemon.Strings `toml:"mail"`
	// Alternate addresses. Both are those of groups, too.
	Alternate daemon.Strings `toml:"alternate"`
	Status    daemon.Strings `toml:"status"`
	Quota     daemon.Strings `toml:"quota"`
	Forward   daemon.Strings `toml:"forward"`
	Delivery  daemon.Strings `toml:"delivery"`
	Service   daemon.Strings `toml:"service"`
	// MemberOf holds the DNs of the groups that an account is in, kept by the server.
	MemberOf daemon.Strings `toml:"member_of"`
	// Delegate holds DNs of who may send as the account or group.
	Delegate daemon.Strings `toml:"delegate"`
	Limit    daemon.Strings `toml:"limit"`

	// GroupClass: object classes of groups.
	GroupClass daemon.Strings `toml:"group_class"`
	// Members by DN, login, address, LDAP URL (RFC 4516) and search filter.
	Member        daemon.Strings `toml:"member"`
	MemberLogin   daemon.Strings `toml:"member_login"`
	MemberAddress daemon.Strings `toml:"member_address"`
	MemberURL     daemon.Strings `toml:"member_url"`
	MemberFilter  daemon.Strings `toml:"member_filter"`
	// Senders has the rule who may send to the group: a word of SenderRule,
	// or TRUE for MembersOnly and OrganisationOnly.
	Senders          daemon.Strings `toml:"senders"`
	MembersOnly      daemon.Strings `toml:"members_only"`
	OrganisationOnly daemon.Strings `toml:"organisation_only"`
	// Who may send to the group besides, by DN (of an account, or of a group
	// whose members may), address and search filter.
	Sender        daemon.Strings `toml:"sender"`
	SenderAddress daemon.Strings `toml:"sender_address"`
	SenderFilter  daemon.Strings `toml:"sender_filter"`
	// Moderators by DN and address.
	Moderator        daemon.Strings `toml:"moderator"`
	ModeratorAddress daemon.Strings `toml:"moderator_address"`
	// Owner holds DNs of who answers for the group.
	Owner daemon.Strings `toml:"owner"`

	// DomainClass: object classes of mail domains.
	DomainClass daemon.Strings `toml:"domain_class"`
	Domain      daemon.Strings `toml:"domain"`
}

// fields lists all of Attributes by key of the configuration.
func (a *Attributes) fields() map[string]*daemon.Strings {
	return map[string]*daemon.Strings{
		"uuid": &a.UUID, "entry_dn": &a.EntryDN, "account_class": &a.AccountClass, "login": &a.Login, "uid_number": &a.UIDNumber,
		"mail": &a.Mail, "alternate": &a.Alternate, "status": &a.Status, "quota": &a.Quota, "forward": &a.Forward,
		"delivery": &a.Delivery, "service": &a.Service, "member_of": &a.MemberOf, "delegate": &a.Delegate,
		"limit": &a.Limit, "group_class": &a.GroupClass, "member": &a.Member, "member_login": &a.MemberLogin,
		"member_address": &a.MemberAddress, "member_url": &a.MemberURL, "member_filter": &a.MemberFilter,
		"senders": &a.Senders, "members_only": &a.MembersOnly, "organisation_only": &a.OrganisationOnly,
		"sender": &a.Sender, "sender_address": &a.SenderAddress, "sender_filter": &a.SenderFilter,
		"moderator": &a.Moderator, "moderator_address": &a.ModeratorAddress, "owner": &a.Owner,
		"domain_class": &a.DomainClass, "domain": &a.Domain,
	}
}

// over takes from override what is set there; an empty list unsets.
func (a Attributes) over(override Attributes) Attributes {
	mine := a.fields()
	for key, names := range override.fields() {
		if *names != nil {
			*mine[key] = *names
		}
	}
	return a
}

// attributeName is an attribute description or object class (RFC 4512 1.4, 2.5).
var attributeName = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)(;[A-Za-z0-9-]+)*$`)

// needed lists the keys without which nothing can be found.
var needed = []string{"account_class", "login", "mail", "group_class"}

// problems calls report for each key that is wrong.
func (a Attributes) problems(report func(key, format string, args ...any)) {
	fields := a.fields()
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		names := fields[key]
		for _, name := range *names {
			if !attributeName.MatchString(name) {
				report(key, "%q is not the name of an attribute or object class", name)
			}
		}
		if len(*names) == 0 && slices.Contains(needed, key) {
			report(key, "is empty; nothing could be found without it")
		}
	}
}

// Preset is a kind of directory.
type Preset struct {
	Name       string
	Attributes Attributes
	// InChain: the server follows nested groups itself, with Active
	// Directory's matching rule 1.2.840.113556.1.4.1941.
	InChain bool
}

// Presets lists the names of all presets.
func Presets() []string { return []string{"dbmail", "inetorgperson", "qmail", "ad"} }

// PresetNamed returns a preset.
func PresetNamed(name string) (Preset, error) {
	switch name {
	case "dbmail":
		return presetDBMail(), nil
	case "inetorgperson":
		return presetInetOrgPerson(), nil
	case "qmail":
		return presetQmail(), nil
	case "ad":
		return presetAD(), nil
	}
	return Preset{}, fmt.Errorf("%q is no preset; want one of: %s", name, strings.Join(Presets(), ", "))
}
