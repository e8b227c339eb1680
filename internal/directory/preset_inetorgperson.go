package directory

// presetInetOrgPerson is for directories with nothing but what every server
// loads: inetOrgPerson (RFC 2798), posixAccount and posixGroup (RFC 2307),
// groupOfNames and groupOfUniqueNames (RFC 4519), and associatedDomain
// (RFC 4524). mail has several values there: the first is the primary address.
//
// What is searched by must be in the server's schema, or nothing can be told
// of what is not found; so members by address or URL are for who configures
// them. What is only read, as pam_ldap's authorizedService, may be missing.
func presetInetOrgPerson() Preset {
	return Preset{Name: "inetorgperson", Attributes: Attributes{
		UUID:         []string{"entryUUID"}, // RFC 4530
		EntryDN:      []string{"entryDN"},   // RFC 5020
		AccountClass: []string{"inetOrgPerson"},
		Login:        []string{"uid"},
		UIDNumber:    []string{"uidNumber"},
		Mail:         []string{"mail"},
		Service:      []string{"authorizedService"},
		MemberOf:     []string{"memberOf"},

		GroupClass:  []string{"groupOfNames", "groupOfUniqueNames", "posixGroup"},
		Member:      []string{"member", "uniqueMember"},
		MemberLogin: []string{"memberUid"},
		Owner:       []string{"owner"},

		DomainClass: []string{"domainRelatedObject"},
		Domain:      []string{"associatedDomain"},
	}}
}
