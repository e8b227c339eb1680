-- The header cache and the other tables that serve IMAP SORT, SEARCH and THREAD.

-- Cached header names. With a read-only header cache only these are cached.
CREATE TABLE `{prefix}headername` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `headername` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  UNIQUE KEY `headername` (`headername`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Cached header values; sortfield and datefield serve IMAP SORT and SEARCH.
CREATE TABLE `{prefix}headervalue` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `hash` varchar(255) NOT NULL,
  `headervalue` mediumtext NOT NULL,
  `sortfield` varchar(255) DEFAULT NULL,
  `datefield` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `datefield` (`datefield`),
  KEY `hash` (`hash`),
  KEY `headervalue` (`headervalue`(255)),
  KEY `sortfield` (`sortfield`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Which message has which cached header.
CREATE TABLE `{prefix}header` (
  `physmessage_id` bigint unsigned NOT NULL,
  `headername_id` bigint unsigned NOT NULL,
  `headervalue_id` bigint unsigned NOT NULL,
  PRIMARY KEY (`physmessage_id`, `headername_id`, `headervalue_id`),
  KEY `headername_id` (`headername_id`),
  KEY `headername_id_headervalue_id` (`headername_id`, `headervalue_id`),
  KEY `headervalue_id` (`headervalue_id`),
  KEY `physmessage_id` (`physmessage_id`),
  KEY `physmessage_id_headername_id` (`physmessage_id`, `headername_id`),
  KEY `physmessage_id_headervalue_id` (`physmessage_id`, `headervalue_id`),
  CONSTRAINT `{prefix}header_ibfk_1` FOREIGN KEY (`physmessage_id`) REFERENCES `{prefix}physmessage` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `{prefix}header_ibfk_2` FOREIGN KEY (`headername_id`) REFERENCES `{prefix}headername` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `{prefix}header_ibfk_3` FOREIGN KEY (`headervalue_id`) REFERENCES `{prefix}headervalue` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- The IMAP ENVELOPE of a message, ready to send.
CREATE TABLE `{prefix}envelope` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `physmessage_id` bigint unsigned NOT NULL DEFAULT 0,
  `envelope` mediumtext NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `physmessage_id_1` (`physmessage_id`),
  UNIQUE KEY `physmessage_id_2` (`physmessage_id`, `id`),
  CONSTRAINT `{prefix}envelope_ibfk_1` FOREIGN KEY (`physmessage_id`) REFERENCES `{prefix}physmessage` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Message-IDs a message refers to, without angle brackets (IMAP THREAD).
CREATE TABLE `{prefix}referencesfield` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `physmessage_id` bigint unsigned NOT NULL DEFAULT 0,
  `referencesfield` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`id`),
  UNIQUE KEY `physmessage_id` (`physmessage_id`, `referencesfield`),
  CONSTRAINT `{prefix}referencesfield_ibfk_1` FOREIGN KEY (`physmessage_id`) REFERENCES `{prefix}physmessage` (`id`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
