-- References among the tables of accounts.sql, kept by triggers: DBMail does not
-- switch SQLite's own foreign keys on.

-- filters.user_id refers to users
CREATE TRIGGER "{scope}fk_insert_filters_users_user_idnr" BEFORE INSERT ON "{prefix}filters"
WHEN NEW."user_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}filters.user_id: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update_filters_users_user_idnr" BEFORE UPDATE OF "user_id" ON "{prefix}filters"
WHEN NEW."user_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}filters.user_id: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_filters_users_user_idnr" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}filters" SET "user_id" = NEW."user_idnr" WHERE "user_id" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_filters_users_user_idnr" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}filters" WHERE "user_id" = OLD."user_idnr";
END;

-- sievescripts.owner_idnr refers to users
CREATE TRIGGER "{scope}fk_insert_sievescripts_owner_idnr" BEFORE INSERT ON "{prefix}sievescripts"
WHEN NEW."owner_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."owner_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}sievescripts.owner_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update1_sievescripts_owner_idnr" BEFORE UPDATE OF "owner_idnr" ON "{prefix}sievescripts"
WHEN NEW."owner_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."owner_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}sievescripts.owner_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_sievescripts_owner_idnr" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}sievescripts" SET "owner_idnr" = NEW."user_idnr" WHERE "owner_idnr" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_sievescripts_owner_idnr" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}sievescripts" WHERE "owner_idnr" = OLD."user_idnr";
END;

-- auto_notifications.user_idnr refers to users
CREATE TRIGGER "{scope}fk_insert_auto_notifications_user_idnr" BEFORE INSERT ON "{prefix}auto_notifications"
WHEN NEW."user_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}auto_notifications.user_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update1_auto_notifications_user_idnr" BEFORE UPDATE OF "user_idnr" ON "{prefix}auto_notifications"
WHEN NEW."user_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}auto_notifications.user_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_auto_notifications_user_idnr" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}auto_notifications" SET "user_idnr" = NEW."user_idnr" WHERE "user_idnr" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_auto_notifications_user_idnr" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}auto_notifications" WHERE "user_idnr" = OLD."user_idnr";
END;

-- auto_replies.user_idnr refers to users
CREATE TRIGGER "{scope}fk_insert_auto_replies_user_idnr" BEFORE INSERT ON "{prefix}auto_replies"
WHEN NEW."user_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}auto_replies.user_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update1_auto_replies_user_idnr" BEFORE UPDATE OF "user_idnr" ON "{prefix}auto_replies"
WHEN NEW."user_idnr" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}users" WHERE "user_idnr" = NEW."user_idnr")
BEGIN
  SELECT RAISE(ABORT, '{prefix}auto_replies.user_idnr: no such row in {prefix}users');
END;

CREATE TRIGGER "{scope}fk_update2_auto_replies_user_idnr" AFTER UPDATE OF "user_idnr" ON "{prefix}users"
BEGIN
  UPDATE "{prefix}auto_replies" SET "user_idnr" = NEW."user_idnr" WHERE "user_idnr" = OLD."user_idnr";
END;

CREATE TRIGGER "{scope}fk_delete_auto_replies_user_idnr" BEFORE DELETE ON "{prefix}users"
BEGIN
  DELETE FROM "{prefix}auto_replies" WHERE "user_idnr" = OLD."user_idnr";
END;
