-- What a store holds before its first message.

-- Which upgrades the store has been through; daemons look for the last one.
CREATE TABLE `{prefix}upgrade_steps` (
  `from_version` int NOT NULL,
  `to_version` int NOT NULL,
  `applied` datetime NOT NULL,
  UNIQUE KEY `from_version` (`from_version`, `to_version`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- The owner of a message while it is being delivered, the user that stands for
-- all users in access lists and filters, and the owner of public folders.
INSERT INTO `{prefix}users` (`user_idnr`, `userid`, `passwd`, `encryption_type`) VALUES
  (1, '__@!internal_delivery_user!@__', '', 'md5'),
  (2, 'anyone', '', 'md5'),
  (3, '__public__', '', 'md5');

-- Header names that are cached, in the order in which DBMail's daemons add them
-- to an empty table. The ids are given so that a cluster's auto_increment step
-- does not change them.
INSERT INTO `{prefix}headername` (`id`, `headername`) VALUES
  (1, 'return-path'),
  (2, 'reply-to'),
  (3, 'in-reply-to'),
  (4, 'references'),
  (5, 'content-disposition'),
  (6, 'content-type'),
  (7, 'subject'),
  (8, 'date'),
  (9, 'bcc'),
  (10, 'cc'),
  (11, 'to'),
  (12, 'from');

-- 35001 made the texts utf8mb4; without a row for 35002 DBMail 3.5 refuses to
-- start. Last, so that a store without it is one that was not finished.
INSERT INTO `{prefix}upgrade_steps` (`from_version`, `to_version`, `applied`) VALUES
  (0, 32001, CURRENT_TIMESTAMP),
  (32001, 32002, CURRENT_TIMESTAMP),
  (32001, 32003, CURRENT_TIMESTAMP),
  (32001, 32004, CURRENT_TIMESTAMP),
  (32001, 32005, CURRENT_TIMESTAMP),
  (32001, 32006, CURRENT_TIMESTAMP),
  (32006, 35001, CURRENT_TIMESTAMP),
  (35001, 35002, CURRENT_TIMESTAMP);
