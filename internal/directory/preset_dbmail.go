package directory

// presetDBMail is for DBMail's schema and ours (schema/ldap) beside
// inetOrgPerson and posixAccount. An entry that only forwards is an account
// without login. All that "gatepost schema print ldap" prints has to be loaded:
// of an attribute that a server does not know, it cannot tell who has it.
func presetDBMail() Preset {
	p := presetInetOrgPerson()
	p.Name = "dbmail"
	p.Attributes = p.Attributes.over(Attributes{
		AccountClass:  []string{"dbmailUser", "dbmailForwardingAddress"},
		Alternate:     []string{"mailAlternateAddress"},
		Status:        []string{"accountStatus"},
		Quota:         []string{"mailQuota"},
		Forward:       []string{"mailForwardingAddress"},
		Delivery:      []string{"deliveryMode"},
		Delegate:      []string{"gatepostDelegate"},
		Limit:         []string{"gatepostLimit"},
		GroupClass:    append(p.Attributes.GroupClass, "groupOfURLs", "nisMailAlias", "gatepostList"),
		MemberAddress: []string{"rfc822MailMember"},
		MemberURL:     []string{"memberURL"},
		Senders:       []string{"gatepostListSenders"},
		Moderator:     []string{"gatepostModerator"},
		DomainClass:   []string{"dbmailDomain", "domainRelatedObject"},
		Domain:        []string{"mailDomain", "associatedDomain"},
	})
	return p
}
