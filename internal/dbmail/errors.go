package dbmail

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Definite answers of the store: each is proven, none is a guess. Every other
// error means that the store cannot tell, and mail is to be deferred.
var (
	// ErrUnknown: no user, alias or catch-all has this address.
	ErrUnknown = errors.New("no such recipient")
	// ErrInactive: the address belongs to a user with active = 0.
	ErrInactive = errors.New("recipient is inactive")
	// ErrOverQuota: the message does not fit into the user's quota.
	ErrOverQuota = errors.New("over quota")
	// ErrNoPermission: the user's INBOX takes no mail (permission is not 2).
	ErrNoPermission = errors.New("mailbox is read-only")
	// ErrTooLarge: a part is larger than the server takes.
	ErrTooLarge = errors.New("message part is larger than the store takes")
	// ErrUndeliverable: an alias leads only to programs or into a circle.
	ErrUndeliverable = errors.New("alias leads to nothing that can receive mail")
	// ErrNotFound: no such row, for the operator's commands.
	ErrNotFound = errors.New("not found")
)

// ErrClosed is the answer to a delivery after Close.
var ErrClosed = errors.New("store is closed")

// fault says what can be done about an error of the database.
type fault int

const (
	faultUnknown fault = iota // not understood: try each message by itself
	faultRetry                // deadlock, lock wait, lost connection, vanished row: run again
	faultData                 // the message itself is refused
	faultTooBig               // the message itself is larger than the server takes
)

// MySQL and MariaDB error numbers that need a decision.
// https://mariadb.com/kb/en/mariadb-error-code-reference/
const (
	erConCount           = 1040
	erBadDB              = 1049 // a database that is being restored
	erUnknownCom         = 1047 // Galera: node not ready
	erServerShutdown     = 1053
	erDupEntry           = 1062 // another writer made the row first
	erNoSuchTable        = 1146
	erNetPacketTooLarge  = 1153
	erLockWait           = 1205
	erLockDeadlock       = 1213 // also a lost Galera certification
	erOptionPrevents     = 1290 // --read-only
	erQueryInterrupted   = 1317
	erTruncatedWrong     = 1366 // a character that the column cannot hold
	erDataTooLong        = 1406
	erTooLongParameter   = 1301
	erNoReferencedRow    = 1452 // the row that we link was deleted meanwhile
	erConnectionKilled   = 1927
	erReadOnlyTx         = 1792
	erNoReferencedRow2   = 1216
	erLongDataTooLarge   = 1105 // "Parameter of prepared statement … longer than 'max_allowed_packet'"
	erDiskFull           = 1021
	erRecordFileFull     = 1114
	erCheckRead          = 1020 // record has changed since last read
	erStatementTimeout   = 1969
	erTooManyConnections = 1203
)

func classify(err error) fault {
	if errors.Is(err, errNotTogether) {
		return faultUnknown
	}
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		switch my.Number {
		case erLockDeadlock, erLockWait, erDupEntry, erNoReferencedRow, erNoReferencedRow2, erUnknownCom, erServerShutdown,
			erConnectionKilled, erQueryInterrupted, erOptionPrevents, erReadOnlyTx, erConCount,
			erTooManyConnections, erCheckRead, erStatementTimeout, erDiskFull, erRecordFileFull, erBadDB:
			return faultRetry
		case erNetPacketTooLarge, erTooLongParameter:
			return faultTooBig
		case erLongDataTooLarge:
			if strings.Contains(my.Message, "max_allowed_packet") {
				return faultTooBig
			}
			return faultUnknown
		case erTruncatedWrong, erDataTooLong:
			return faultData
		}
		return faultUnknown
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_INTERRUPT,
			sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
			return faultRetry
		case sqlite3.SQLITE_TOOBIG:
			return faultTooBig
		case sqlite3.SQLITE_MISMATCH:
			return faultData
		}
		return faultUnknown
	}
	var ne net.Error
	switch {
	case errors.Is(err, mysql.ErrPktTooLarge):
		return faultTooBig
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, sql.ErrConnDone),
		errors.Is(err, sql.ErrTxDone), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, errNotWritable), errors.Is(err, errRowsGone), errors.As(err, &ne):
		return faultRetry
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return faultRetry
	}
	return faultUnknown
}

// errRowsGone says that rows which were read before the transaction are not
// there any more inside it; the next attempt reads afresh.
var errRowsGone = errors.New("rows changed since they were read")

// errInternal is a panic of ours while a group was written.
var errInternal = errors.New("internal error")

// errApart is a group in which what becomes of one message depends on another:
// its messages are written apart, where the users' locks put them in order.
var errApart = errors.New("messages of one group depend on each other")

// errNotTogether wraps an error that kept coming back for a whole group; its
// messages are tried apart.
var errNotTogether = errors.New("group fails again and again")

// mustReconnect says that the connection leads to a server that cannot write
// now, so that a new one, perhaps to another host, is needed.
func mustReconnect(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == erOptionPrevents || my.Number == erUnknownCom || my.Number == erServerShutdown
	}
	return false
}

// isNoTable says that a table of the query does not exist.
func isNoTable(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == erNoSuchTable
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && strings.Contains(lite.Error(), "no such table")
}

// isLockWait says that a row stayed locked by somebody else for too long.
func isLockWait(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && my.Number == erLockWait
}

// refusesRow says that the server refused a row, rather than to be busy or away.
func refusesRow(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		return my.Number == erDupEntry || my.Number == erNoReferencedRow || my.Number == erNoReferencedRow2
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}
