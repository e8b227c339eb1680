-- Accounts, addresses, and what is done with mail before it lies in a folder.

-- Accounts, their quota (maxmail_size, bytes, 0 = none) and use (curmail_size).
-- Directory accounts get a row too; passwd is then UNUSED.
CREATE TABLE "{prefix}users" (
  "user_idnr" INTEGER PRIMARY KEY,
  "userid" TEXT NOT NULL,
  "passwd" TEXT NOT NULL,
  "client_idnr" INTEGER NOT NULL DEFAULT '0',
  "maxmail_size" INTEGER NOT NULL DEFAULT '0',
  "curmail_size" INTEGER NOT NULL DEFAULT '0',
  "encryption_type" TEXT NOT NULL DEFAULT '',
  "last_login" DATETIME NOT NULL DEFAULT '1979-11-03 22:05:58',
  "spasswd" VARCHAR(130) NOT NULL DEFAULT '',
  "saction" SMALLINT NOT NULL DEFAULT '0',
  "active" SMALLINT NOT NULL DEFAULT '1'
);

CREATE UNIQUE INDEX "{prefix}users_1" ON "{prefix}users" ("userid");

-- Addresses. deliver_to is a user_idnr, another alias or an external address.
CREATE TABLE "{prefix}aliases" (
  "alias_idnr" INTEGER PRIMARY KEY,
  "alias" TEXT NOT NULL,
  "deliver_to" TEXT NOT NULL,
  "client_idnr" INTEGER NOT NULL DEFAULT '0'
);

CREATE INDEX "{prefix}aliases_index_1" ON "{prefix}aliases" ("alias");

CREATE INDEX "{prefix}aliases_index_2" ON "{prefix}aliases" ("client_idnr");

-- Login name rewriting by client address.
CREATE TABLE "{prefix}usermap" (
  "login" TEXT NOT NULL,
  "sock_allow" TEXT NOT NULL,
  "sock_deny" TEXT NOT NULL,
  "userid" TEXT NOT NULL
);

CREATE UNIQUE INDEX "{scope}usermap_idx_1" ON "{prefix}usermap" ("login", "sock_allow", "userid");

-- Header pattern to folder, per user or for all (user anyone).
CREATE TABLE "{prefix}filters" (
  "id" INTEGER PRIMARY KEY,
  "user_id" INTEGER NOT NULL,
  "headername" TEXT NOT NULL,
  "headervalue" TEXT NOT NULL,
  "mailbox" TEXT NOT NULL
);

CREATE UNIQUE INDEX "{prefix}filters_index_1" ON "{prefix}filters" ("user_id", "id");

-- Sieve scripts; at most one per user is active.
CREATE TABLE "{prefix}sievescripts" (
  "owner_idnr" INTEGER NOT NULL DEFAULT '0',
  "name" TEXT NOT NULL,
  "script" TEXT,
  "active" BOOLEAN NOT NULL DEFAULT '0'
);

CREATE INDEX "{prefix}sievescripts_1" ON "{prefix}sievescripts" ("name");

CREATE INDEX "{prefix}sievescripts_2" ON "{prefix}sievescripts" ("owner_idnr");

CREATE UNIQUE INDEX "{prefix}sievescripts_3" ON "{prefix}sievescripts" ("owner_idnr", "name");

-- Who got an automatic reply, and when.
CREATE TABLE "{prefix}replycache" (
  "to_addr" TEXT NOT NULL DEFAULT '',
  "from_addr" TEXT NOT NULL DEFAULT '',
  "handle" TEXT NOT NULL DEFAULT '',
  "lastseen" datetime NOT NULL DEFAULT '0000-00-00 00:00:00'
);

CREATE UNIQUE INDEX "{prefix}replycache_1" ON "{prefix}replycache" ("to_addr", "from_addr", "handle");

-- Where to send a note on each delivery.
CREATE TABLE "{prefix}auto_notifications" (
  "user_idnr" INTEGER PRIMARY KEY,
  "notify_address" TEXT
);

-- Automatic replies and when they hold.
CREATE TABLE "{prefix}auto_replies" (
  "user_idnr" INTEGER PRIMARY KEY,
  "reply_body" TEXT,
  "start_date" DATETIME NOT NULL DEFAULT '1980-01-01 22:05:58',
  "stop_date" DATETIME NOT NULL DEFAULT '1980-01-01 22:05:58'
);

-- Logins, kept when DBMail is told to.
CREATE TABLE "{prefix}authlog" (
  "id" INTEGER PRIMARY KEY,
  "userid" TEXT,
  "service" TEXT,
  "login_time" DATETIME,
  "logout_time" DATETIME,
  "src_ip" TEXT,
  "src_port" INTEGER,
  "dst_ip" TEXT,
  "dst_port" INTEGER,
  "status" TEXT DEFAULT 'active',
  "bytes_rx" INTEGER NOT NULL DEFAULT '0',
  "bytes_tx" INTEGER NOT NULL DEFAULT '0'
);

-- POP before SMTP: addresses that logged in lately.
CREATE TABLE "{prefix}pbsp" (
  "idnr" INTEGER PRIMARY KEY,
  "since" DATETIME NOT NULL DEFAULT '0',
  "ipnumber" TEXT NOT NULL
);

CREATE UNIQUE INDEX "{prefix}pbsp_1" ON "{prefix}pbsp" ("ipnumber");

CREATE INDEX "{prefix}pbsp_2" ON "{prefix}pbsp" ("since");
