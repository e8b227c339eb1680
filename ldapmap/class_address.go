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
func (w *Walk) address(a *asker, key string) {
	full := parseAddress(key)
	a.unquoted = full == key && quoteAddress(key, false) != key
	at := strings.LastIndexByte(full, '@')
	local, domain := full, ""
	if at >= 0 {
		local, domain = full[:at], full[at+1:]
	}
	if w.forms(a, full, false) {
		return
	}
	user, extension := w.postfix.split(local)
	bare := full
	if extension != "" {
		bare = user + full[len(local):]
		if w.forms(a, bare, false) {
			w.withExtension(a, user, extension)
			return
		}
	}
	if at < 0 {
		return
	}
	if w.class == Access || w.class == Transport {
		a.domain(domain, w.parents)
		if w.class == Access && !w.forms(a, full[:at+1], false) && extension != "" {
			w.forms(a, user+"@", false)
		}
		return
	}
	if w.local[Fold(strings.TrimSuffix(domain, "."))] {
		if w.forms(a, local, true) {
			return
		}
		if extension != "" && w.forms(a, user, true) {
			w.withExtension(a, user, extension)
			return
		}
	}
	a.ask(full[len(local):])
}

// forms asks for an address in the forms that Postfix asks for.
func (w *Walk) forms(a *asker, address string, bareLocal bool) (done bool) {
	quoted := quoteAddress(address, bareLocal)
	switch {
	case quoted == address || w.rewrites() && !a.unquoted:
		return a.ask(quoted)
	case w.rewrites():
		return a.ask(address)
	}
	return a.ask(quoted) || a.ask(address)
}

// rewrites says whether the results are addresses in place of the key.
func (w *Walk) rewrites() bool { return w.class == VirtualAlias || w.class == Canonical }

// withExtension makes of a result for the user one for the user with the
// extension, where Postfix would have. It would, had it matched the user
// itself; as it is, it takes the full address for matched.
func (w *Walk) withExtension(a *asker, user, extension string) {
	switch {
	case a.err != nil || !w.rewrites():
	case a.data != "" && a.data[0] == '@':
		// Postfix puts the whole local part before it, extension and all.
		if !w.propagate {
			a.data = quoteAddress(user+a.data, false)
		}
	case w.propagate:
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
