package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	ldapschema "gatepost/schema/ldap"
)

func newSchemaPrintLDAP() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "ldap [NAME]...",
		Short: "Print the schema that slapd needs: " + strings.Join(ldapschema.Names(), ", "),
		Long: `Prints the named schemas in the order in which slapd has to load them; without
a name all but qmail, which cannot stand beside dbmail in one server.
dbmail.schema needs core, cosine, nis and inetorgperson, gatepost.schema
dyngroup as well.

  gatepost schema print ldap dbmail >/etc/ldap/schema/dbmail.schema
  gatepost schema print ldap --format ldif | ldapadd -Y EXTERNAL -H ldapi:///`,
		RunE: action(func(cmd *cobra.Command, names []string) error {
			for _, flag := range []string{"store", "prefix", "compressed", "add-own", "json", "dialect"} {
				if cmd.Flags().Changed(flag) {
					return usage("--%s has no meaning for a directory's schema", flag)
				}
			}
			print := ldapschema.Schema
			switch format {
			case "schema":
			case "ldif":
				print = ldapschema.LDIF
			default:
				return usage("--format %q is not known; want schema or ldif", format)
			}
			if len(names) == 0 {
				names = slices.DeleteFunc(ldapschema.Names(), func(name string) bool { return name == "qmail" })
			}
			texts := map[string]string{}
			for _, name := range names {
				text, err := print(name)
				if err != nil {
					return usage("%v", err)
				}
				texts[name] = text
			}
			var ordered []string
			for _, name := range ldapschema.Names() {
				if text, wanted := texts[name]; wanted {
					ordered = append(ordered, text)
				}
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), strings.Join(ordered, "\n"))
			return err
		}),
	}
	c.Flags().StringVar(&format, "format", "schema", "schema (for slapd.conf's include) or ldif (for cn=config)")
	return c
}
