package main

import "github.com/spf13/cobra"

// newLdapmap are the commands about ldapmap beside lookup.
func newLdapmap() *cobra.Command {
	return group("ldapmap", "Move Postfix's ldap: tables to gatepost-ldapmap, and look after it",
		newLdapmapImport(), newLdapmapCheck(), newLdapmapTables(), newLdapmapStats(), newLdapmapFlush())
}
