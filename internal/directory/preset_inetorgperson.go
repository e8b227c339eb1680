package directory

// presetInetOrgPerson is for directories with nothing but what every server
// ships: inetOrgPerson (RFC 2798), posixAccount and posixGroup (RFC 2307),
// groupOfNames and groupOfUniqueNames (RFC 4519), nisMailAlias, groupOfURLs,
// and associatedDomain (RFC 4524). mail has several values there: the first is
// the primary address. authorizedService is pam_ldap's.
func presetInetOrgPerson() Preset {
	return Preset{Name: "inetorgperson", Attributes: Attributes{
		UUID:         []string{"entryUUID"}, // RFC 4530
		AccountClass: []string{"inetOrgPerson"},
		Login:        []string{"uid"},
		UIDNumber:    []string{"uidNumber"},
		Mail:         []string{"mail"},
		Service:      []string{"authorizedService"},
		MemberOf:     []string{"memberOf"},

		GroupClass:    []string{"groupOfNames", "groupOfUniqueNames", "groupOfMembers", "groupOfURLs", "posixGroup", "nisMailAlias"},
		Member:        []string{"member", "uniqueMember"},
		MemberLogin:   []string{"memberUid"},
		MemberAddress: []string{"rfc822MailMember"},
		MemberURL:     []string{"memberURL"},

		DomainClass: []string{"domainRelatedObject"},
		Domain:      []string{"associatedDomain"},
	}}
}
