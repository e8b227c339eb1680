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
