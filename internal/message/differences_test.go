package message

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// deviations turns recorded rows into those that we mean to write, and notes
// which differences of testdata/differences.md that took.
type deviations struct {
	used   map[string]map[string]bool // difference -> vectors
	vector string
	sender string
	wire   []byte
}

func (d *deviations) use(name string) {
	if d.used[name] == nil {
		d.used[name] = map[string]bool{}
	}
	d.used[name][d.vector] = true
}

func (d *deviations) apply(t *testing.T, r *recordedRows) {
	t.Helper()
	head := &r.parts[0]
	line := "Return-Path: <" + d.sender + ">\n"
	head.data = d.replace(t, "return-path-brackets", head.data, "Return-Path: "+d.sender+"\n", line)
	returned := bytes.ReplaceAll(bytes.ReplaceAll([]byte(line+string(d.wire)), []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	r.rfcSize = int64(len(returned))
	d.use("rfcsize-of-what-is-returned")

	switch d.vector {
	case "32-mbox-from-first", "58-leading-space":
		first, _, _ := bytes.Cut(d.wire, []byte("\r\n"))
		head.data = d.replace(t, "junk-lines-kept", head.data, line, line+string(first)+"\n")
	case "56-headerless-part":
		r.parts[2].data = d.replace(t, "no-lost-body", r.parts[2].data, "para two", "para one\n\npara two")
	case "40-digest":
		_, body, _ := bytes.Cut(bytes.ReplaceAll(d.wire, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
		r.parts = []recordedPart{r.parts[0], {key: 1, order: 1, data: body}}
		d.use("unsplit")
	case "17-raw-latin1-headers":
		known := strings.NewReplacer("Gr??e", "Grüße", "gr??e", "grüße", "K?ln", "Köln", "k?ln", "köln", "J?rgen", "Jürgen")
		for i := range r.headers {
			r.headers[i].Value = known.Replace(r.headers[i].Value)
			r.headers[i].SortField = known.Replace(r.headers[i].SortField)
		}
		d.use("charset-guessed")
	case "47-quotes-envelope":
		r.envelope = string(d.replace(t, "envelope-quoted", []byte(r.envelope), `say "hi" \ there`, `say \"hi\" \\ there`))
		r.envelope = strings.ReplaceAll(r.envelope, `Nora "Q" Back\slash`, `Nora \"Q\" Back\\slash`)
	}
}

// replace applies one difference, which must be there to be applied.
func (d *deviations) replace(t *testing.T, name string, in []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(in, []byte(old)) {
		t.Fatalf("%s: %q is not in %q", name, old, in)
	}
	d.use(name)
	return bytes.Replace(in, []byte(old), []byte(new), 1)
}

// checkDifferences compares the differences that were applied with the list.
func checkDifferences(t *testing.T, used map[string]map[string]bool, stored int) {
	t.Helper()
	text, err := os.ReadFile("testdata/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, l := range strings.Split(string(text), "\n") {
		cell := strings.Split(strings.Trim(l, "|"), "|")
		if !strings.HasPrefix(l, "|") || len(cell) != 3 || strings.HasPrefix(strings.TrimSpace(cell[0]), "---") {
			continue
		}
		name, why, vectors := strings.TrimSpace(cell[0]), strings.TrimSpace(cell[1]), strings.TrimSpace(cell[2])
		if name == "difference" {
			continue
		}
		listed[name] = true
		if len(why) < 20 {
			t.Errorf("difference %s has no reason", name)
		}
		got := strings.Join(slices.Sorted(maps.Keys(used[name])), ", ")
		if vectors == "all" && len(used[name]) > 40 {
			continue
		}
		if vectors != got {
			t.Errorf("difference %s is listed for %q, but used in %q", name, vectors, got)
		}
	}
	for name := range used {
		if !listed[name] {
			t.Errorf("difference %s is not listed", name)
		}
	}
}

// TestUnsplit names the vectors that are stored unsplit; none of those may be
// among them that DBMail's IMAP server gives back byte for byte.
func TestUnsplit(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors/roundtrip.txt")
	if err != nil {
		t.Fatal(err)
	}
	faulty := map[string]bool{}
	for _, l := range strings.Split(string(text), "\n")[1:] {
		name, _, _ := strings.Cut(l, " ")
		faulty[name] = true
	}
	var unsplit []string
	total := 0
	for name, wire := range emls(t) {
		m := checkIdentity(t, wire, Options{})
		if m == nil {
			continue // NUL: refused
		}
		total++
		if !m.Unsplit {
			continue
		}
		unsplit = append(unsplit, name)
		if !faulty[name] {
			t.Errorf("%s is stored unsplit, although DBMail can hold it", name)
		}
	}
	slices.Sort(unsplit)
	t.Logf("unsplit: %d of %d vectors: %v", len(unsplit), total, unsplit)
	if got := strings.Join(unsplit, " "); got != "40-digest" {
		t.Errorf("unsplit: %s", got)
	}
}
