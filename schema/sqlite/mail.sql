-- Folders, messages and the blobs that messages are made of.

-- Folders. seq is the mailbox's HIGHESTMODSEQ.
CREATE TABLE "{prefix}mailboxes" (
  "mailbox_idnr" INTEGER PRIMARY KEY,
  "owner_idnr" INTEGER NOT NULL DEFAULT '0',
  "name" TEXT BINARY NOT NULL,
  "seq" INTEGER NOT NULL DEFAULT '0',
  "seen_flag" BOOLEAN NOT NULL DEFAULT '0',
  "answered_flag" BOOLEAN NOT NULL DEFAULT '0',
  "deleted_flag" BOOLEAN NOT NULL DEFAULT '0',
  "flagged_flag" BOOLEAN NOT NULL DEFAULT '0',
  "recent_flag" BOOLEAN NOT NULL DEFAULT '0',
  "draft_flag" BOOLEAN NOT NULL DEFAULT '0',
  "no_inferiors" BOOLEAN NOT NULL DEFAULT '0',
  "no_select" BOOLEAN NOT NULL DEFAULT '0',
  "permission" BOOLEAN DEFAULT '2'
);

CREATE INDEX "{prefix}mailbox_4" ON "{prefix}mailboxes" ("seq");

CREATE INDEX "{prefix}mailboxes_1" ON "{prefix}mailboxes" ("name");

CREATE INDEX "{prefix}mailboxes_2" ON "{prefix}mailboxes" ("owner_idnr");

CREATE UNIQUE INDEX "{prefix}mailboxes_3" ON "{prefix}mailboxes" ("owner_idnr", "name");

-- Which folders a user is subscribed to.
CREATE TABLE "{prefix}subscription" (
  "user_id" INTEGER NOT NULL,
  "mailbox_id" INTEGER NOT NULL
);

CREATE UNIQUE INDEX "{prefix}subscriptioin_1" ON "{prefix}subscription" ("user_id", "mailbox_id");

-- Rights of other users on a folder (RFC 4314).
CREATE TABLE "{prefix}acl" (
  "user_id" INTEGER NOT NULL,
  "mailbox_id" INTEGER NOT NULL,
  "lookup_flag" BOOLEAN NOT NULL DEFAULT '0',
  "read_flag" BOOLEAN NOT NULL DEFAULT '0',
  "seen_flag" BOOLEAN NOT NULL DEFAULT '0',
  "write_flag" BOOLEAN NOT NULL DEFAULT '0',
  "insert_flag" BOOLEAN NOT NULL DEFAULT '0',
  "post_flag" BOOLEAN NOT NULL DEFAULT '0',
  "create_flag" BOOLEAN NOT NULL DEFAULT '0',
  "delete_flag" BOOLEAN NOT NULL DEFAULT '0',
  "deleted_flag" BOOLEAN NOT NULL DEFAULT '0',
  "expunge_flag" BOOLEAN NOT NULL DEFAULT '0',
  "administer_flag" BOOLEAN NOT NULL DEFAULT '0'
);

CREATE INDEX "{prefix}acl_1" ON "{prefix}acl" ("user_id");

CREATE INDEX "{prefix}acl_2" ON "{prefix}acl" ("mailbox_id");

CREATE UNIQUE INDEX "{prefix}acl_3" ON "{prefix}acl" ("user_id", "mailbox_id");

-- One row for each distinct message, shared by all its copies. Dates are UTC.
CREATE TABLE "{prefix}physmessage" (
  "id" INTEGER PRIMARY KEY,
  "messagesize" INTEGER NOT NULL DEFAULT '0',
  "rfcsize" INTEGER NOT NULL DEFAULT '0',
  "internal_date" DATETIME NOT NULL DEFAULT '0'
);

-- One row for each copy in a folder. message_idnr is the IMAP UID, seq the
-- MODSEQ; status below 2 is visible.
CREATE TABLE "{prefix}messages" (
  "message_idnr" INTEGER PRIMARY KEY,
  "mailbox_idnr" INTEGER NOT NULL DEFAULT '0',
  "physmessage_id" INTEGER NOT NULL DEFAULT '0',
  "seen_flag" BOOLEAN NOT NULL DEFAULT '0',
  "answered_flag" BOOLEAN NOT NULL DEFAULT '0',
  "deleted_flag" BOOLEAN NOT NULL DEFAULT '0',
  "flagged_flag" BOOLEAN NOT NULL DEFAULT '0',
  "recent_flag" BOOLEAN NOT NULL DEFAULT '0',
  "draft_flag" BOOLEAN NOT NULL DEFAULT '0',
  "unique_id" TEXT NOT NULL,
  "status" BOOLEAN unsigned NOT NULL DEFAULT '0',
  "seq" INTEGER NOT NULL DEFAULT '0'
);

CREATE INDEX "{prefix}messages_1" ON "{prefix}messages" ("mailbox_idnr");

CREATE INDEX "{prefix}messages_2" ON "{prefix}messages" ("physmessage_id");

CREATE INDEX "{prefix}messages_3" ON "{prefix}messages" ("seen_flag");

CREATE INDEX "{prefix}messages_4" ON "{prefix}messages" ("unique_id");

CREATE INDEX "{prefix}messages_5" ON "{prefix}messages" ("status");

CREATE INDEX "{prefix}messages_6" ON "{prefix}messages" ("mailbox_idnr", "status");

CREATE INDEX "{prefix}messages_7" ON "{prefix}messages" ("mailbox_idnr", "status", "seen_flag");

CREATE INDEX "{prefix}messages_8" ON "{prefix}messages" ("mailbox_idnr", "status", "recent_flag");

CREATE INDEX "{prefix}messages_seq_index" ON "{prefix}messages" ("seq");

-- IMAP keywords of a copy.
CREATE TABLE "{prefix}keywords" (
  "keyword" TEXT NOT NULL,
  "message_idnr" INT NOT NULL
);

CREATE UNIQUE INDEX "{prefix}keywords_1" ON "{prefix}keywords" ("keyword", "message_idnr");

-- Header and body blobs, LF line ends, shared by hash, size and content.
CREATE TABLE "{prefix}mimeparts" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "hash" TEXT NOT NULL,
  "data" BLOB NOT NULL,
  "size" INTEGER NOT NULL
);

CREATE INDEX "{prefix}mimeparts_1" ON "{prefix}mimeparts" ("hash");

-- Which blobs make up a message, in reading order.
CREATE TABLE "{prefix}partlists" (
  "physmessage_id" INTEGER NOT NULL,
  "is_header" BOOLEAN NOT NULL DEFAULT '0',
  "part_key" INTEGER NOT NULL DEFAULT '0',
  "part_depth" INTEGER NOT NULL DEFAULT '0',
  "part_order" INTEGER NOT NULL DEFAULT '0',
  "part_id" INTEGER NOT NULL
);

CREATE INDEX "{prefix}partlists_1" ON "{prefix}partlists" ("physmessage_id");

CREATE INDEX "{prefix}partlists_2" ON "{prefix}partlists" ("part_id");

CREATE UNIQUE INDEX "{scope}message_parts" ON "{prefix}partlists" ("physmessage_id", "part_key", "part_depth", "part_order");

-- Message store of DBMail 2. Nothing writes it any more.
CREATE TABLE "{prefix}messageblks" (
  "messageblk_idnr" INTEGER PRIMARY KEY,
  "physmessage_id" INTEGER NOT NULL DEFAULT '0',
  "messageblk" TEXT NOT NULL,
  "blocksize" INTEGER NOT NULL DEFAULT '0',
  "is_header" BOOLEAN NOT NULL DEFAULT '0'
);

CREATE INDEX "{prefix}messageblks_1" ON "{prefix}messageblks" ("physmessage_id");

CREATE INDEX "{prefix}messageblks_2" ON "{prefix}messageblks" ("physmessage_id", "is_header");
