package testbed

import (
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// postfixMain gives the settings with which an instance in dir starts: it
// takes mail from loopback for any domain, asks no name server, and delivers
// nowhere until its options say where.
func postfixMain(dir string) map[string]string {
	return map[string]string{
		"compatibility_level":   "3.6",
		"queue_directory":       filepath.Join(dir, "q"),
		"data_directory":        filepath.Join(dir, "d"),
		"maillog_file":          filepath.Join(dir, "mail.log"),
		"maillog_file_prefixes": dir,
		"myhostname":            "postfix.test",
		"mydomain":              "test",
		"mydestination":         "",
		"mynetworks":            "127.0.0.0/8",
		"inet_interfaces":       "127.0.0.1",
		"inet_protocols":        "ipv4",
		"alias_maps":            "",
		"alias_database":        "",
		"local_recipient_maps":  "",
		"default_transport":     "error:nothing leaves this test",

		"disable_dns_lookups":                 "yes",
		"smtp_host_lookup":                    "native",
		"lmtp_host_lookup":                    "native",
		"smtpd_peername_lookup":               "no",
		"smtpd_relay_restrictions":            "permit_mynetworks, reject",
		"smtpd_client_connection_count_limit": "0",
		"biff":                                "no",
	}
}

// postfixMaster lists the services; none is chrooted, because the directory
// holds nothing that a chroot would need.
const postfixMaster = `
%s         inet  n - n - - smtpd
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
proxywrite unix  - - n - 1 proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
lmtp       unix  - - n - - lmtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
local      unix  - n n - - local
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
`

// makePostfixDirs makes what postfix-files(5) lists, with its owners. Only
// postqueue(1) and postdrop(1) of other users need the group; a system without
// it lacks a proper Postfix.
func makePostfixDirs(dir string) error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return fmt.Errorf("make Postfix directories: %w", err)
	}
	drop, err := user.LookupGroup("postdrop")
	if err != nil {
		return fmt.Errorf("make Postfix directories: %w", err)
	}
	uid, err1 := strconv.Atoi(owner.Uid)
	gid, err2 := strconv.Atoi(drop.Gid)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("make Postfix directories: user %s, group %s", owner.Uid, drop.Gid)
	}
	type made struct {
		path     string
		mode     os.FileMode
		uid, gid int
	}
	dirs := []made{{"etc", 0o755, 0, 0}, {"q", 0o755, 0, 0}, {"q/pid", 0o755, 0, 0}, {"d", 0o700, uid, 0},
		{"q/maildrop", 0o730, uid, gid}, {"q/public", 0o710, uid, gid}}
	for _, queue := range strings.Fields("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		dirs = append(dirs, made{"q/" + queue, 0o700, uid, 0})
	}
	for _, d := range dirs {
		path := filepath.Join(dir, d.path)
		if err := os.Mkdir(path, d.mode); err != nil {
			return fmt.Errorf("make Postfix directories: %w", err)
		}
		if err := os.Chown(path, d.uid, d.gid); err != nil {
			return fmt.Errorf("make Postfix directories: %w", err)
		}
		if err := os.Chmod(path, d.mode); err != nil { // whatever the umask
			return fmt.Errorf("make Postfix directories: %w", err)
		}
	}
	return nil
}

func writePostfixConfig(dir, addr string, o PostfixOptions) error {
	main := postfixMain(dir)
	maps.Copy(main, o.Main)
	master := fmt.Sprintf(postfixMaster, addr) + strings.Join(o.Master, "\n") + "\n"
	// Every Postfix process waits for up to two seconds after a change of
	// main.cf, lest it read half a file.
	past := time.Now().Add(-time.Hour)
	for name, text := range map[string]string{"main.cf": settings(main), "master.cf": master} {
		path := filepath.Join(dir, "etc", name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write Postfix configuration: %w", err)
		}
		if err := os.Chtimes(path, past, past); err != nil {
			return fmt.Errorf("write Postfix configuration: %w", err)
		}
	}
	return nil
}
