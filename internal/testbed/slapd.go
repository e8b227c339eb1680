package testbed

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// AdminPassword is the password of every test directory's rootdn, and of
// cn=config.
const AdminPassword = "adminpw"

// SlapdOptions say what a private directory server holds and how it behaves.
type SlapdOptions struct {
	// Schema lists further .schema files, after core, cosine, nis and
	// inetorgperson.
	Schema []string
	// Suffix is the base DN; dc=example,dc=com if empty.
	Suffix string
	// LDIF is what the directory holds at its start, in that order. Without
	// it there is not even an entry at the suffix.
	LDIF []byte
	// Access, Index and Limits are the rest of such lines of slapd.conf, as
	// in "to * by * read", "mail,uid eq", "anonymous size=3". Without any
	// Access everybody reads everything.
	Access, Index, Limits []string
	// Modules are further modules to load, such as "memberof"; Global and
	// Database are further lines of slapd.conf, before the database and at
	// its end.
	Modules, Global, Database []string
	// Syncprov makes the server a provider of syncrepl (RFC 4533).
	Syncprov bool
	// Consumes makes the server a replica of another, which has Syncprov.
	Consumes *SlapdServer
	// CertFile, KeyFile and CAFile are for ldaps and StartTLS; made for
	// localhost, 127.0.0.1 and ::1 if empty.
	CertFile, KeyFile, CAFile string
	// Config is a whole slapd.conf instead of one made from the options
	// above (Suffix and the TLS files are told to the test then, no more).
	// @DIR@ in it is Dir, @RUN@ the server's own directory with data/ in it.
	Config, Dir string
	// Debug is slapd's -d, as "stats", which Log then shows; "none" if empty.
	Debug string
}

// SlapdServer is OpenLDAP's slapd with an empty database of its own, on two
// loopback ports and a unix socket that stay the same through restarts.
type SlapdServer struct {
	BaseDN        string
	AdminDN       string
	AdminPassword string
	CAFile        string // of the certificate authority that signed the server's certificate

	scratch   *scratch
	process   *process
	options   SlapdOptions
	addr, tls string // host:port
	tools     map[string]string
	paused    bool
}

// Slapd starts a server for this test, and stops and removes it at the test's end.
func Slapd(t testing.TB, o SlapdOptions) *SlapdServer {
	t.Helper()
	if o.Suffix == "" {
		o.Suffix = "dc=example,dc=com"
	}
	if o.Debug == "" {
		o.Debug = "none"
	}
	s := &SlapdServer{BaseDN: o.Suffix, AdminDN: "cn=admin," + o.Suffix, AdminPassword: AdminPassword, tools: map[string]string{}}
	for tool, debianPackage := range map[string]string{"slapd": "slapd", "slapadd": "slapd", "slapindex": "slapd", "ldapmodify": "ldap-utils"} {
		s.tools[tool] = Need(t, tool, debianPackage)
	}
	scratch, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	s.scratch = scratch
	t.Cleanup(func() {
		s.Kill() // nobody needs the data any more
		scratch.remove()
	})
	if o.Config == "" && o.CertFile == "" {
		if o.CAFile, o.CertFile, o.KeyFile, err = makeCertificates(scratch.dir); err != nil {
			t.Fatal(err)
		}
	}
	o.Schema = slices.Clone(o.Schema)
	for i, path := range o.Schema {
		if o.Schema[i], err = filepath.Abs(path); err != nil { // slapd runs elsewhere
			t.Fatal(err)
		}
	}
	s.options, s.CAFile = o, o.CAFile
	// The ports were free a moment ago; somebody may have been faster.
	for attempt := 1; ; attempt++ {
		err := s.begin()
		if err == nil {
			return s
		}
		if attempt == 3 {
			t.Fatal(err)
		}
	}
}

// begin picks ports, loads the directory and starts slapd for the first time.
func (s *SlapdServer) begin() error {
	for _, addr := range []*string{&s.addr, &s.tls} {
		port, err := freePort()
		if err != nil {
			return err
		}
		*addr = net.JoinHostPort("127.0.0.1", port)
	}
	if err := s.writeConfig(); err != nil {
		return err
	}
	if err := s.load(s.options.LDIF); err != nil {
		return err
	}
	return s.run()
}

// load empties the database and fills it.
func (s *SlapdServer) load(ldif []byte) error {
	data := filepath.Join(s.scratch.dir, "data")
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("load directory: %w", err)
	}
	if err := os.Mkdir(data, 0o700); err != nil {
		return fmt.Errorf("load directory: %w", err)
	}
	if len(ldif) == 0 {
		return nil
	}
	// With syncprov the entries need the contextCSN that -w writes.
	args := []string{"-q", "-f", s.configFile(), "-b", s.BaseDN}
	if s.options.Syncprov {
		args = append(args, "-w")
	}
	return s.tool("slapadd", ldif, args...)
}

// run starts slapd in the foreground and waits until it answers.
func (s *SlapdServer) run() error {
	urls := "ldap://" + s.addr + " " + s.SocketURI()
	if s.hasTLS() {
		urls += " ldaps://" + s.tls
	}
	p, err := start(s.scratch.dir, "slapd", s.tools["slapd"],
		[]string{"-f", s.configFile(), "-h", urls, "-d", s.options.Debug}, syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.process, s.paused = p, false
	err = p.await(func() error {
		// Nobody else can be on the unix socket.
		conn, err := ldap.DialURL("ldapi://" + s.socket())
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetTimeout(patience)
		_, err = conn.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false,
			"(objectClass=*)", []string{"1.1"}, nil))
		return err
	})
	if err != nil {
		s.Kill()
	}
	return err
}

// tool runs one of OpenLDAP's programs with the data on its standard input.
func (s *SlapdServer) tool(name string, input []byte, args ...string) error {
	cmd := exec.Command(s.tools[name], args...)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Addr returns host:port where the server speaks LDAP, with StartTLS on request.
func (s *SlapdServer) Addr() string { return s.addr }

// TLSAddr returns host:port where the server speaks LDAP inside TLS.
func (s *SlapdServer) TLSAddr() string { return s.tls }

// URI returns ldap://host:port.
func (s *SlapdServer) URI() string { return "ldap://" + s.addr }

// TLSURI returns ldaps://host:port.
func (s *SlapdServer) TLSURI() string { return "ldaps://" + s.tls }

// SocketURI returns the ldapi:// URI of the unix socket, its path escaped as
// OpenLDAP writes it.
func (s *SlapdServer) SocketURI() string { return "ldapi://" + url.PathEscape(s.socket()) }

func (s *SlapdServer) socket() string { return filepath.Join(s.scratch.dir, "ldapi") }

// Pid returns the process id of the server, or of the last one when it is stopped.
func (s *SlapdServer) Pid() int { return s.process.pid() }

// Log returns what the server wrote since its first start; see SlapdOptions.Debug.
func (s *SlapdServer) Log() string {
	log, err := os.ReadFile(filepath.Join(s.scratch.dir, "slapd.log"))
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Kill ends the server by SIGKILL, as a crash would, and waits until it is gone.
func (s *SlapdServer) Kill() {
	if s.process != nil {
		s.process.stop(syscall.SIGKILL)
	}
}

// Stop shuts the server down in good order and waits until it is gone.
func (s *SlapdServer) Stop() {
	s.Resume()
	s.process.stop(syscall.SIGTERM)
}

// Pause freezes the server: its sockets accept and nobody answers.
func (s *SlapdServer) Pause() {
	s.paused = true
	s.process.cmd.Process.Signal(syscall.SIGSTOP)
}

// Resume ends a Pause.
func (s *SlapdServer) Resume() {
	if s.paused && !s.process.ended() {
		s.process.cmd.Process.Signal(syscall.SIGCONT)
	}
	s.paused = false
}

// Restart starts the server again on the same data and addresses, stopping it
// first when it runs, and returns when it answers.
func (s *SlapdServer) Restart() error {
	s.Stop()
	return s.run()
}

// Reconfigure changes the options and restarts the server with them and with
// the data that it has.
func (s *SlapdServer) Reconfigure(change func(*SlapdOptions)) error {
	s.Stop()
	change(&s.options)
	if err := s.writeConfig(); err != nil {
		return err
	}
	if err := s.tool("slapindex", nil, "-q", "-f", s.configFile(), "-b", s.BaseDN); err != nil {
		return err
	}
	return s.run()
}

// Reload restarts the server with other data.
func (s *SlapdServer) Reload(ldif []byte) error {
	s.Stop()
	if err := s.load(ldif); err != nil {
		return err
	}
	return s.run()
}

// Modify applies LDIF (RFC 2849) to the running server as its administrator;
// entries without a changetype are added.
func (s *SlapdServer) Modify(ldif string) error {
	return s.modify(s.AdminDN, ldif)
}

// Configure applies LDIF to cn=config of the running server, whose
// connections stay open. It holds until the server is restarted.
func (s *SlapdServer) Configure(ldif string) error {
	return s.modify("cn=config", ldif)
}

func (s *SlapdServer) modify(who, ldif string) error {
	return s.tool("ldapmodify", []byte(ldif), "-x", "-a", "-H", s.SocketURI(), "-D", who, "-w", s.AdminPassword)
}
