package postconf

import "strings"

// Feature is what a parameter, or a check in a list of restrictions, looks up
// in a table.
type Feature struct {
	// Class is the map class for it; empty where there is none that knows the
	// keys of Postfix, so that Postfix has to try them.
	Class string
	// List is the name of a list of domains.
	List string
	// Refused says why no socketmap may stand there.
	Refused string
}

// featureOf says what a parameter looks up. There is no feature for parameters
// that only name tables for others to use.
func (c *Config) featureOf(parameter, virtualTransport string) (f Feature, ok bool) {
	switch parameter {
	case "virtual_alias_maps":
		f.Class = "virtual_alias"
	case "canonical_maps", "sender_canonical_maps", "recipient_canonical_maps":
		f.Class = "canonical"
	case "relay_recipient_maps", "local_recipient_maps", "relocated_maps", "sender_bcc_maps", "recipient_bcc_maps",
		"sender_dependent_relayhost_maps", "sender_dependent_default_transport_maps":
		f.Class = "relay_recipient"
	case "virtual_mailbox_maps":
		f.Class = "mailbox"
		if name, _, _ := strings.Cut(virtualTransport, ":"); name == "virtual" {
			f.Refused = "virtual(8) delivers by it, and takes no socketmap: for security-sensitive data (virtual_transport = virtual)"
		}
	case "virtual_uid_maps", "virtual_gid_maps":
		f.Refused = "virtual(8) takes no socketmap: for security-sensitive data"
	case "alias_maps", "mailbox_command_maps":
		f.Refused = "local(8) takes no socketmap: for security-sensitive data"
	case "smtpd_sender_login_maps":
		f.Class = "sender_login"
	case "transport_maps":
		f.Class = "transport"
	case "relay_domains", "mydestination", "virtual_alias_domains", "virtual_mailbox_domains":
		f.Class, f.List = "domain", parameter
	case "proxy_read_maps", "proxy_write_maps", "alias_database":
		return f, false
	default:
		return f, c.known[parameter]
	}
	return f, true
}

// isRestrictions says whether a parameter is a list of restrictions; classes
// are those of smtpd_restriction_classes.
func isRestrictions(parameter string, classes []string) bool {
	if strings.HasPrefix(parameter, "smtpd_") && strings.HasSuffix(parameter, "_restrictions") {
		return true
	}
	for _, class := range classes {
		if parameter == class {
			return true
		}
	}
	return false
}

// featureOfCheck says what a restriction looks up in the table that follows
// its name.
func featureOfCheck(name string) (f Feature, ok bool) {
	switch {
	case name == "check_ccert_access", name == "check_sasl_access":
		f.Class = "exact" // a fingerprint, or a login: one key
	case strings.HasPrefix(name, "check_") && strings.HasSuffix(name, "_access"):
		f.Class = "access"
	default:
		return f, false
	}
	return f, true
}
