-- The header cache and the other tables that serve IMAP SORT, SEARCH and THREAD.

-- Cached header names. With a read-only header cache only these are cached.
CREATE TABLE "{prefix}headername" (
  "id" INTEGER PRIMARY KEY,
  "headername" TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX "{prefix}headername_1" ON "{prefix}headername" ("headername");

-- Cached header values; sortfield and datefield serve IMAP SORT and SEARCH.
CREATE TABLE "{prefix}headervalue" (
  "id" INTEGER NOT NULL PRIMARY KEY,
  "hash" TEXT NOT NULL,
  "headervalue" BLOB NOT NULL,
  "sortfield" TEXT NOT NULL,
  "datefield" DATETIME
);

CREATE INDEX "{prefix}headervalue_1" ON "{prefix}headervalue" ("hash");

CREATE INDEX "{prefix}headervalue_2" ON "{prefix}headervalue" ("sortfield");

CREATE INDEX "{prefix}headervalue_3" ON "{prefix}headervalue" ("datefield");

-- Which message has which cached header.
CREATE TABLE "{prefix}header" (
  "physmessage_id" INTEGER NOT NULL,
  "headername_id" INTEGER NOT NULL,
  "headervalue_id" INTEGER NOT NULL
);

CREATE UNIQUE INDEX "{prefix}header_1" ON "{prefix}header" ("physmessage_id", "headername_id", "headervalue_id");

-- The IMAP ENVELOPE of a message, ready to send.
CREATE TABLE "{prefix}envelope" (
  "physmessage_id" INTEGER NOT NULL,
  "id" INTEGER NOT NULL PRIMARY KEY,
  "envelope" TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX "{prefix}envelope_1" ON "{prefix}envelope" ("physmessage_id");

CREATE UNIQUE INDEX "{prefix}envelope_2" ON "{prefix}envelope" ("physmessage_id", "id");

-- Message-IDs a message refers to, without angle brackets (IMAP THREAD).
CREATE TABLE "{prefix}referencesfield" (
  "physmessage_id" INTEGER NOT NULL,
  "id" INTEGER NOT NULL PRIMARY KEY,
  "referencesfield" TEXT NOT NULL DEFAULT ''
);

CREATE UNIQUE INDEX "{prefix}referencesfield_1" ON "{prefix}referencesfield" ("physmessage_id", "referencesfield");
