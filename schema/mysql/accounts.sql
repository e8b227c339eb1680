-- Accounts, addresses, and what is done with mail before it lies in a folder.

-- Accounts, their quota (maxmail_size, bytes, 0 = none) and use (curmail_size).
-- Directory accounts get a row too; passwd is then UNUSED.
CREATE TABLE `{prefix}users` (
  `user_idnr` bigint unsigned NOT NULL AUTO_INCREMENT,
  `userid` varchar(255) NOT NULL DEFAULT '',
  `passwd` varchar(255) NOT NULL DEFAULT '',
  `client_idnr` bigint unsigned NOT NULL DEFAULT 0,
  `maxmail_size` bigint NOT NULL DEFAULT 0,
  `curmail_size` bigint NOT NULL DEFAULT 0,
  `maxsieve_size` bigint NOT NULL DEFAULT 0,
  `cursieve_size` bigint NOT NULL DEFAULT 0,
  `encryption_type` varchar(255) NOT NULL DEFAULT '',
  `last_login` datetime NOT NULL DEFAULT '1979-11-03 22:05:58',
  `spasswd` varchar(130) NOT NULL DEFAULT '',
  `saction` smallint NOT NULL DEFAULT 0,
  `active` smallint NOT NULL DEFAULT 1,
  PRIMARY KEY (`user_idnr`),
  UNIQUE KEY `userid_index` (`userid`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Addresses. deliver_to is a user_idnr, another alias or an external address.
CREATE TABLE `{prefix}aliases` (
  `alias_idnr` bigint unsigned NOT NULL AUTO_INCREMENT,
  `alias` varchar(255) NOT NULL DEFAULT '',
  `deliver_to` varchar(255) NOT NULL DEFAULT '',
  `client_idnr` bigint unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`alias_idnr`),
  KEY `alias_index` (`alias`),
  KEY `client_idnr_index` (`client_idnr`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Login name rewriting by client address.
CREATE TABLE `{prefix}usermap` (
  `login` varchar(255) NOT NULL,
  `sock_allow` varchar(255) NOT NULL,
  `sock_deny` varchar(255) NOT NULL,
  `userid` varchar(255) NOT NULL,
  UNIQUE KEY `usermap_idx_1` (`login`, `sock_allow`, `userid`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Header pattern to folder, per user or for all (user anyone).
CREATE TABLE `{prefix}filters` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `user_id` bigint unsigned NOT NULL,
  `headername` varchar(255) NOT NULL,
  `headervalue` varchar(255) NOT NULL,
  `mailbox` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `user_id` (`user_id`),
  CONSTRAINT `{prefix}filters_ibfk_1` FOREIGN KEY (`user_id`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Sieve scripts; at most one per user is active.
CREATE TABLE `{prefix}sievescripts` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `owner_idnr` bigint unsigned DEFAULT NULL,
  `name` varchar(255) NOT NULL,
  `script` mediumtext DEFAULT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `owner_idnr_2` (`owner_idnr`, `name`),
  KEY `name` (`name`),
  KEY `owner_idnr` (`owner_idnr`),
  CONSTRAINT `{prefix}sievescripts_ibfk_1` FOREIGN KEY (`owner_idnr`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Who got an automatic reply, and when.
CREATE TABLE `{prefix}replycache` (
  `to_addr` varchar(255) NOT NULL DEFAULT '',
  `from_addr` varchar(255) NOT NULL DEFAULT '',
  `handle` varchar(255) NOT NULL DEFAULT '',
  `lastseen` datetime NOT NULL DEFAULT '1000-01-01 00:00:00',
  UNIQUE KEY `replycache_1` (`to_addr`, `from_addr`, `handle`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Where to send a note on each delivery.
CREATE TABLE `{prefix}auto_notifications` (
  `user_idnr` bigint unsigned NOT NULL,
  `notify_address` varchar(100) NOT NULL DEFAULT '',
  KEY `user_idnr_index` (`user_idnr`),
  CONSTRAINT `{prefix}auto_notifications_fk_{prefix}users` FOREIGN KEY (`user_idnr`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Automatic replies and when they hold.
CREATE TABLE `{prefix}auto_replies` (
  `user_idnr` bigint unsigned NOT NULL DEFAULT 0,
  `start_date` datetime NOT NULL,
  `stop_date` datetime NOT NULL,
  `reply_body` longtext DEFAULT NULL,
  KEY `user_idnr_index` (`user_idnr`),
  CONSTRAINT `{prefix}auto_replies_fk_{prefix}users` FOREIGN KEY (`user_idnr`) REFERENCES `{prefix}users` (`user_idnr`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- Logins, kept when DBMail is told to.
CREATE TABLE `{prefix}authlog` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `userid` varchar(100) DEFAULT NULL,
  `service` varchar(32) DEFAULT NULL,
  `login_time` datetime DEFAULT NULL,
  `logout_time` datetime DEFAULT NULL,
  `src_ip` varchar(40) DEFAULT NULL,
  `src_port` int DEFAULT NULL,
  `dst_ip` varchar(40) DEFAULT NULL,
  `dst_port` int DEFAULT NULL,
  `status` varchar(32) DEFAULT 'active',
  `bytes_rx` bigint NOT NULL DEFAULT 0,
  `bytes_tx` bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

-- POP before SMTP: addresses that logged in lately.
CREATE TABLE `{prefix}pbsp` (
  `idnr` bigint unsigned NOT NULL AUTO_INCREMENT,
  `since` datetime NOT NULL DEFAULT '1000-01-01 00:00:00',
  `ipnumber` varchar(40) NOT NULL,
  PRIMARY KEY (`idnr`),
  UNIQUE KEY `ipnumber_index` (`ipnumber`),
  KEY `since_index` (`since`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
