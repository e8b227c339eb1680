package directory

// presetQmail is for qmail-ldap's schema: qmailUser and qmailGroup.
func presetQmail() Preset {
	p := presetInetOrgPerson()
	p.Name = "qmail"
	p.Attributes = p.Attributes.over(Attributes{
		AccountClass:     []string{"qmailUser"},
		UIDNumber:        []string{"uidNumber", "qmailUID"},
		Alternate:        []string{"mailAlternateAddress"},
		Status:           []string{"accountStatus"},
		Quota:            []string{"mailQuotaSize"},
		Forward:          []string{"mailForwardingAddress"},
		Delivery:         []string{"deliveryMode"},
		GroupClass:       append(p.Attributes.GroupClass, "qmailGroup"),
		Member:           append(p.Attributes.Member, "dnmember"),
		MemberAddress:    append(p.Attributes.MemberAddress, "rfc822member"),
		MemberFilter:     []string{"filtermember"},
		MembersOnly:      []string{"membersonly"},
		Sender:           []string{"dnsender"},
		SenderAddress:    []string{"rfc822sender"},
		SenderFilter:     []string{"filtersender"},
		Moderator:        []string{"dnmoderator"},
		ModeratorAddress: []string{"rfc822moderator"},
	})
	return p
}
