-- References among the tables of headers.sql, kept by triggers: DBMail does not
-- switch SQLite's own foreign keys on.

-- header.headername_id refers to headername
CREATE TRIGGER "{scope}fk_insert_header_headername_id" BEFORE INSERT ON "{prefix}header"
WHEN NEW."headername_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}headername" WHERE "id" = NEW."headername_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}header.headername_id: no such row in {prefix}headername');
END;

CREATE TRIGGER "{scope}fk_update_header_headername_id" BEFORE UPDATE OF "headername_id" ON "{prefix}header"
WHEN NEW."headername_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}headername" WHERE "id" = NEW."headername_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}header.headername_id: no such row in {prefix}headername');
END;

CREATE TRIGGER "{scope}fk_update2_header_headername_id" AFTER UPDATE OF "id" ON "{prefix}headername"
BEGIN
  UPDATE "{prefix}header" SET "headername_id" = NEW."id" WHERE "headername_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_header_headername_id" BEFORE DELETE ON "{prefix}headername"
BEGIN
  DELETE FROM "{prefix}header" WHERE "headername_id" = OLD."id";
END;

-- header.headervalue_id refers to headervalue
CREATE TRIGGER "{scope}fk_insert_header_headervalue_id" BEFORE INSERT ON "{prefix}header"
WHEN NEW."headervalue_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}headervalue" WHERE "id" = NEW."headervalue_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}header.headervalue_id: no such row in {prefix}headervalue');
END;

CREATE TRIGGER "{scope}fk_update_header_headervalue_id" BEFORE UPDATE OF "headervalue_id" ON "{prefix}header"
WHEN NEW."headervalue_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}headervalue" WHERE "id" = NEW."headervalue_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}header.headervalue_id: no such row in {prefix}headervalue');
END;

CREATE TRIGGER "{scope}fk_update2_header_headervalue_id" AFTER UPDATE OF "id" ON "{prefix}headervalue"
BEGIN
  UPDATE "{prefix}header" SET "headervalue_id" = NEW."id" WHERE "headervalue_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_header_headervalue_id" BEFORE DELETE ON "{prefix}headervalue"
BEGIN
  DELETE FROM "{prefix}header" WHERE "headervalue_id" = OLD."id";
END;

-- header.physmessage_id refers to physmessage
CREATE TRIGGER "{scope}fk_insert_header_physmessage_id" BEFORE INSERT ON "{prefix}header"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}header.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update_header_physmessage_id" BEFORE UPDATE OF "physmessage_id" ON "{prefix}header"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}header.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update2_header_physmessage_id" AFTER UPDATE OF "id" ON "{prefix}physmessage"
BEGIN
  UPDATE "{prefix}header" SET "physmessage_id" = NEW."id" WHERE "physmessage_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_header_physmessage_id" BEFORE DELETE ON "{prefix}physmessage"
BEGIN
  DELETE FROM "{prefix}header" WHERE "physmessage_id" = OLD."id";
END;

-- envelope.physmessage_id refers to physmessage
CREATE TRIGGER "{scope}fk_insert_envelope_physmessage_id" BEFORE INSERT ON "{prefix}envelope"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}envelope.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update1_envelope_physmessage_id" BEFORE UPDATE OF "physmessage_id" ON "{prefix}envelope"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}envelope.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update2_envelope_physmessage_id" AFTER UPDATE OF "id" ON "{prefix}physmessage"
BEGIN
  UPDATE "{prefix}envelope" SET "physmessage_id" = NEW."id" WHERE "physmessage_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_envelope_physmessage_id" BEFORE DELETE ON "{prefix}physmessage"
BEGIN
  DELETE FROM "{prefix}envelope" WHERE "physmessage_id" = OLD."id";
END;

-- referencesfield.physmessage_id refers to physmessage
CREATE TRIGGER "{scope}fk_insert_referencesfield_physmessage_id" BEFORE INSERT ON "{prefix}referencesfield"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}referencesfield.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update1_referencesfield_physmessage_id" BEFORE UPDATE OF "physmessage_id" ON "{prefix}referencesfield"
WHEN NEW."physmessage_id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "{prefix}physmessage" WHERE "id" = NEW."physmessage_id")
BEGIN
  SELECT RAISE(ABORT, '{prefix}referencesfield.physmessage_id: no such row in {prefix}physmessage');
END;

CREATE TRIGGER "{scope}fk_update2_referencesfield_physmessage_id" AFTER UPDATE OF "id" ON "{prefix}physmessage"
BEGIN
  UPDATE "{prefix}referencesfield" SET "physmessage_id" = NEW."id" WHERE "physmessage_id" = OLD."id";
END;

CREATE TRIGGER "{scope}fk_delete_referencesfield_physmessage_id" BEFORE DELETE ON "{prefix}physmessage"
BEGIN
  DELETE FROM "{prefix}referencesfield" WHERE "physmessage_id" = OLD."id";
END;
