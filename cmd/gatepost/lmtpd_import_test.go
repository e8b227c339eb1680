//go:build !dmz

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
	"gatepost/lmtpd"
)

func TestLmtpdImport(t *testing.T) {
	for _, name := range []string{"sql", "ldap", "plain"} {
		t.Run(name, func(t *testing.T) {
			conf := filepath.Join("testdata", "lmtpd-import", name+".conf")
			out := good(t, "lmtpd", "import", conf)
			golden(t, "lmtpd-import-"+name+".golden", out)

			dir := filepath.Join(t.TempDir(), "of its own", "gatepost")
			wrote := good(t, "lmtpd", "import", conf, "--out", dir)
			var plan lmtpdImport
			decode(t, good(t, "lmtpd", "import", conf, "--json"), &plan)
			for _, text := range []string{out, wrote, good(t, "lmtpd", "import", conf, "--json")} {
				if strings.Contains(text, "s3cr") {
					t.Errorf("shows a secret:\n%s", text)
				}
			}
			if !strings.Contains(wrote, "# wrote "+dir+"/lmtpd.toml\n") || plan.Written || len(plan.Keys) == 0 {
				t.Errorf("%s%+v", wrote, plan)
			}
			for _, f := range plan.Files {
				path := filepath.Join(dir, filepath.Base(f.Path))
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if !f.Secret && (string(text) != strings.ReplaceAll(f.Content, "/etc/gatepost", dir) && !strings.Contains(f.Content, "password_file") ||
					strings.Contains(string(text), "s3cr")) {
					t.Errorf("%s:\n%s", path, text)
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if mode := info.Mode().Perm(); f.Secret && mode != 0o600 || !f.Secret && mode != 0o644 {
					t.Errorf("%s has mode %o", path, mode)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".import*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// imported writes the files for a sample and reads them as the daemons do.
func imported(t *testing.T, name string) (lmtpd.Config, dbmail.DSN, directory.Config) {
	t.Helper()
	dir := t.TempDir()
	good(t, "lmtpd", "import", filepath.Join("testdata", "lmtpd-import", name+".conf"), "--out", dir)
	c, problems := lmtpd.LoadConfig(filepath.Join(dir, "lmtpd.toml"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	dsn, err := dbmail.ParseDSN(c.Store.DSN)
	if err != nil {
		t.Fatal(err)
	}
	var d directory.Config
	if c.Recipients[0] == "directory" {
		if d, problems = directory.LoadConfig(c.Directory); problems.Err() != nil {
			t.Fatal(problems)
		}
	}
	return c, dsn, d
}

func secret(t *testing.T, path, want string) {
	t.Helper()
	if got, err := daemon.ReadSecret(path); err != nil || got != want {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

// TestLmtpdImportMeans: what the daemons read is what DBMail would have done.
func TestLmtpdImportMeans(t *testing.T) {
	c, dsn, _ := imported(t, "sql")
	secret(t, dsn.PasswordFile, "s3cr@t+")
	if dsn.User != "dbmail" || dsn.Database != "dbmail" || dsn.Socket != mysqlSocket || dsn.TLS != "" {
		t.Errorf("DSN %+v", dsn)
	}
	if c.Store.TablePrefix != nil || c.Store.HeaderCache != "all" || c.Store.HashAlgorithm != "sha1" || c.Charset != "iso-8859-15" ||
		strings.Join(c.Listen, " ") != "inet:0.0.0.0:2424 inet:[::]:2424" || c.IdleTimeout.String() != "2m0s" || c.QuotaFailure != "soft" ||
		c.TLS.Certificate != "/etc/ssl/mail.pem" || c.Smarthost.Address != "inet:127.0.0.1:10025" || c.Smarthost.TLS != "off" {
		t.Errorf("%+v", c)
	}
	if d := c.Delivery; !d.Filters || !d.AutoReplies || !d.AutoNotifications || d.NotificationSubject != "New mail" || d.NotificationFrom != "postmaster@example.com" {
		t.Errorf("%+v", d)
	}

	c, dsn, d := imported(t, "ldap")
	secret(t, dsn.PasswordFile, "s3cr t")
	secret(t, d.BindPasswordFile, "s3cr%t")
	if dsn.Database != "mail store" || dsn.Hosts[0] != "db.example.com:3307" || *c.Store.TablePrefix != "mail_" || c.Listen != nil || c.Delivery.Filters ||
		c.Smarthost.Address != "inet:mx.example.com:465" {
		t.Errorf("%+v %+v", dsn, c)
	}
	if a := d.Attributes; strings.Join(d.URIs, " ") != "ldaps://ldap1.example.com ldap://ldap2.example.com:1389" || d.Base != "ou=People,dc=example,dc=com" ||
		d.BindDN != "cn=dbmail,dc=example,dc=com" || a.Login[0] != "cn" || a.UIDNumber != nil || len(a.Mail) != 2 || a.Quota[0] != "maxMail" ||
		a.Forward == nil || len(a.Forward) != 0 || strings.Join(a.AccountClass, " ") != "inetOrgPerson posixAccount mailForwarder" {
		t.Errorf("%+v", d)
	}

	c, dsn, d = imported(t, "plain")
	if dsn.Driver != "sqlite" || dsn.Path != "/var/lib/dbmail/dbmail.db" || d.URIs[0] != "ldap://ldap.example.com" || d.BindDN != "" ||
		d.Attributes.Quota != nil || d.Attributes.AccountClass != nil || c.Smarthost.Address != "" {
		t.Errorf("%+v %+v %+v", dsn, c, d)
	}
}

func TestLmtpdImportOverwrites(t *testing.T) {
	dir := t.TempDir()
	conf := writeFile(t, "dbmail.conf", "[DBMAIL]\ndburi = mysql://u:s3cret@h/d\nauthdriver = sql\n")
	kept := filepath.Join(dir, "db.password")
	if err := os.WriteFile(kept, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	gatepost(t, "lmtpd", "import", conf, "--out", dir).expect(t, 1, "", "nothing was written: "+kept+" is there already; --force overwrites")
	if text, _ := os.ReadFile(kept); string(text) != "old" {
		t.Errorf("overwritten: %s", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "lmtpd.toml")); err == nil {
		t.Error("lmtpd.toml was written all the same")
	}
	good(t, "lmtpd", "import", conf, "--out", dir, "--force")
	secret(t, kept, "s3cret") // which also holds its mode
	gatepost(t, "lmtpd", "import", conf, "--out", conf+"/x").expect(t, 1, "", "nothing was written: mkdir")
}

func TestLmtpdImportProblems(t *testing.T) {
	const ldap = "authdriver = ldap\n[LDAP]\nfield_uid = uid\nfield_nid = uidNumber\nfield_mail = mail\nuri = ldap://l\n"
	for _, tc := range []struct{ conf, want string }{
		{"dburi = mysql://u:s3cret@h/d\n", "dbmail.conf: authdriver: is not set to sql or ldap"},
		{"authdriver = sql\n", "dbmail.conf: dburi: is not set"},
		{"authdriver = sql\ndburi = postgresql://u:s3cret@h/d\n", "dbmail.conf:3: dburi: names a postgresql database, which Gatepost does not have"},
		{"authdriver = sql\ndriver = oracle\nhost = h\n", "dbmail.conf:3: driver: names a oracle database"},
		{"authdriver = sql\ndburi = db2://h/d\n", "dbmail.conf:3: dburi: names a kind of database that is not known"},
		{"authdriver = sql\ndburi = s3cret\n", "dbmail.conf:3: dburi: is no URL"},
		{"authdriver = sql\ndburi = mysql://u:s3cret@h\n", "dbmail.conf:3: dburi: names no database"},
		{"authdriver = sql\ndburi = mysql://h/d?password=s3cret\n", "dbmail.conf:3: dburi: names no user"},
		{"authdriver = sql\ndburi = mysql://u:s3cret@/d\n", "dbmail.conf:3: dburi: names no host"},
		{"authdriver = sql\ndburi = sqlite://~/x.db\n", "dbmail.conf:3: dburi: begins with the home directory"},
		{"authdriver = sql\ndburi = sqlite:///x\nport = http\n", "dbmail.conf:4: port: is no port"},
		{"authdriver = sql\ndburi = sqlite:///x\ntimeout = soon\n", "dbmail.conf:4: timeout: is no number"},
		{"authdriver = sql\ndburi = sqlite:///x\nsmtp_host = mx\n", "dbmail.conf:4: smtp_host: is no URL"},
		{"authdriver = sql\ndburi = sqlite:///x\ntable_prefix = a-b\n", "dbmail.conf:4: table_prefix: would be store.table_prefix in lmtpd.toml: "},
		{"dburi = sqlite:///x\n" + ldap, "dbmail.conf: [LDAP] base_dn: is not set"},
		{"dburi = sqlite:///x\n" + ldap + "base_dn = people\n", "dbmail.conf:9: base_dn: would be base in directory.toml: "},
		{"dburi = sqlite:///x\n" + ldap + "base_dn = o=x\nfield_quota = a b\n", "dbmail.conf:10: field_quota: would be attributes.quota in directory.toml: "},
		{"dburi = sqlite:///x\nauthdriver = ldap\n", "dbmail.conf: [LDAP] field_nid: is not set"},
		{"no key\n", "dbmail.conf:2: is neither a section"},
	} {
		conf := writeFile(t, "dbmail.conf", "[DBMAIL]\n"+tc.conf)
		r := gatepost(t, "lmtpd", "import", conf)
		if err := strings.ReplaceAll(r.err, filepath.Dir(conf)+"/", ""); r.code != 78 || r.out != "" || !strings.Contains(err, tc.want) || strings.Contains(err, "s3cret") {
			t.Errorf("%s: exit status %d, output %q, error %q; want %q", tc.conf, r.code, r.out, err, tc.want)
		}
	}
	gatepost(t, "lmtpd", "import", "/none").expect(t, 78, "", "/none: cannot be read: no such file")
	gatepost(t, "lmtpd", "import", "a", "b").expect(t, 2, "", "want: gatepost lmtpd import")
}
