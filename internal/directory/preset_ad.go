package directory

// presetAD is for Active Directory with Exchange's attributes: proxyAddresses
// ("SMTP:" the primary address, "smtp:" an alternate), userAccountControl,
// ranged member values ([MS-ADTS] 3.1.1.3.1.3.3), nested groups in one search
// ([MS-ADTS] 3.1.1.3.4.4.3). Members through primaryGroupID are not seen.
//
// Accepted domains stand in the configuration partition: set domain_base to
// use them.
func presetAD() Preset {
	return Preset{Name: "ad", InChain: true, Attributes: Attributes{
		UUID:         []string{"objectGUID"},
		EntryDN:      []string{"distinguishedName"},
		AccountClass: []string{"user", "contact"},
		Login:        []string{"sAMAccountName"},
		UIDNumber:    []string{"uidNumber"},
		Mail:         []string{"proxyAddresses", "mail"},
		Status:       []string{"userAccountControl"},
		Forward:      []string{"targetAddress"},
		MemberOf:     []string{"memberOf"},
		Delegate:     []string{"publicDelegates"},

		GroupClass:       []string{"group"},
		Member:           []string{"member"},
		OrganisationOnly: []string{"msExchRequireAuthToSendTo"},
		Sender:           []string{"authOrig", "dLMemSubmitPerms"},
		Moderator:        []string{"msExchModeratedByLink"},
		Owner:            []string{"managedBy"},

		DomainClass: []string{"msExchAcceptedDomain"},
		Domain:      []string{"msExchAcceptedDomainName"},
	}}
}
