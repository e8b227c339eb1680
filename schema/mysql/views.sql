-- One row for each copy and cached value of a header, as DBMail's IMAP server
-- reads it for SORT and SEARCH.

CREATE VIEW `{prefix}ccfield` (`physmessage_id`, `ccfield`) AS
SELECT m.`physmessage_id`, v.`sortfield`
FROM `{prefix}messages` m
JOIN `{prefix}header` h ON h.`physmessage_id` = m.`physmessage_id`
JOIN `{prefix}headername` n ON n.`id` = h.`headername_id`
JOIN `{prefix}headervalue` v ON v.`id` = h.`headervalue_id`
WHERE n.`headername` = 'cc';

CREATE VIEW `{prefix}datefield` (`physmessage_id`, `datefield`, `sortfield`) AS
SELECT m.`physmessage_id`, v.`datefield`, v.`sortfield`
FROM `{prefix}messages` m
JOIN `{prefix}header` h ON h.`physmessage_id` = m.`physmessage_id`
JOIN `{prefix}headername` n ON n.`id` = h.`headername_id`
JOIN `{prefix}headervalue` v ON v.`id` = h.`headervalue_id`
WHERE n.`headername` = 'date';

CREATE VIEW `{prefix}fromfield` (`physmessage_id`, `fromfield`) AS
SELECT m.`physmessage_id`, v.`sortfield`
FROM `{prefix}messages` m
JOIN `{prefix}header` h ON h.`physmessage_id` = m.`physmessage_id`
JOIN `{prefix}headername` n ON n.`id` = h.`headername_id`
JOIN `{prefix}headervalue` v ON v.`id` = h.`headervalue_id`
WHERE n.`headername` = 'from';

CREATE VIEW `{prefix}subjectfield` (`physmessage_id`, `subjectfield`, `sortfield`) AS
SELECT m.`physmessage_id`, v.`headervalue`, v.`sortfield`
FROM `{prefix}messages` m
JOIN `{prefix}header` h ON h.`physmessage_id` = m.`physmessage_id`
JOIN `{prefix}headername` n ON n.`id` = h.`headername_id`
JOIN `{prefix}headervalue` v ON v.`id` = h.`headervalue_id`
WHERE n.`headername` = 'subject';

CREATE VIEW `{prefix}tofield` (`physmessage_id`, `tofield`) AS
SELECT m.`physmessage_id`, v.`sortfield`
FROM `{prefix}messages` m
JOIN `{prefix}header` h ON h.`physmessage_id` = m.`physmessage_id`
JOIN `{prefix}headername` n ON n.`id` = h.`headername_id`
JOIN `{prefix}headervalue` v ON v.`id` = h.`headervalue_id`
WHERE n.`headername` = 'to';
