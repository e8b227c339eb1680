-- References among the tables of mail.sql, kept by triggers: DBMail does not
-- switch SQLite's own foreign keys on.

-- mailboxes.owner_idnr refers to users
CREATE TRIGGER "{scope}fk_insert_mailboxes_users_idnr" BEFORE INSERT ON "{prefix}mailboxes"
WHEN NEW."owner_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."owner_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}mailboxes.owner_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update1_mailboxes_users_idnr" BEFORE UPDATE OF "owner_idnr" ON "{prefix}mailboxes"
WHEN NEW."owner_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."owner_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}mailboxes.owner_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_mailboxes_users_idnr" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}mailboxes" SET "owner_idnr" = NEW."user_idnr" WHERE "owner_idnr" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_mailboxes_users_idnr" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}mailboxes" WHERE "owner_idnr" = OLD."user_idnr";
END;

-- subscription.mailbox_id refers to mailboxes
CREATE TRIGGER "{scope}fk_insert_subscription_mailbox_id" BEFORE INSERT ON "{prefix}subscription"
WHEN NEW."mailbox_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mailboxes" WHERE "mailbox_idnr" = NEW."mailbox_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}subscription.mailbox_id: no such row in {prefix}mailboxes');
END;

CREATE TRIGGER "{scope}fk_update1_subscription_mailbox_id" BEFORE UPDATE OF "mailbox_id" ON "{prefix}subscription"
WHEN NEW."mailbox_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mailboxes" WHERE "mailbox_idnr" = NEW."mailbox_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}subscription.mailbox_id: no such row in {prefix}mailboxes');
END;

CREATE TRIGGER "{scope}fk_update2_subscription_mailbox_id" AFTER UPDATE OF "mailbox_idnr" ON "{prefix}mailboxes"
BEGIN
  UPDATE "{prefix}subscription" SET "mailbox_id" = NEW."mailbox_idnr" WHERE "mailbox_id" = OLD."mailbox_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_subscription_mailbox_id" BEFORE DELETE ON "{prefix}mailboxes"
BEGIN
  DELETE FROM "{prefix}subscription" WHERE "mailbox_id" = OLD."mailbox_idnr";
END;

-- subscription.user_id refers to users
CREATE TRIGGER "{scope}fk_insert_subscription_users_idnr" BEFORE INSERT ON "{prefix}subscription"
WHEN NEW."user_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}subscription.user_id: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update1_subscription_users_idnr" BEFORE UPDATE OF "user_id" ON "{prefix}subscription"
WHEN NEW."user_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}subscription.user_id: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_subscription_users_idnr" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}subscription" SET "user_id" = NEW."user_idnr" WHERE "user_id" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_subscription_users_idnr" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}subscription" WHERE "user_id" = OLD."user_idnr";
END;

-- acl.mailbox_id refers to mailboxes
CREATE TRIGGER "{scope}fk_insert_acl_mailbox_id" BEFORE INSERT ON "{prefix}acl"
WHEN NEW."mailbox_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mailboxes" WHERE "mailbox_idnr" = NEW."mailbox_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}acl.mailbox_id: no such row in {prefix}mailboxes');
END;

CREATE TRIGGER "{scope}fk_update1_acl_mailbox_id" BEFORE UPDATE OF "mailbox_id" ON "{prefix}acl"
WHEN NEW."mailbox_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mailboxes" WHERE "mailbox_idnr" = NEW."mailbox_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}acl.mailbox_id: no such row in {prefix}mailboxes');
END;

CREATE TRIGGER "{scope}fk_update2_acl_mailbox_id" AFTER UPDATE OF "mailbox_idnr" ON "{prefix}mailboxes"
BEGIN
  UPDATE "{prefix}acl" SET "mailbox_id" = NEW."mailbox_idnr" WHERE "mailbox_id" = OLD."mailbox_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_acl_mailbox_id" BEFORE DELETE ON "{prefix}mailboxes"
BEGIN
  DELETE FROM "{prefix}acl" WHERE "mailbox_id" = OLD."mailbox_idnr";
END;

-- acl.user_id refers to users
CREATE TRIGGER "{scope}fk_insert_acl_user_id" BEFORE INSERT ON "{prefix}acl"
WHEN NEW."user_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}acl.user_id: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update1_acl_user_id" BEFORE UPDATE OF "user_id" ON "{prefix}acl"
WHEN NEW."user_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}acl.user_id: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_acl_user_id" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}acl" SET "user_id" = NEW."user_idnr" WHERE "user_id" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_acl_user_id" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}acl" WHERE "user_id" = OLD."user_idnr";
END;

-- messages.mailbox_idnr refers to mailboxes
CREATE TRIGGER "{scope}fk_insert_messages_mailbox_idnr" BEFORE INSERT ON "{prefix}messages"
WHEN NEW."mailbox_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mailboxes" WHERE "mailbox_idnr" = NEW."mailbox_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}messages.mailbox_idnr: no such row in {prefix}mailboxes');
END;

CREATE TRIGGER "{scope}fk_update1_messages_mailbox_idnr" BEFORE UPDATE OF "mailbox_idnr" ON "{prefix}messages"
WHEN NEW."mailbox_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mailboxes" WHERE "mailbox_idnr" = NEW."mailbox_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}messages.mailbox_idnr: no such row in {prefix}mailboxes');
END;

CREATE TRIGGER "{scope}fk_update2_messages_mailbox_idnr" AFTER UPDATE OF "mailbox_idnr" ON "{prefix}mailboxes"
BEGIN
  UPDATE "{prefix}messages" SET "mailbox_idnr" = NEW."mailbox_idnr" WHERE "mailbox_idnr" = OLD."mailbox_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_messages_mailbox_idnr" BEFORE DELETE ON "{prefix}mailboxes"
BEGIN
  DELETE FROM "{prefix}messages" WHERE "mailbox_idnr" = OLD."mailbox_idnr";
END;

-- messages.physmessage_id refers to physmessage
CREATE TRIGGER "{scope}fk_insert_messages_physmessage_id" BEFORE INSERT ON "{prefix}messages"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}messages.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update1_messages_physmessage_id" BEFORE UPDATE OF "physmessage_id" ON "{prefix}messages"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}messages.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update2_messages_physmessage_id" AFTER UPDATE OF "id" ON "{prefix}physmessage"
BEGIN
  UPDATE "{prefix}messages" SET "physmessage_id" = NEW."id" WHERE "physmessage_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_message_physmessage_id" BEFORE DELETE ON "{prefix}physmessage"
BEGIN
  DELETE FROM "{prefix}messages" WHERE "physmessage_id" = OLD."id";
END;

-- keywords.message_idnr refers to messages
CREATE TRIGGER "{scope}fk_insert_{prefix}keywords_{prefix}messages_message_idnr" BEFORE INSERT ON "{prefix}keywords"
WHEN NEW."message_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}messages" WHERE "message_idnr" = NEW."message_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}keywords.message_idnr: no such row in {prefix}messages');
END;

CREATE TRIGGER "{scope}fk_update_{prefix}keywords_{prefix}messages_message_idnr" BEFORE UPDATE OF "message_idnr" ON "{prefix}keywords"
WHEN NEW."message_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}messages" WHERE "message_idnr" = NEW."message_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}keywords.message_idnr: no such row in {prefix}messages');
END;

CREATE TRIGGER "{scope}fk_update2_{prefix}keywords_{prefix}messages_message_idnr" AFTER UPDATE OF "message_idnr" ON "{prefix}messages"
BEGIN
  UPDATE "{prefix}keywords" SET "message_idnr" = NEW."message_idnr" WHERE "message_idnr" = OLD."message_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_{prefix}keywords_{prefix}messages_message_idnr" BEFORE DELETE ON "{prefix}messages"
BEGIN
  DELETE FROM "{prefix}keywords" WHERE "message_idnr" = OLD."message_idnr";
END;

-- partlists.part_id refers to mimeparts
CREATE TRIGGER "{scope}fk_insert_partlists_mimeparts_id" BEFORE INSERT ON "{prefix}partlists"
WHEN NEW."part_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mimeparts" WHERE "id" = NEW."part_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}partlists.part_id: no such row in {prefix}mimeparts');
END;

CREATE TRIGGER "{scope}fk_update_partlists_mimeparts_id" BEFORE UPDATE OF "part_id" ON "{prefix}partlists"
WHEN NEW."part_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}mimeparts" WHERE "id" = NEW."part_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}partlists.part_id: no such row in {prefix}mimeparts');
END;

CREATE TRIGGER "{scope}fk_update2_partlists_mimeparts_id" AFTER UPDATE OF "id" ON "{prefix}mimeparts"
BEGIN
  UPDATE "{prefix}partlists" SET "part_id" = NEW."id" WHERE "part_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_partlists_mimeparts_id" BEFORE DELETE ON "{prefix}mimeparts"
BEGIN
  DELETE FROM "{prefix}partlists" WHERE "part_id" = OLD."id";
END;

-- partlists.physmessage_id refers to physmessage
CREATE TRIGGER "{scope}fk_insert_partlists_physmessage_id" BEFORE INSERT ON "{prefix}partlists"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}partlists.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update_partlists_physmessage_id" BEFORE UPDATE OF "physmessage_id" ON "{prefix}partlists"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}partlists.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update2_partlists_physmessage_id" AFTER UPDATE OF "id" ON "{prefix}physmessage"
BEGIN
  UPDATE "{prefix}partlists" SET "physmessage_id" = NEW."id" WHERE "physmessage_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_partlists_physmessage_id" BEFORE DELETE ON "{prefix}physmessage"
BEGIN
  DELETE FROM "{prefix}partlists" WHERE "physmessage_id" = OLD."id";
END;

-- messageblks.physmessage_id refers to physmessage
CREATE TRIGGER "{scope}fk_insert_messageblks_physmessage_id" BEFORE INSERT ON "{prefix}messageblks"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}messageblks.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update1_messageblks_physmessage_id" BEFORE UPDATE OF "physmessage_id" ON "{prefix}messageblks"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}messageblks.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update2_messageblks_physmessage_id" AFTER UPDATE OF "id" ON "{prefix}physmessage"
BEGIN
  UPDATE "{prefix}messageblks" SET "physmessage_id" = NEW."id" WHERE "physmessage_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_messageblks_physmessage_id" BEFORE DELETE ON "{prefix}physmessage"
BEGIN
  DELETE FROM "{prefix}messageblks" WHERE "physmessage_id" = OLD."id";
END;
