package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// column compares one column; have is nil when it is missing.
func (c *comparison) column(t *table, want column, have *column) {
	d := Difference{Object: t.name + "." + want.name, Want: want.describe(), Severity: Breaks}
	if have == nil {
		d.Have = missing
		d.Why = "statements that name the column fail; mend with ALTER TABLE … ADD COLUMN as `schema print` shows it"
		c.add(d)
		return
	}
	d.Have = have.describe()
	for _, v := range []verdict{
		c.typeVerdict(t, want, *have), autoVerdict(want, *have), nullVerdict(t, want, *have),
		fallbackVerdict(want, *have), charsetVerdict(want, *have),
	} {
		if v.severity != 0 {
			d.Severity, d.Why = v.severity, v.why
			c.add(d)
		}
	}
}

// verdict is what one property of a column means; without severity it is no
// difference.
type verdict struct {
	severity Severity
	why      string
}

// describe writes the column much as SQL does.
func (c column) describe() string {
	s := c.typ
	if c.charset != "" {
		s += " " + c.charset
		if !strings.HasSuffix(c.collation, "_general_ci") {
			s += " " + c.collation
		}
	}
	if !c.nullable {
		s += " NOT NULL"
	}
	if c.fallback != nil {
		s += fmt.Sprintf(" DEFAULT '%s'", *c.fallback)
	}
	if c.auto {
		s += " AUTO_INCREMENT"
	}
	return s
}

func (c *comparison) typeVerdict(t *table, want, have column) verdict {
	if c.dialect == SQLite {
		return affinityVerdict(t, want, have)
	}
	w, h := classOf(want.typ), classOf(have.typ)
	switch {
	case w.family == h.family && h.capacity < w.capacity:
		return verdict{Degrades, "values that fit DBMail's own column are refused or cut here; " +
			"mend with ALTER TABLE … MODIFY"}
	case w.family == h.family && w.unsigned != h.unsigned:
		return verdict{Advice, "values differ only beyond what a store holds, but foreign keys need equal types; " +
			"mend with ALTER TABLE … MODIFY when convenient"}
	case w.family == h.family:
		return verdict{}
	case w.family == "characters" && h.family == "bytes":
		return verdict{Degrades, "text is compared byte by byte, so look-ups tell upper from lower case; " +
			"mend with ALTER TABLE … MODIFY"}
	case w.family == "bytes" && h.family == "characters":
		return verdict{Breaks, "mail that is not valid in the column's character set is refused; " +
			"mend with ALTER TABLE … MODIFY"}
	case w.family == "datetime" && h.family == "timestamp":
		return verdict{Degrades, "times are shifted by the session's time zone, and dates before 1970 are refused; " +
			"mend with ALTER TABLE … MODIFY"}
	default:
		return verdict{Breaks, "the column does not hold the values that DBMail's programs write and read; " +
			"mend with ALTER TABLE … MODIFY"}
	}
}

func autoVerdict(want, have column) verdict {
	if want.auto && !have.auto {
		return verdict{Breaks, "rows are inserted without an id and get none; " +
			"mend with ALTER TABLE … MODIFY … AUTO_INCREMENT"}
	}
	return verdict{}
}

func nullVerdict(t *table, want, have column) verdict {
	switch {
	case t.isID(want):
		return verdict{} // SQLite gives a number in place of NULL either way
	case want.nullable && !have.nullable:
		return verdict{Degrades, "rows in which DBMail leaves the column NULL are refused; " +
			"mend with ALTER TABLE … MODIFY … NULL"}
	case !want.nullable && have.nullable && (want.fallback == nil || have.fallback != nil):
		return verdict{Advice, "incomplete rows are not refused; mend with ALTER TABLE … MODIFY … NOT NULL"}
	default:
		return verdict{}
	}
}

func fallbackVerdict(want, have column) verdict {
	switch {
	case want.fallback == nil || have.fallback != nil && strings.EqualFold(*want.fallback, *have.fallback):
		return verdict{}
	case have.fallback != nil && strings.HasPrefix(strings.ToLower(want.typ), "datetime"):
		return verdict{Advice, "it stands only in rows that were never given a time; " +
			"mend with ALTER TABLE … ALTER COLUMN … SET DEFAULT"}
	case have.fallback != nil:
		return verdict{Degrades, "rows inserted without the column get another value than DBMail's programs expect; " +
			"mend with ALTER TABLE … ALTER COLUMN … SET DEFAULT"}
	case have.nullable:
		return verdict{Degrades, "rows inserted without the column hold NULL, which DBMail's programs do not look for; " +
			"mend with ALTER TABLE … ALTER COLUMN … SET DEFAULT"}
	default:
		return verdict{Breaks, "an INSERT that leaves the column out is refused; " +
			"mend with ALTER TABLE … ALTER COLUMN … SET DEFAULT"}
	}
}

// ascii are columns that never hold anything else, whatever their table.
var ascii = map[string]bool{
	"hash": true, "unique_id": true, "encryption_type": true, "passwd": true, "spasswd": true, "status": true,
	"service": true, "src_ip": true, "dst_ip": true, "ipnumber": true, "sock_allow": true, "sock_deny": true,
}

// caseSensitive finds collations such as utf8mb4_bin and utf8mb4_0900_as_cs,
// but not the Czech utf8mb4_cs_0900_ai_ci.
var caseSensitive = regexp.MustCompile(`_bin$|_as_cs|_cs$`)

func charsetVerdict(want, have column) verdict {
	if have.charset == "" || want.charset != "utf8mb4" || ascii[want.name] {
		return verdict{} // another family of types, or any character set does
	}
	const mend = "; mend with DBMail's upgrade 35001 or ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4"
	switch {
	case have.charset == "utf8mb4" && caseSensitive.MatchString(have.collation):
		return verdict{Degrades, "look-ups tell upper from lower case; " +
			"mend with ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"}
	case have.charset == "utf8mb4":
		return verdict{}
	case have.charset == "utf8mb3" || have.charset == "utf8":
		return verdict{Degrades, "characters of four bytes (emoji, some names) are refused or stored as ?" + mend}
	default:
		return verdict{Degrades, "characters outside " + have.charset + " are refused or stored as ?" + mend}
	}
}

// extraColumn reports a column that DBMail does not know and that its
// INSERTs cannot leave out.
func (c *comparison) extraColumn(want *table, have column) {
	if want.column(have.name) != nil || have.nullable || have.fallback != nil || have.auto {
		return
	}
	c.add(Difference{
		Object: want.name + "." + have.name, Want: "no such column", Have: have.describe(), Severity: Breaks,
		Why: "DBMail's INSERTs leave it out and are refused; give it a default or drop it",
	})
}
