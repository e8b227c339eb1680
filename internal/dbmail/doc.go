// Package dbmail is the store: the only code that knows DBMail's tables.
//
// It delivers into, reads from and checks a database with the schema of
// DBMail 3.x, on MySQL, MariaDB or SQLite. Rows are those that DBMail's own
// delivery would have left behind, so that its IMAP server and its tools read
// them; what DBMail does in some fifty transactions is one here.
//
// # Order inside the transaction
//
// message_idnr is the IMAP UID and seq the MODSEQ: both are given out at
// INSERT and seen at COMMIT. A message that becomes visible below one that a
// client has seen already is lost to that client. So a transaction
//
//  1. writes blobs, part lists, headers, envelope and references;
//  2. locks the rows of the users, in ascending id;
//  3. looks for copies that an earlier attempt has left (see Mark);
//  4. locks the rows of the mailboxes, in ascending id, and raises their seq;
//  5. only then inserts the message rows, and charges the quota.
//
// All writers of this package take locks in that order, so they wait for each
// other but never in a circle; and since the mailbox row is held from before
// the INSERT until after the COMMIT, ids and seqs of one mailbox become
// visible in their own order.
//
// # Users of the directory
//
// A user of the directory is a row of dbmail_users without a password, as
// DBMail makes it for LDAP. The first delivery makes it behind step 2, and
// INBOX with it; the quota is the directory's and is never written. Three
// things must belong together, in Identify and again behind the lock: the
// number (uidNumber, user_idnr), the login (uid, userid) and the entry
// (entryUUID, noted in gatepost_users at the first delivery).
//
//	row   login       noted entry   what happens
//	no    nobody has  at nobody     the row is made, the entry noted
//	yes   the same    the same      delivered
//	yes   the same    none          delivered, the entry noted
//	yes   another     the same      the row is renamed, if nobody has the login
//	      anything else             ErrPairing: RenameUser or AdoptUser settles it
//
// A row of gatepost_users is written only behind the lock of its user's row.
// What is noted for a user who is gone counts for nothing.
//
// # Where it differs from DBMail on purpose
//
//   - One transaction for a message and all its recipients, and for all
//     messages that wait at that moment (group delivery), instead of dozens.
//   - No temporary copy in the internal delivery user's INBOX, hence no gap in
//     the UIDs and no orphan rows for messages that nobody received.
//   - A user reached twice by one message gets one copy.
//   - unique_id is 24 hex digits that name sender, user and bytes, and 8
//     random ones: still unique, and a repeated delivery is recognised.
//   - A blob is reused only while some other message links it, and that link
//     stays locked until COMMIT, so that dbmail-util cannot take it away.
//   - Mailbox names are compared whole; no wildcard in an address is one.
//   - Inactive and internal users receive nothing.
package dbmail
