package schema

import (
	"context"
	"database/sql"
	"fmt"
)

// seed is a row that a store holds before its first message.
type seed struct {
	table, column, value string
	severity             Severity
	why                  string
}

// seeds repeats the rows of seed.sql by what DBMail finds them by; under
// which ids they stand does not matter to it.
func seeds() []seed {
	const insert = "; mend with the INSERT that `schema print` shows"
	all := []seed{
		{"users", "userid", "__@!internal_delivery_user!@__", Breaks,
			"DBMail's programs own mail by it while they deliver, and accept none without" + insert},
		{"users", "userid", "anyone", Degrades,
			"folders shared with everybody and filters for everybody do not work" + insert},
		{"users", "userid", "__public__", Degrades,
			"public folders do not work" + insert},
	}
	for _, h := range []string{
		"return-path", "reply-to", "in-reply-to", "references", "content-disposition", "content-type",
		"subject", "date", "bcc", "cc", "to", "from",
	} {
		all = append(all, seed{"headername", "headername", h, Degrades,
			"this header of new mail is not cached, so IMAP SORT and SEARCH do not find it; " +
				"a DBMail daemon adds the name when it starts"})
	}
	const again = "a DBMail 3.5 daemon runs the upgrade when it starts, for which it needs the right to ALTER"
	for _, step := range []string{"32001", "32002", "32003", "32004", "32005", "32006"} {
		all = append(all, seed{"upgrade_steps", "to_version", step, Degrades, again})
	}
	return append(all,
		seed{"upgrade_steps", "to_version", "35001", Degrades,
			"before this upgrade texts were not utf8mb4, and characters of four bytes are refused or stored as ?; " + again},
		seed{"upgrade_steps", "to_version", "35002", Degrades,
			"DBMail 3.5 daemons refuse to run without it; " + again + " (it makes mimeparts ROW_FORMAT=COMPRESSED)"})
}

// rows looks for the seeds in the tables that are there.
func (c *comparison) rows(ctx context.Context, db querier) error {
	for _, s := range seeds() {
		name := c.prefix + s.table
		t := c.have.table(name)
		if t == nil || t.column(s.column) == nil {
			continue // reported as missing
		}
		found, err := c.hasRow(ctx, db, t.name, s)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if !found {
			c.add(Difference{
				Object: "row " + name + " " + s.value, Want: s.column + " " + s.value, Have: missing,
				Severity: s.severity, Why: s.why,
			})
		}
	}
	return nil
}

// hasRow compares without case, as DBMail does. Both databases take names
// between backticks, MySQL in every sql_mode.
func (c *comparison) hasRow(ctx context.Context, db querier, table string, s seed) (bool, error) {
	query := fmt.Sprintf("SELECT 1 FROM `%s` WHERE lower(`%s`) = ? LIMIT 1", table, s.column)
	found := false
	err := each(ctx, db, query, []any{s.value}, func(*sql.Rows) error {
		found = true
		return nil
	})
	return found, err
}
