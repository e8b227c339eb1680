package main

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// bareWriter is one transaction of the bare loop.
type bareWriter struct {
	b     *bare
	tx    *sql.Tx
	group []*row
	phys  []uint64
}

// statementBytes bounds the blobs of one INSERT, below MariaDB's default
// max_allowed_packet of 16 MB even when quoting doubles them.
const statementBytes = 6 << 20

// preparedBytes is from where on a prepared statement is faster, as measured.
const preparedBytes = 64 << 10

// insert writes rows of so many columns with one statement.
func (w *bareWriter) insert(verb, table string, width int, args []any) error {
	if len(args) == 0 {
		return nil
	}
	_, err := w.tx.Exec(verb+" INTO "+table+" VALUES "+rowMarks(len(args)/width, width), args...)
	return err
}

// insertIDs is insert for a table that gives out ids.
func (w *bareWriter) insertIDs(table string, width int, args []any) ([]uint64, error) {
	if len(args) == 0 {
		return nil, nil
	}
	return scanIDs(w.tx.Query(insertQuery(table, width, args), args...))
}

// insertBlobs is insertIDs by a prepared statement. The driver then sends the
// arguments as they are instead of quoting them into the statement, which
// saves more than the two round trips cost, for both sides.
func (w *bareWriter) insertBlobs(table string, width int, args []any) ([]uint64, error) {
	s, err := w.tx.Prepare(insertQuery(table, width, args))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return scanIDs(s.Query(args...))
}

func insertQuery(table string, width int, args []any) string {
	return "INSERT INTO " + table + " VALUES " + rowMarks(len(args)/width, width) + " RETURNING id"
}

func scanIDs(rows *sql.Rows, err error) ([]uint64, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []uint64
	for rows.Next() {
		var id uint64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func rowMarks(rows, width int) string {
	one := "(?" + strings.Repeat(",?", width-1) + ")"
	return one + strings.Repeat(","+one, rows-1)
}

func (w *bareWriter) physmessages() (err error) {
	var args []any
	for _, r := range w.group {
		args = append(args, r.size, r.rfcSize, r.received)
	}
	w.phys, err = w.insertIDs("dbmail_physmessage (messagesize, rfcsize, internal_date)", 3, args)
	return err
}

func (w *bareWriter) parts() error {
	var fresh, args []any
	var ids []uint64
	bytes := 0
	flush := func() error {
		insert := w.insertIDs
		if bytes > preparedBytes {
			insert = w.insertBlobs
		}
		some, err := insert("dbmail_mimeparts (hash, data, size)", 3, fresh)
		ids, fresh, bytes = append(ids, some...), fresh[:0], 0
		return err
	}
	for _, r := range w.group {
		for _, p := range r.parts {
			if p.shared != nil {
				continue
			}
			if bytes+len(p.Data) > statementBytes {
				if err := flush(); err != nil {
					return err
				}
			}
			fresh = append(fresh, p.hash, p.Data, len(p.Data))
			bytes += len(p.Data)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for i, r := range w.group {
		for _, p := range r.parts {
			args = append(args, w.phys[i], p.Header, p.Key, p.Depth, p.Order, id(p.shared, &ids))
		}
	}
	return w.insert("INSERT", "dbmail_partlists (physmessage_id, is_header, part_key, part_depth, part_order, part_id)", 6, args)
}

// id is that of a shared row, or the next of the new ones.
func id(shared *uint64, fresh *[]uint64) uint64 {
	if shared != nil {
		return *shared
	}
	first := (*fresh)[0]
	*fresh = (*fresh)[1:]
	return first
}

func (w *bareWriter) headers() error {
	var fresh, args []any
	for _, r := range w.group {
		for _, v := range r.values {
			if v.shared == nil {
				fresh = append(fresh, v.hash, v.Value, v.SortField, nullable(v.Date))
			}
		}
	}
	ids, err := w.insertIDs("dbmail_headervalue (hash, headervalue, sortfield, datefield)", 4, fresh)
	if err != nil {
		return err
	}
	for i, r := range w.group {
		for _, v := range r.values {
			args = append(args, w.phys[i], w.b.names[v.Name], id(v.shared, &ids))
		}
	}
	return w.insert("INSERT", "dbmail_header (physmessage_id, headername_id, headervalue_id)", 3, args)
}

func (w *bareWriter) envelopes() error {
	var args []any
	for i, r := range w.group {
		args = append(args, w.phys[i], r.envelope)
	}
	return w.insert("INSERT", "dbmail_envelope (physmessage_id, envelope)", 2, args)
}

func (w *bareWriter) references() error {
	var args []any
	for i, r := range w.group {
		for _, ref := range r.references {
			args = append(args, w.phys[i], ref)
		}
	}
	return w.insert("INSERT", "dbmail_referencesfield (physmessage_id, referencesfield)", 2, args)
}

// increase adds to a column of many rows by their ids, in ascending order.
func (w *bareWriter) increase(table, column, idColumn string, by map[uint64]int64) error {
	ids := make([]uint64, 0, len(by))
	for id := range by {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var cases, list []any
	for _, id := range ids {
		cases, list = append(cases, id, by[id]), append(list, id)
	}
	_, err := w.tx.Exec(fmt.Sprintf("UPDATE %s SET %s = %s + CASE %s%s END WHERE %s IN %s", table, column, column, idColumn,
		strings.Repeat(" WHEN ? THEN ?", len(ids)), idColumn, rowMarks(1, len(ids))), append(cases, list...)...)
	return err
}

func (w *bareWriter) mailboxes() error {
	by := map[uint64]int64{}
	for _, r := range w.group {
		for _, u := range r.to {
			by[w.b.boxes[u]]++
		}
	}
	return w.increase("dbmail_mailboxes", "seq", "mailbox_idnr", by)
}

func (w *bareWriter) messages() error {
	var args []any
	for i, r := range w.group {
		for _, u := range r.to {
			args = append(args, w.b.boxes[u], w.phys[i], uniqueID(), 1, 0, w.b.seq[u].Add(1))
		}
	}
	return w.insert("INSERT", "dbmail_messages (mailbox_idnr, physmessage_id, unique_id, recent_flag, status, seq)", 6, args)
}

func (w *bareWriter) quotas() error {
	by := map[uint64]int64{}
	for _, r := range w.group {
		for _, u := range r.to {
			by[w.b.owners[u]] += r.size
		}
	}
	return w.increase("dbmail_users", "curmail_size", "user_idnr", by)
}
