package schema

import (
	"embed"
	"fmt"
	"io"
	"strings"
)

//go:embed mysql/*.sql sqlite/*.sql
var files embed.FS

// sections are the files of a dialect in the order in which they run.
// Gatepost's own tables are always in own.sql.
func sections(d Dialect) []string {
	s := []string{"accounts", "mail", "headers", "views", "seed"}
	if d == SQLite {
		s = append(s, "triggers-accounts", "triggers-mail", "triggers-headers")
	}
	return s
}

const ownSection = "own"

// statement is one paragraph of a file: the lines of comment above it and
// its SQL, without the final semicolon.
type statement struct {
	comment, sql string
}

// statements returns what a dialect runs for the named sections.
func statements(d Dialect, o Options, sections ...string) ([]statement, error) {
	prefix, err := o.prefix()
	if err != nil {
		return nil, err
	}
	if d != MySQL && d != SQLite {
		return nil, fmt.Errorf("unknown database dialect %q", d)
	}
	names := replacer(prefix, o.Compressed)
	var all []statement
	for _, s := range sections {
		text, err := files.ReadFile(string(d) + "/" + s + ".sql")
		if err != nil {
			return nil, fmt.Errorf("read embedded SQL: %w", err)
		}
		for paragraph := range strings.SplitSeq(string(text), "\n\n") {
			all = append(all, parseParagraph(names.Replace(paragraph)))
		}
	}
	return all, nil
}

// replacer fills the tokens of the files: {prefix} begins a table's name;
// {scope} begins the names that SQLite keeps in one space for the whole
// database and that carry no prefix in DBMail, so that two stores with
// different prefixes fit into one file; {row_format} is that of the blobs.
func replacer(prefix string, compressed bool) *strings.Replacer {
	scope, rowFormat := prefix, "DYNAMIC"
	if prefix == DefaultPrefix {
		scope = ""
	}
	if compressed {
		rowFormat = "COMPRESSED"
	}
	return strings.NewReplacer("{prefix}", prefix, "{scope}", scope, "{row_format}", rowFormat)
}

// parseParagraph takes the leading lines of comment off a paragraph.
func parseParagraph(p string) statement {
	var s statement
	for line := range strings.Lines(p) {
		if s.sql == "" && strings.HasPrefix(line, "--") {
			s.comment += line
		} else {
			s.sql += line
		}
	}
	s.sql = strings.TrimSuffix(strings.TrimSpace(s.sql), ";")
	s.comment = strings.TrimSpace(s.comment)
	return s
}

// String is the statement as the database's own client reads it.
func (s statement) String() string {
	switch {
	case s.sql == "":
		return s.comment
	case s.comment == "":
		return s.sql + ";"
	default:
		return s.comment + "\n" + s.sql + ";"
	}
}

// Print writes the SQL that Apply would run on an empty database, in a form
// that the clients mysql, mariadb and sqlite3 read.
func Print(w io.Writer, d Dialect, o Options) error {
	s := sections(d)
	if o.Own {
		s = append(s, ownSection)
	}
	all, err := statements(d, o, s...)
	if err != nil {
		return err
	}
	if d == SQLite {
		all = append([]statement{{sql: "BEGIN IMMEDIATE"}}, all...)
		all = append(all, statement{sql: "COMMIT"})
	}
	for i, st := range all {
		separator := "\n\n"
		if i == len(all)-1 {
			separator = "\n"
		}
		if _, err := io.WriteString(w, st.String()+separator); err != nil {
			return fmt.Errorf("write SQL: %w", err)
		}
	}
	return nil
}
