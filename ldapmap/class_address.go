package ldapmap

import "strings"

// address asks for what an address stands for:
//
//	user+extension@domain, user@domain
//	user+extension, user       for domains of this machine
//	@domain                    after all users
//
// In access(5) and transport(5) tables, the domain and its parents take the
// place of the last two, and access(5) has user+extension@ and user@ at the
// end. Each address is asked for in its quoted form, then, if that differs, in
// the unquoted one.
//
// Tables that rewrite addresses are the exception: cleanup(8) asks for the
// quoted form alone. smtpd(8) asks these tables for both, to see whether a
// recipient exists, but then it sends us the unquoted form too.
//
// Most look-ups end with the first key, which costs nothing but itself.
func (k *Keys) address(a *asker, key string) {
	full := parseAddress(key)
	a.unquoted = full == key && quoteAddress(key, false) != key
	at := strings.LastIndexByte(full, '@')
	local, domain := full, ""
	if at >= 0 {
		local, domain = full[:at], full[at+1:]
	}
	if k.forms(a, full, false) {
		return
	}
	user, extension := k.postfix.split(local)
	bare := full
	if extension != "" {
		bare = user + full[len(local):]
		if k.forms(a, bare, false) {
			k.withExtension(a, user, extension)
			return
		}
	}
	if at < 0 {
		return
	}
	if k.class == Access || k.class == Transport {
		a.domain(domain, k.parents)
		if k.class == Access && !k.forms(a, full[:at+1], false) && extension != "" {
			k.forms(a, user+"@", false)
		}
		return
	}
	if k.isLocal(domain) {
		if k.forms(a, local, true) {
			return
		}
		if extension != "" && k.forms(a, user, true) {
			k.withExtension(a, user, extension)
			return
		}
	}
	a.ask(full[len(local):])
}

// isLocal says whether a domain's users are looked up without it too.
func (k *Keys) isLocal(domain string) bool {
	folded, ok := Fold(strings.TrimSuffix(domain, "."))
	return ok && k.local[folded]
}

// forms asks for an address in the forms that Postfix asks for.
func (k *Keys) forms(a *asker, address string, bareLocal bool) (done bool) {
	quoted := quoteAddress(address, bareLocal)
	switch {
	case quoted == address || k.rewrites() && !a.unquoted:
		return a.ask(quoted)
	case k.rewrites():
		return a.ask(address)
	}
	return a.ask(quoted) || a.ask(address)
}

// rewrites says whether the results are addresses in place of the key.
func (k *Keys) rewrites() bool { return k.class == VirtualAlias || k.class == Canonical }

// withExtension makes of a result for the user one for the user with the
// extension, where Postfix would have. It would, had it matched the user
// itself; as it is, it takes the full address for matched.
func (k *Keys) withExtension(a *asker, user, extension string) {
	switch {
	case a.err != nil || !k.rewrites():
	case a.data != "" && a.data[0] == '@':
		// Postfix puts the whole local part before it, extension and all.
		if !k.propagate {
			a.data = quoteAddress(user+a.data, false)
		}
	case k.propagate:
		a.data = addExtension(a.data, extension)
	}
}

// split cuts the extension, with its delimiter, off a local part, as Postfix
// does: at the first of any of the delimiters, but not at the beginning.
func (p *Postfix) split(local string) (user, extension string) {
	if p.RecipientDelimiter == "" || local == "" {
		return local, ""
	}
	for _, name := range []string{"postmaster", "mailer-daemon", p.DoubleBounceSender} {
		if strings.EqualFold(local, name) {
			return local, ""
		}
	}
	if p.OwnerRequestSpecial && strings.Contains(p.RecipientDelimiter, "-") {
		const owner, request = "owner-", "-request"
		if len(local) >= len(owner) && strings.EqualFold(local[:len(owner)], owner) ||
			len(local) > len(request) && strings.EqualFold(local[len(local)-len(request):], request) {
			return local, ""
		}
	}
	for i := range len(local) {
		if strings.IndexByte(p.RecipientDelimiter, local[i]) >= 0 {
			if i == 0 {
				break
			}
			return local[:i], local[i:]
		}
	}
	return local, ""
}
