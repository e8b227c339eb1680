package directory

// presetDBMail is for DBMail's schema and ours (schema/ldap) beside
// inetOrgPerson and posixAccount. An entry that only forwards is an account
// without login.
func presetDBMail() Preset {
	p := presetInetOrgPerson()
	p.Name = "dbmail"
	p.Attributes = p.Attributes.over(Attributes{
		AccountClass: []string{"dbmailUser", "dbmailForwardingAddress"},
		Alternate:    []string{"mailAlternateAddress"},
		Status:       []string{"accountStatus"},
		Quota:        []string{"mailQuota"},
		Forward:      []string{"mailForwardingAddress"},
		Delivery:     []string{"deliveryMode"},
		Delegate:     []string{"gatepostDelegate"},
		Limit:        []string{"gatepostLimit"},
		GroupClass:   append(p.Attributes.GroupClass, "gatepostList"),
		Senders:      []string{"gatepostListSenders"},
		Moderator:    []string{"gatepostModerator"},
		DomainClass:  []string{"dbmailDomain", "domainRelatedObject"},
		Domain:       []string{"mailDomain", "associatedDomain"},
	})
	return p
}
