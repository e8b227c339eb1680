-- Tables of Gatepost's own. Nothing of DBMail's refers to them; dropping them
-- takes Gatepost out of the store.

-- What the smarthost has accepted, so that a delivery which is repeated after a
-- lost reply does not forward twice. mark is a lower-case hex digest; accepted
-- is UTC.
CREATE TABLE `gatepost_forwards` (
  `mark` char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `accepted` datetime NOT NULL,
  PRIMARY KEY (`mark`),
  KEY `gatepost_forwards_accepted` (`accepted`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Whose entry in the directory a user is: entry_uuid is its entryUUID in lower
-- case, login the userid at the moment when it was noted (UTC).
CREATE TABLE `gatepost_{scope}users` (
  `user_idnr` bigint unsigned NOT NULL,
  `entry_uuid` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `login` varchar(255) NOT NULL,
  `noted` datetime NOT NULL,
  PRIMARY KEY (`user_idnr`),
  UNIQUE KEY `gatepost_users_uuid` (`entry_uuid`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
