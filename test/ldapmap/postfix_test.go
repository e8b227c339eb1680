package ldapmap_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// tablesOfSite has something for each feature, each kind of key and each form
// of result. Of several results "|" stands between values.
func tablesOfSite() map[string]table {
	return map[string]table{
		"aliases": {"virtual_alias", "", map[string]string{
			"alice@example.com": "alice@mail.test", "sales@example.com": "alice@mail.test|bob@mail.test|carol",
			"list@example.com":          "a@mail.test, b@mail.test,c@mail.test",
			`"quoted user"@example.com`: `"q t"@mail.test`,
			"stored plain@example.com":  "stored@mail.test",
			`"with.dots."@example.com`:  "dots@mail.test",
			"@catchall.test":            "all@mail.test",
			"user@catchall.test":        "user@mail.test",
			"@domain.test":              "@new.test",
			"moved@example.com":         "@new.test",
			"bare":                      "bare@mail.test",
			"bare2+full":                "full@mail.test",
			"plus+tag@example.com":      "exact@mail.test",
			"plus@example.com":          "plus@mail.test",
			"self@example.com":          "self@example.com",
			"copy@example.com":          "copy@example.com|also@mail.test",
			"chain@example.com":         "chain2@example.com",
			"chain2@example.com":        "end@mail.test",
			"blanks@example.com":        "a@mail.test b@mail.test",
			"name@example.com":          "A Name <n@mail.test>, \"B. Name\" <m@mail.test>",
			"comment@example.com":       "c@mail.test (a comment, with a comma)",
			"percent@example.com":       "p%mail.test",
			"bang@example.com":          "mail.test!b",
			"upper@example.com":         "Up.Per@Mail.Test",
			"tagged@example.com":        "t+own@mail.test",
			"literal@example.com":       "l@[192.0.2.9]",
			"quotedresult@example.com":  `"a, b"@mail.test, "c\"d"@mail.test`,
			"owner-list@example.com":    "owner@mail.test",
			"list-request@example.com":  "request@mail.test",
			"postmaster@example.com":    "pm@mail.test",
			"straße@example.com":        "never@mail.test",
			"müller@example.com":        "mueller@mail.test",
			"sub.alias.test":            "anything", // virtual_alias_domains
			"user@sub.alias.test":       "sub@mail.test",
			"relayed@relay.test":        "alice@mail.test",
			"local@local.test":          "local@mail.test",
			"star*paren()@example.com":  "star@mail.test",
			`back\slash@example.com`:    "unquoted@mail.test",
			`"back\\slash"@example.com`: "backslash@mail.test",
			`"with\"quote"@example.com`: "quote@mail.test",
			"dashed-tag@example.com":    "dashed@mail.test",
			"dashed@example.com":        "undashed@mail.test",
			"group@example.com":         "friends: g1@mail.test, g2@mail.test;",
			"route@example.com":         "<@hop.test:r@mail.test>",
		}},
		"canonical": {"canonical", "", map[string]string{
			"old@example.com": "alice@example.com", "@oldcorp.test": "@example.com", `"old user"@example.com`: `"quoted user"@example.com`,
			"renamed@example.com": "sales@example.com", "bare3": "alice@example.com", "two@example.com": "a@mail.test,b@mail.test",
		}},
		"senders": {"canonical", "", map[string]string{
			"me@example.com": "Me.Myself@example.com", "@inside.test": "@example.com", "bounce@example.com": "<>",
		}},
		"relayed": {"relay_recipient", "", map[string]string{
			"relayed@relay.test": "x", "plus@relay.test": "x", "plus+tag@relay.test": "x", `"a b"@relay.test`: "x", "c d@relay.test": "x",
			"@whole.relay.test": "x", "postmaster@relay.test": "x",
		}},
		"mailboxes": {"mailbox", "", map[string]string{
			"alice@mail.test": "alice/", "bob@mail.test": "bob/", "all@mail.test": "all/", "user@mail.test": "user/", "end@mail.test": "end/",
			"plus@mail.test": "plus/", "exact@mail.test": "exact/", `"q t"@mail.test`: "qt/",
		}},
		"locals": {"relay_recipient", "", map[string]string{"local": "x", "bare": "x", "carol": "x", "root@local.test": "x", "dashed": "x"}},
		"logins": {"sender_login", "", map[string]string{"owned@example.com": "alice", "@owned.test": "bob", "localowner": "carol"}},
		"recipients": {"access", "", map[string]string{
			"refused@example.com": "REJECT no such address", "refused.test": "REJECT no such domain", "spam@": "550 5.7.1 not here",
			"spam+x@": "550 5.7.2 tagged", "info@example.com": "WARN seen", "test": "DUNNO", "held@example.com": "REDIRECT alice@mail.test",
		}},
		"fromwhom": {"access", "", map[string]string{
			"<>": "DUNNO", "bad@client.example": "REJECT go away", "bad.example": "REJECT bad domain", "worse@": "REJECT worse",
		}},
		"helos": {"access", "", map[string]string{"bad.helo.test": "REJECT bad helo", "worse.test": "REJECT bad helo domain", "192.0.2.4": "REJECT address"}},
		"routes": {"transport", "", map[string]string{
			"routed@mail.test": "discard:user", "mail.test": "discard:mail", ".mail.test": "discard:below", "alice@mail.test": "discard:alice",
			"relay.test": "discard:relay", "new.test": "discard:new", "plus@mail.test": "discard:plus", `"q t"@mail.test`: "discard:quoted",
			"exact": "discard:never",
		}},
		"relays":  {"domain", "# gatepost: list = relay_domains\n", map[string]string{"relay.test": "x", "deep.test": "x"}},
		"vmails":  {"domain", "# gatepost: list = virtual_mailbox_domains\n", map[string]string{"mail.test": "x", "example.com": "x", "catchall.test": "x"}},
		"somebcc": {"relay_recipient", "", map[string]string{"alice@mail.test": "bcc@mail.test", "@new.test": "bcc@mail.test"}},
	}
}

// settings are main.cf with all tables used in one way.
func (s *site) settings(way string) map[string]string {
	use := func(name string) string { return s.use(way, name) }
	return map[string]string{
		"mydestination": "local.test", "myorigin": "origin.test",
		"virtual_alias_maps": use("aliases"), "virtual_alias_domains": use("aliases"),
		"recipient_canonical_maps": use("canonical"), "sender_canonical_maps": use("senders"),
		"relay_recipient_maps": use("relayed"), "virtual_mailbox_maps": use("mailboxes"), "local_recipient_maps": use("locals"),
		"smtpd_sender_login_maps": use("logins"), "transport_maps": use("routes"), "relay_domains": use("relays"),
		"virtual_mailbox_domains": use("vmails"), "recipient_bcc_maps": use("somebcc"),
		"smtpd_helo_required": "yes", "smtpd_helo_restrictions": "check_helo_access " + use("helos"),
		"smtpd_sender_restrictions":    "check_sender_access " + use("fromwhom") + ", reject_unauthenticated_sender_login_mismatch",
		"smtpd_recipient_restrictions": "check_recipient_access " + use("recipients"),
		"smtpd_relay_restrictions":     "reject_unauth_destination",
		"mynetworks":                   "192.0.2.0/24",
		"smtpd_soft_error_limit":       "10001", "smtpd_hard_error_limit": "10000", "smtpd_error_sleep_time": "0",
		"smtpd_junk_command_limit": "10000", "in_flow_delay": "0", "smtpd_recipient_overshoot_limit": "10000",
		"default_transport": "discard:default", "relay_transport": "discard:relays", "local_transport": "discard:local", "virtual_transport": "discard:virtual",
	}
}

// transaction is one attempt to send mail.
type transaction struct{ helo, sender, recipient string }

// transactions are what is sent: every key of every table as it is, with
// extension, in capitals, and in domains where nothing like it is.
func (s *site) transactions(extensions []string) []transaction {
	var all []transaction
	const helo, sender = "client.example", "sender@client.example"
	recipient := func(r string) { all = append(all, transaction{helo, sender, r}) }
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		for _, key := range slices.Sorted(maps.Keys(s.tables[name].data)) {
			address := key
			switch at := strings.LastIndexByte(key, '@'); {
			case strings.ContainsAny(key, "<>"):
				continue
			case at < 0 && strings.Contains(key, "."):
				address = "user@" + strings.TrimPrefix(key, ".")
			case at < 0:
				address = key + "@local.test"
			case at == 0:
				address = "user" + key
			case at == len(key)-1:
				address = key + "any.example.com"
			}
			local, domain := address[:strings.LastIndexByte(address, '@')], address[strings.LastIndexByte(address, '@'):]
			if !strings.HasPrefix(local, `"`) && strings.ContainsAny(local, ` \()`) {
				local = `"` + strings.NewReplacer(`\`, `\\`).Replace(local) + `"`
			}
			variants := []string{local + domain, strings.ToUpper(local + domain), local + "@origin.test", local + "@local.test", local + "@nowhere.test", local + "@a.sub.example.com"}
			for _, ext := range extensions {
				tagged := local + ext
				if inner, ok := strings.CutSuffix(local, `"`); ok {
					tagged = inner + ext + `"`
				} else if strings.Contains(ext, " ") {
					tagged = `"` + tagged + `"`
				}
				variants = append(variants, tagged+domain, tagged+"@local.test")
			}
			for _, v := range variants {
				if !seen[v] {
					seen[v] = true
					recipient(v)
				}
			}
		}
	}
	for _, r := range []string{"nobody@example.com", "postmaster", "nobody@sub.deep.test", "x@a.b.deep.test", "user@sub.alias.test", "user@a.sub.alias.test",
		"user@below.mail.test", "STRASSE@example.com", "Müller@example.com", "straße@example.com", "a@[127.0.0.1]", "bare@[127.0.0.1]", "x@sub.refused.test", "+ext@example.com", "spam+x@nowhere.test"} {
		recipient(r)
	}
	for _, from := range []string{"", "bad@client.example", "BAD+x@client.example", "x@bad.example", "x@sub.bad.example", "worse@any.example", "worse+x@any.example",
		"owned@example.com", "owned+x@example.com", "x@owned.test", "x@sub.owned.test", "localowner@local.test", "localowner+x@origin.test", "localowner@example.com",
		"me@example.com", "me+x@example.com", "ME@Example.com", "x@inside.test", "x+y@inside.test", `"a b"@inside.test`, "bounce@example.com"} {
		all = append(all, transaction{helo, from, "alice@mail.test"})
	}
	for _, h := range []string{"bad.helo.test", "sub.bad.helo.test", "Worse.Test", "a.b.worse.test", "192.0.2.4", "[192.0.2.4]", "good.test"} {
		all = append(all, transaction{h, sender, "alice@mail.test"})
	}
	return all
}

var queuedAs = regexp.MustCompile(`queued as (\w+)`)

// send makes all transactions and gives what became of each: the replies, and
// where the mail went.
func send(t *testing.T, p *testbed.PostfixServer, all []transaction) []string {
	t.Helper()
	c := dialSMTP(t, p.SMTPAddr())
	results, ids := make([]string, len(all)), make([]string, len(all))
	helo, queued := "", 0
	for i, x := range all {
		if x.helo != helo {
			helo = x.helo
			c.must("EHLO %s", helo)
		}
		utf8 := ""
		if strings.ContainsFunc(x.sender+x.recipient, func(r rune) bool { return r > 0x7f }) {
			utf8 = " SMTPUTF8"
		}
		reply := "MAIL " + c.say("MAIL FROM:<%s>%s", x.sender, utf8)
		accepted := false
		if strings.HasPrefix(reply, "MAIL 2") {
			rcpt := c.say("RCPT TO:<%s>", x.recipient)
			accepted = rcpt[0] == '2'
			reply = "RCPT " + rcpt
		}
		if accepted {
			c.must("DATA")
			done := c.say("Subject: x\r\n\r\nx\r\n.")
			if m := queuedAs.FindStringSubmatch(done); m != nil {
				ids[i] = m[1]
				queued++
			}
			reply += " DATA " + queuedAs.ReplaceAllString(done, "queued")
		}
		c.must("RSET")
		results[i] = reply
	}
	waitFor(t, "all deliveries", func() bool { return strings.Count(p.Log(), ": removed\n") == queued }, func() string {
		return strings.Join(undelivered(p.Log(), ids), "\n")
	})
	log := p.Log()
	for _, line := range strings.Split(log, "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, "fatal") {
			t.Error(line)
		}
	}
	fates := fatesOf(log)
	for i, id := range ids {
		if id != "" {
			results[i] += "\n\t" + strings.Join(fates[id], "\n\t")
		}
	}
	return results
}

// undelivered gives what the log has of messages that are still there.
func undelivered(log string, ids []string) (lines []string) {
	for _, id := range ids {
		if id == "" || strings.Contains(log, id+": removed") {
			continue
		}
		lines = append(lines, id)
		for line := range strings.Lines(log) {
			if strings.Contains(line, id) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

var (
	fateLine  = regexp.MustCompile(`postfix/[a-z]+\[\d+\]: (\w+): ((?:from|to)=<.*)`)
	fateNoise = regexp.MustCompile(`, (?:size=\d+|nrcpt=\d+ \(queue active\)|delay=[\d.]+|delays=[\d./]+|conn_use=\d+)`)
)

// fatesOf gives, for each message, its sender and recipients with where they went.
func fatesOf(log string) map[string][]string {
	fates := map[string][]string{}
	for _, m := range fateLine.FindAllStringSubmatch(log, -1) {
		fates[m[1]] = append(fates[m[1]], fateNoise.ReplaceAllString(m[2], ""))
	}
	for _, list := range fates {
		slices.Sort(list)
	}
	return fates
}

// TestPostfix sends the same mail through Postfix with its own ldap: tables,
// with each replaced by a socketmap, and with each replaced by a socketmap in
// a unionmap. Nobody may see a difference.
func TestPostfix(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines string // of the table files
		main  map[string]string

		extensions []string
	}{
		{"extensions", "# gatepost: recipient_delimiter = +\n", map[string]string{"recipient_delimiter": "+"}, []string{"+ext", "+Ext+two", "+e x"}},
		{"no extensions", "", nil, []string{"+ext"}},
		{"extensions stay behind, two delimiters, parents with dots", "# gatepost: recipient_delimiter = -+\n# gatepost: propagate_unmatched_extensions =\n# gatepost: parent_domain_matches_subdomains =\n",
			map[string]string{"recipient_delimiter": "-+", "propagate_unmatched_extensions": "", "parent_domain_matches_subdomains": ""}, []string{"-ext", "+e x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, tablesOfSite(), "# gatepost: mydestination = local.test\n# gatepost: myorigin = origin.test\n# gatepost: inet_interfaces = 127.0.0.1\n"+c.lines)
			all := s.transactions(c.extensions)
			if testing.Short() {
				i := 0
				all = slices.DeleteFunc(all, func(transaction) bool { i++; return i%4 != 0 })
			}
			var want []string
			for _, way := range []string{byLDAP, bySocketmap, byUnionmap} {
				main := s.settings(way)
				maps.Copy(main, c.main)
				main["smtpd_sasl_auth_enable"], main["smtpd_sasl_type"], main["smtpd_sasl_path"] = "yes", "dovecot", "inet:"+fakeSASL(t)
				p := testbed.Postfix(t, testbed.PostfixOptions{Main: main})
				got := send(t, p, all)
				p.Stop()
				if way == byLDAP {
					want = got
					judge(t, got)
					continue
				}
				differences := 0
				for i := range all {
					if got[i] != want[i] {
						if differences++; differences <= 10 {
							t.Errorf("%s %+v:\n%s\nldap: has\n%s", way, all[i], got[i], want[i])
						}
					}
				}
				t.Logf("%s: %d transactions, %d differences", way, len(all), differences)
			}
		})
	}
}

// judge sees whether the test has tested anything.
func judge(t *testing.T, results []string) {
	t.Helper()
	counts := map[string]int{}
	for _, r := range results {
		counts[r[5:6]]++ // MAIL or RCPT, then the reply's first digit
		for _, what := range []string{"orig_to=", "+ext@", "+Ext+two@", "(alice)", "(relay)", "(below)", "bcc@mail.test", "User unknown", "Relay access denied", "bad helo", "not logged in", "no such domain", "Temporary lookup failure"} {
			if strings.Contains(r, what) {
				counts[what]++
			}
		}
	}
	t.Log(fmt.Sprint(counts))
	if least := len(results) / 8; counts["2"] < least || counts["5"] < least || counts["4"] > 0 {
		t.Errorf("accepted, refused, deferred: %v", counts)
	}
}
