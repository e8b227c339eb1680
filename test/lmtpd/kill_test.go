package lmtpd_test

import (
	"os"
	"strconv"
	"testing"

	"gatepost/internal/testbed"
)

// TestKillShort is the soak in a form for every run.
func TestKillShort(t *testing.T) {
	t.Parallel() // with TestLockWait, which only waits
	fight(t, newSite(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{})), blows, 12, 3)
}

// TestKillSQLite does the same to lmtpd with a store in a file.
func TestKillSQLite(t *testing.T) {
	fight(t, newSQLiteSite(t), fileBlows, 6, 2)
}

// TestSoak kills lmtpd and MariaDB as often as GATEPOST_SOAK_ROUNDS says
// ("make soak"). A tenth of the kills must have fallen between a commit and
// the reply for it. Without the variable one round shows that it works.
func TestSoak(t *testing.T) {
	rounds := 1
	if v := os.Getenv("GATEPOST_SOAK_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil || rounds < 1 {
			t.Fatalf("GATEPOST_SOAK_ROUNDS=%q: want a number of rounds", v)
		}
	}
	fight(t, newSite(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{})), blows, rounds, rounds/10)
}

// blow is one way to strike: at which moment, and whom.
type blow struct {
	name  string
	at    func(moment) bool
	among int  // one of the first so many such moments, at random
	cut   bool // what arrived at that moment never gets to its reader

	// Who is killed. When nobody is, lmtpd lives on with what it remembers:
	// it must not take a reply for read that never arrived.
	lmtpd, maria bool
	// term asks lmtpd to end, which is no kill: whoever is being served is
	// served to the end, so no copy may be left without its reply.
	term bool
}

// blows are struck in turn. Those at a reply or at the answer to COMMIT fall
// between commit and reply.
var blows = []blow{
	{name: "lmtpd, its reply held", lmtpd: true, at: goodReply(1), among: 20, cut: true},
	{name: "MariaDB, the answer to COMMIT held", maria: true, at: commits(atAnswer), among: 10, cut: true},
	{name: "lmtpd, anywhere in a transaction", lmtpd: true, at: anywhere, among: 500},
	{name: "lmtpd, the answer to COMMIT held", lmtpd: true, at: commits(atAnswer), among: 10, cut: true},
	{name: "MariaDB, anywhere in a transaction", maria: true, at: anywhere, among: 500},
	{name: "lmtpd, after the first of several replies", lmtpd: true, at: goodReply(2), among: 10, cut: true},
	{name: "lmtpd, it has the whole message", lmtpd: true, at: wholeMessage, among: 20},
	{name: "MariaDB, lmtpd's reply held", maria: true, at: goodReply(1), among: 20, cut: true},
	{name: "MariaDB, COMMIT just sent", maria: true, at: commits(atSent), among: 10},
	{name: "both, the answer to COMMIT held", lmtpd: true, maria: true, at: commits(atAnswer), among: 10, cut: true},
	{name: "lmtpd is asked to end", term: true, at: anywhere, among: 500},
	{name: "nobody, but Postfix never gets the reply", at: goodReply(1), among: 20, cut: true},
	{name: "nobody, but Postfix gets the first of several replies only", at: goodReply(2), among: 10, cut: true},
	{name: "nobody, but lmtpd never gets the answer to COMMIT", at: commits(atAnswer), among: 10, cut: true},
}

// fileBlows are those for a store without a server.
var fileBlows = []blow{
	{name: "lmtpd, its reply held", lmtpd: true, at: goodReply(1), among: 20, cut: true},
	{name: "lmtpd, it has the whole message", lmtpd: true, at: wholeMessage, among: 20},
	{name: "lmtpd, after the first of several replies", lmtpd: true, at: goodReply(2), among: 10, cut: true},
	{name: "lmtpd is asked to end", term: true, at: wholeMessage, among: 20},
	{name: "nobody, but Postfix never gets the reply", at: goodReply(1), among: 20, cut: true},
}

func anywhere(m moment) bool     { return m.at == atStatement || m.at == atPacket }
func wholeMessage(m moment) bool { return m.at == atDot && m.letter != "" }

// goodReply likes a final 2xx that is at least the nth of its message.
func goodReply(nth int) func(moment) bool {
	return func(m moment) bool { return m.at == atReply && m.good && m.nth >= nth }
}
