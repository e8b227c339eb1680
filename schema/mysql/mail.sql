-- Folders, messages and the blobs that messages are made of.

-- Folders. seq is the mailbox's HIGHESTMODSEQ.
CREATE TABLE `{prefix}mailboxes` (
  `mailbox_idnr` bigint unsigned NOT NULL AUTO_INCREMENT,
  `owner_idnr` bigint unsigned NOT NULL DEFAULT 0,
  `name` varchar(255) NOT NULL DEFAULT '',
  `seen_flag` tinyint(1) NOT NULL DEFAULT 0,
  `answered_flag` tinyint(1) NOT NULL DEFAULT 0,
  `deleted_flag` tinyint(1) NOT NULL DEFAULT 0,
  `flagged_flag` tinyint(1) NOT NULL DEFAULT 0,
  `recent_flag` tinyint(1) NOT NULL DEFAULT 0,
  `draft_flag` tinyint(1) NOT NULL DEFAULT 0,
  `no_inferiors` tinyint(1) NOT NULL DEFAULT 0,
  `no_select` tinyint(1) NOT NULL DEFAULT 0,
  `permission` tinyint(1) DEFAULT 2,
  `seq` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`mailbox_idnr`),
  UNIQUE KEY `owner_idnr_name_index` (`owner_idnr`, `name`),
  KEY `name_index` (`name`),
  KEY `owner_idnr_index` (`owner_idnr`),
  KEY `seq_index` (`seq`),
  CONSTRAINT `{prefix}mailboxes_ibfk_1` FOREIGN KEY (`owner_idnr`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Which folders a user is subscribed to.
CREATE TABLE `{prefix}subscription` (
  `user_id` bigint unsigned NOT NULL DEFAULT 0,
  `mailbox_id` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`user_id`, `mailbox_id`),
  KEY `mailbox_id_index` (`mailbox_id`),
  KEY `user_id_index` (`user_id`),
  CONSTRAINT `{prefix}subscription_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `{prefix}subscription_ibfk_2` FOREIGN KEY (`mailbox_id`) REFERENCES `{prefix}mailboxes` (`mailbox_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Rights of other users on a folder (RFC 4314).
CREATE TABLE `{prefix}acl` (
  `user_id` bigint unsigned NOT NULL DEFAULT 0,
  `mailbox_id` bigint unsigned NOT NULL DEFAULT 0,
  `lookup_flag` tinyint(1) NOT NULL DEFAULT 0,
  `read_flag` tinyint(1) NOT NULL DEFAULT 0,
  `seen_flag` tinyint(1) NOT NULL DEFAULT 0,
  `write_flag` tinyint(1) NOT NULL DEFAULT 0,
  `insert_flag` tinyint(1) NOT NULL DEFAULT 0,
  `post_flag` tinyint(1) NOT NULL DEFAULT 0,
  `create_flag` tinyint(1) NOT NULL DEFAULT 0,
  `delete_flag` tinyint(1) NOT NULL DEFAULT 0,
  `deleted_flag` tinyint(1) NOT NULL DEFAULT 0,
  `expunge_flag` tinyint(1) NOT NULL DEFAULT 0,
  `administer_flag` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`user_id`, `mailbox_id`),
  KEY `mailbox_id_index` (`mailbox_id`),
  KEY `user_id_index` (`user_id`),
  CONSTRAINT `{prefix}acl_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `{prefix}acl_ibfk_2` FOREIGN KEY (`mailbox_id`) REFERENCES `{prefix}mailboxes` (`mailbox_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- One row for each distinct message, shared by all its copies. Dates are UTC.
CREATE TABLE `{prefix}physmessage` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `messagesize` bigint unsigned NOT NULL DEFAULT 0,
  `rfcsize` bigint unsigned NOT NULL DEFAULT 0,
  `internal_date` datetime NOT NULL DEFAULT '1000-01-01 00:00:00',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- One row for each copy in a folder. message_idnr is the IMAP UID, seq the
-- MODSEQ; status below 2 is visible.
CREATE TABLE `{prefix}messages` (
  `message_idnr` bigint unsigned NOT NULL AUTO_INCREMENT,
  `mailbox_idnr` bigint unsigned NOT NULL DEFAULT 0,
  `physmessage_id` bigint unsigned NOT NULL DEFAULT 0,
  `seen_flag` tinyint(1) NOT NULL DEFAULT 0,
  `answered_flag` tinyint(1) NOT NULL DEFAULT 0,
  `deleted_flag` tinyint(1) NOT NULL DEFAULT 0,
  `flagged_flag` tinyint(1) NOT NULL DEFAULT 0,
  `recent_flag` tinyint(1) NOT NULL DEFAULT 0,
  `draft_flag` tinyint(1) NOT NULL DEFAULT 0,
  `unique_id` varchar(70) NOT NULL DEFAULT '',
  `status` tinyint unsigned NOT NULL DEFAULT 0,
  `seq` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`message_idnr`),
  KEY `{prefix}messages_seq_index` (`seq`),
  KEY `mailbox_idnr_index` (`mailbox_idnr`),
  KEY `mailbox_status` (`mailbox_idnr`, `status`),
  KEY `physmessage_id_index` (`physmessage_id`),
  KEY `seen_flag_index` (`seen_flag`),
  KEY `status_index` (`status`),
  KEY `unique_id_index` (`unique_id`),
  CONSTRAINT `{prefix}messages_ibfk_1` FOREIGN KEY (`physmessage_id`) REFERENCES `{prefix}physmessage` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `{prefix}messages_ibfk_2` FOREIGN KEY (`mailbox_idnr`) REFERENCES `{prefix}mailboxes` (`mailbox_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- IMAP keywords of a copy.
CREATE TABLE `{prefix}keywords` (
  `message_idnr` bigint unsigned NOT NULL DEFAULT 0,
  `keyword` varchar(255) NOT NULL,
  PRIMARY KEY (`message_idnr`, `keyword`),
  CONSTRAINT `{prefix}keywords_ibfk_1` FOREIGN KEY (`message_idnr`) REFERENCES `{prefix}messages` (`message_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Header and body blobs, LF line ends, shared by hash, size and content.
CREATE TABLE `{prefix}mimeparts` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `hash` char(128) NOT NULL,
  `data` longblob DEFAULT NULL,
  `size` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  KEY `hash` (`hash`)
) ENGINE=InnoDB ROW_FORMAT={row_format} DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Which blobs make up a message, in reading order.
CREATE TABLE `{prefix}partlists` (
  `physmessage_id` bigint unsigned NOT NULL DEFAULT 0,
  `is_header` tinyint(1) NOT NULL DEFAULT 0,
  `part_key` smallint NOT NULL DEFAULT 0,
  `part_depth` smallint NOT NULL DEFAULT 0,
  `part_order` smallint NOT NULL DEFAULT 0,
  `part_id` bigint unsigned NOT NULL DEFAULT 0,
  UNIQUE KEY `message_parts` (`physmessage_id`, `part_key`, `part_depth`, `part_order`),
  KEY `part_id` (`part_id`),
  KEY `physmessage_id` (`physmessage_id`),
  CONSTRAINT `{prefix}partlists_ibfk_1` FOREIGN KEY (`physmessage_id`) REFERENCES `{prefix}physmessage` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `{prefix}partlists_ibfk_2` FOREIGN KEY (`part_id`) REFERENCES `{prefix}mimeparts` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
