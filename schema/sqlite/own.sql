-- Tables of Gatepost's own. Nothing of DBMail's refers to them; dropping them
-- takes Gatepost out of the store.

-- What the smarthost has accepted, so that a delivery which is repeated after a
-- lost reply does not forward twice. mark is a lower-case hex digest; accepted
-- is UTC.
CREATE TABLE "gatepost_forwards" (
  "mark" TEXT NOT NULL PRIMARY KEY,
  "accepted" DATETIME NOT NULL
);

CREATE INDEX "gatepost_forwards_accepted" ON "gatepost_forwards" ("accepted");

-- Whose entry in the directory a user is: entry_uuid is its entryUUID in lower
-- case, login the userid at the moment when it was noted (UTC).
CREATE TABLE "gatepost_{scope}users" (
  "user_idnr" INTEGER PRIMARY KEY,
  "entry_uuid" TEXT NOT NULL,
  "login" TEXT NOT NULL,
  "noted" DATETIME NOT NULL
);

CREATE UNIQUE INDEX "gatepost_{scope}users_uuid" ON "gatepost_{scope}users" ("entry_uuid");
