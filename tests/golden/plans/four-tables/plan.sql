-- ==== OLD's types, in the mirror's schema

-- types: type_ddl
CREATE TYPE "switchyard_old"."state" AS ENUM ('open', 'paid');

-- ==== OLD's public.customers

-- public.customers: stage_ddl
CREATE TEMP TABLE "sy_stage_0" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 integer, "id" integer, "email" character varying(80), "note" text, sy__still bigint);

-- public.customers: stage_copy
COPY pg_temp."sy_stage_0" (sy__op, sy__ord, sy__absent, sy__k0, "id", "email", "note") FROM STDIN;

-- public.customers: note_still
UPDATE pg_temp."sy_stage_0" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."email", sy_t."note")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."note" ELSE sy_s."note" END)::record THEN 1::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."email")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END)::record THEN 2::bigint ELSE 0::bigint END
  FROM "switchyard_old"."customers" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."email", sy_t."note")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."note" ELSE sy_s."note" END)::record
    OR ROW(sy_t."email")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END)::record);

-- public.customers: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."customers" ("id" integer, "email" character varying(80), "note" text, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.customers: mirror_indexes
CREATE INDEX "sy_16384_51ba8339385eb67c" ON "switchyard_old"."customers" (("id"));

-- public.customers: mirror_indexes
CREATE INDEX "sy_16384_915b780060602c53" ON "switchyard_old"."customers" ((lower((customers.email)::text)));

-- public.customers: mirror.remove
DELETE FROM "switchyard_old"."customers" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('D')) AS "customers") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.update
UPDATE "switchyard_old"."customers" AS sy_t
  SET "email" = sy_s.sy__v1, "note" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2
    FROM pg_temp."sy_stage_0" AS "customers"
    WHERE "customers".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U','K')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('D')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U','K','D')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U','K','D')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.update_absent
UPDATE "switchyard_old"."customers" AS sy_t
  SET "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, "note" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."note" ELSE sy_s.sy__v2 END
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2, sy__absent
    FROM pg_temp."sy_stage_0" AS "customers"
    WHERE "customers".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.move
UPDATE "switchyard_old"."customers" AS sy_t
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, "note" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."note" ELSE sy_s.sy__v2 END
  FROM pg_temp."sy_stage_0" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "customers") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("email") AS sy__v1, ("note") AS sy__v2, sy__absent
    FROM (SELECT sy_r.*) AS "customers") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.customers: mirror.insert
INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM pg_temp."sy_stage_0" AS "customers"
  WHERE "customers".sy__op IN ('I');

-- public.customers: mirror.copy_in
COPY "switchyard_old"."customers" ("id", "email", "note") FROM STDIN;

-- public.customers: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o0" AS
  SELECT NULL::int AS sy__ord, "id", "email", "note"
  FROM "switchyard_old"."customers" WITH NO DATA;

-- public.customers: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."customers" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_0"
        WHERE sy__op IN ('D','U','K')) AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."email", sy_t."note")
  INSERT INTO pg_temp."sy_taken_o0"
  SELECT sy__ord, "id", "email", "note"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.customers: mirror.take_out
UPDATE pg_temp."sy_taken_o0" AS sy_g
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."email" ELSE sy_s.sy__v1 END, "note" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."note" ELSE sy_s.sy__v2 END
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("email") AS sy__v1, ("note") AS sy__v2, sy__absent
    FROM pg_temp."sy_stage_0" AS "customers"
    WHERE "customers".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.customers: mirror.take_out
INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM pg_temp."sy_taken_o0";

-- public.customers: mirror.take_out
DELETE FROM pg_temp."sy_taken_o0";

-- public.customers: mirror.take_out
INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM pg_temp."sy_stage_0" AS "customers"
  WHERE "customers".sy__op IN ('I');

-- public.customers: mirror.clear
DELETE FROM "switchyard_old"."customers";

-- public.customers: mirror.load
INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM {load} AS "customers";

-- public.customers: mirror.swap_remove
DELETE FROM "switchyard_old"."customers" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.swap_upsert
INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM {load} AS "customers"
  ON CONFLICT ("id") DO UPDATE
  SET "email" = excluded."email", "note" = excluded."note"
  WHERE NOT (ROW("switchyard_old"."customers"."id", "switchyard_old"."customers"."email", "switchyard_old"."customers"."note")::record *= ROW(excluded."id", excluded."email", excluded."note")::record);

-- public.customers: mirror.swap_upsert_plain
UPDATE "switchyard_old"."customers" AS sy_t
  SET "email" = sy_s.sy__v1, "note" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2
    FROM {load} AS "customers") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."email"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."note"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C");
  INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM {load} AS "customers"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."customers" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2
      FROM {load} AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."email"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."note"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C")
    RETURNING sy_t."id", sy_t."email", sy_t."note")
  INSERT INTO pg_temp."sy_taken_o0"
  SELECT NULL, "id", "email", "note"
  FROM sy_taken;

-- public.customers: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o0" AS sy_g
  SET "email" = sy_s.sy__v1, "note" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2
    FROM {load} AS "customers") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.customers: mirror.swap_take_out
INSERT INTO "switchyard_old"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM pg_temp."sy_taken_o0";

-- public.customers: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o0";

-- public.customers: mirror.written_take
INSERT INTO pg_temp."sy_taken_o0" (sy__ord, "id", "email", "note")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."note" ELSE sy_s.sy__v2 END
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2, sy__absent
    FROM pg_temp."sy_stage_0" AS "customers"
    WHERE "customers".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."customers" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_0" AS "customers"
      WHERE "customers".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."customers" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_0" AS "customers"
      WHERE "customers".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."customers" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o0" AS sy_g
    JOIN "switchyard_old"."customers" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."email", sy_g."note")::record *= ROW(sy_t."email", sy_t."note")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_0"
        WHERE sy__op IN ('D','K')) AS "customers") AS sy_s
    JOIN "switchyard_old"."customers" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_0" AS "customers"
        WHERE "customers".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.customers: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o0" (sy__ord, "id", "email", "note")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("note") AS sy__v2
    FROM {load} AS "customers") AS sy_s
  JOIN "switchyard_old"."customers" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o0" AS sy_g
    JOIN "switchyard_old"."customers" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."email", sy_g."note")::record *= ROW(sy_t."email", sy_t."note")::record);

-- public.customers: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."customers" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."customers";

-- ==== OLD's public.logins

-- public.logins: stage_ddl
CREATE TEMP TABLE "sy_stage_1" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 bigint, "id" bigint, "email" text, sy__still bigint);

-- public.logins: stage_copy
COPY pg_temp."sy_stage_1" (sy__op, sy__ord, sy__absent, sy__k0, "id", "email") FROM STDIN;

-- public.logins: note_still
UPDATE pg_temp."sy_stage_1" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."email")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END)::record THEN 1::bigint ELSE 0::bigint END
  FROM "switchyard_old"."logins" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."email")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END)::record);

-- public.logins: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."logins" ("id" bigint, "email" text, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.logins: mirror_indexes
CREATE INDEX "sy_16385_2cc8a452dbe52cf3" ON "switchyard_old"."logins" ((lower(logins.email)));

-- public.logins: mirror.remove
DELETE FROM "switchyard_old"."logins" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('D')) AS "logins") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.logins: mirror.update
UPDATE "switchyard_old"."logins" AS sy_t
  SET "email" = sy_s.sy__v1
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1
    FROM pg_temp."sy_stage_1" AS "logins"
    WHERE "logins".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.logins: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U')) AS "logins") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."logins" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U','K')) AS "logins") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."logins" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('D')) AS "logins") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."logins" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U','K','D')) AS "logins") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."logins" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U','K','D')) AS "logins") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."logins" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.update_absent
UPDATE "switchyard_old"."logins" AS sy_t
  SET "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, sy__absent
    FROM pg_temp."sy_stage_1" AS "logins"
    WHERE "logins".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.logins: mirror.move
UPDATE "switchyard_old"."logins" AS sy_t
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END
  FROM pg_temp."sy_stage_1" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "logins") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("email") AS sy__v1, sy__absent
    FROM (SELECT sy_r.*) AS "logins") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.logins: mirror.insert
INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM pg_temp."sy_stage_1" AS "logins"
  WHERE "logins".sy__op IN ('I');

-- public.logins: mirror.copy_in
COPY "switchyard_old"."logins" ("id", "email") FROM STDIN;

-- public.logins: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o1" AS
  SELECT NULL::int AS sy__ord, "id", "email"
  FROM "switchyard_old"."logins" WITH NO DATA;

-- public.logins: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."logins" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_1"
        WHERE sy__op IN ('D','U','K')) AS "logins") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."email")
  INSERT INTO pg_temp."sy_taken_o1"
  SELECT sy__ord, "id", "email"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.logins: mirror.take_out
UPDATE pg_temp."sy_taken_o1" AS sy_g
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."email" ELSE sy_s.sy__v1 END
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("email") AS sy__v1, sy__absent
    FROM pg_temp."sy_stage_1" AS "logins"
    WHERE "logins".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.logins: mirror.take_out
INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM pg_temp."sy_taken_o1";

-- public.logins: mirror.take_out
DELETE FROM pg_temp."sy_taken_o1";

-- public.logins: mirror.take_out
INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM pg_temp."sy_stage_1" AS "logins"
  WHERE "logins".sy__op IN ('I');

-- public.logins: mirror.clear
DELETE FROM "switchyard_old"."logins";

-- public.logins: mirror.load
INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM {load} AS "logins";

-- public.logins: mirror.swap_remove
DELETE FROM "switchyard_old"."logins" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "logins") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.swap_upsert
INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM {load} AS "logins"
  ON CONFLICT ("id") DO UPDATE
  SET "email" = excluded."email"
  WHERE NOT (ROW("switchyard_old"."logins"."id", "switchyard_old"."logins"."email")::record *= ROW(excluded."id", excluded."email")::record);

-- public.logins: mirror.swap_upsert_plain
UPDATE "switchyard_old"."logins" AS sy_t
  SET "email" = sy_s.sy__v1
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1
    FROM {load} AS "logins") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."email"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C");
  INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM {load} AS "logins"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."logins" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."logins" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("email") AS sy__v1
      FROM {load} AS "logins") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."email"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C")
    RETURNING sy_t."id", sy_t."email")
  INSERT INTO pg_temp."sy_taken_o1"
  SELECT NULL, "id", "email"
  FROM sy_taken;

-- public.logins: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o1" AS sy_g
  SET "email" = sy_s.sy__v1
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1
    FROM {load} AS "logins") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.logins: mirror.swap_take_out
INSERT INTO "switchyard_old"."logins" ("id", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email"
  FROM pg_temp."sy_taken_o1";

-- public.logins: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o1";

-- public.logins: mirror.written_take
INSERT INTO pg_temp."sy_taken_o1" (sy__ord, "id", "email")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("email") AS sy__v1, sy__absent
    FROM pg_temp."sy_stage_1" AS "logins"
    WHERE "logins".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."logins" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.logins: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_1" AS "logins"
      WHERE "logins".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."logins" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_1" AS "logins"
      WHERE "logins".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."logins" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o1" AS sy_g
    JOIN "switchyard_old"."logins" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."email")::record *= ROW(sy_t."email")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_1"
        WHERE sy__op IN ('D','K')) AS "logins") AS sy_s
    JOIN "switchyard_old"."logins" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_1" AS "logins"
        WHERE "logins".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.logins: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o1" (sy__ord, "id", "email")
  SELECT NULL, sy_t."id", sy_s.sy__v1
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1
    FROM {load} AS "logins") AS sy_s
  JOIN "switchyard_old"."logins" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.logins: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o1" AS sy_g
    JOIN "switchyard_old"."logins" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."email")::record *= ROW(sy_t."email")::record);

-- public.logins: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."logins" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "logins") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.logins: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."logins";

-- ==== OLD's public.orders

-- public.orders: stage_ddl
CREATE TEMP TABLE "sy_stage_2" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 integer, "id" integer, "customer" integer, "state" "switchyard_old"."state", "total" numeric(12,2), sy__still bigint);

-- public.orders: stage_copy
COPY pg_temp."sy_stage_2" (sy__op, sy__ord, sy__absent, sy__k0, "id", "customer", "state", "total")
  FROM STDIN;

-- public.orders: note_still
UPDATE pg_temp."sy_stage_2" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."customer", sy_t."state", sy_t."total")::record *= ROW(sy_s."customer", sy_s."state", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."total" ELSE sy_s."total" END)::record THEN 1::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."customer")::record *= ROW(sy_s."customer")::record THEN 2::bigint ELSE 0::bigint END
  FROM "switchyard_old"."orders" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."customer", sy_t."state", sy_t."total")::record *= ROW(sy_s."customer", sy_s."state", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."total" ELSE sy_s."total" END)::record
    OR ROW(sy_t."customer")::record *= ROW(sy_s."customer")::record);

-- public.orders: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."orders" ("id" integer, "customer" integer, "state" "switchyard_old"."state", "total" numeric(12,2), PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.orders: mirror_indexes
CREATE INDEX "sy_16386_51ba8339385eb67c" ON "switchyard_old"."orders" (("id"));

-- public.orders: mirror.remove
DELETE FROM "switchyard_old"."orders" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('D')) AS "orders") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.orders: mirror.update
UPDATE "switchyard_old"."orders" AS sy_t
  SET "customer" = sy_s.sy__v1, "state" = sy_s.sy__v2, "total" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3
    FROM pg_temp."sy_stage_2" AS "orders"
    WHERE "orders".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.orders: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U')) AS "orders") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."orders" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U','K')) AS "orders") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."orders" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('D')) AS "orders") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."orders" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U','K','D')) AS "orders") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."orders" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U','K','D')) AS "orders") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."orders" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.update_absent
UPDATE "switchyard_old"."orders" AS sy_t
  SET "customer" = sy_s.sy__v1, "state" = sy_s.sy__v2, "total" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."total" ELSE sy_s.sy__v3 END
  FROM (SELECT ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_2" AS "orders"
    WHERE "orders".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.orders: mirror.move
UPDATE "switchyard_old"."orders" AS sy_t
  SET "id" = sy_s.sy__v0, "customer" = sy_s.sy__v1, "state" = sy_s.sy__v2, "total" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."total" ELSE sy_s.sy__v3 END
  FROM pg_temp."sy_stage_2" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "orders") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3, sy__absent
    FROM (SELECT sy_r.*) AS "orders") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.orders: mirror.insert
INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM pg_temp."sy_stage_2" AS "orders"
  WHERE "orders".sy__op IN ('I');

-- public.orders: mirror.copy_in
COPY "switchyard_old"."orders" ("id", "customer", "state", "total") FROM STDIN;

-- public.orders: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o2" AS
  SELECT NULL::int AS sy__ord, "id", "customer", "state", "total"
  FROM "switchyard_old"."orders" WITH NO DATA;

-- public.orders: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."orders" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_2"
        WHERE sy__op IN ('D','U','K')) AS "orders") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."customer", sy_t."state", sy_t."total")
  INSERT INTO pg_temp."sy_taken_o2"
  SELECT sy__ord, "id", "customer", "state", "total"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.orders: mirror.take_out
UPDATE pg_temp."sy_taken_o2" AS sy_g
  SET "id" = sy_s.sy__v0, "customer" = sy_s.sy__v1, "state" = sy_s.sy__v2, "total" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."total" ELSE sy_s.sy__v3 END
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_2" AS "orders"
    WHERE "orders".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.orders: mirror.take_out
INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM pg_temp."sy_taken_o2";

-- public.orders: mirror.take_out
DELETE FROM pg_temp."sy_taken_o2";

-- public.orders: mirror.take_out
INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM pg_temp."sy_stage_2" AS "orders"
  WHERE "orders".sy__op IN ('I');

-- public.orders: mirror.clear
DELETE FROM "switchyard_old"."orders";

-- public.orders: mirror.load
INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM {load} AS "orders";

-- public.orders: mirror.swap_remove
DELETE FROM "switchyard_old"."orders" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "orders") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.swap_upsert
INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM {load} AS "orders"
  ON CONFLICT ("id") DO UPDATE
  SET "customer" = excluded."customer", "state" = excluded."state", "total" = excluded."total"
  WHERE NOT (ROW("switchyard_old"."orders"."id", "switchyard_old"."orders"."customer", "switchyard_old"."orders"."state", "switchyard_old"."orders"."total")::record *= ROW(excluded."id", excluded."customer", excluded."state", excluded."total")::record);

-- public.orders: mirror.swap_upsert_plain
UPDATE "switchyard_old"."orders" AS sy_t
  SET "customer" = sy_s.sy__v1, "state" = sy_s.sy__v2, "total" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3
    FROM {load} AS "orders") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."customer"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."state"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."total"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C");
  INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM {load} AS "orders"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."orders" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."orders" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3
      FROM {load} AS "orders") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."customer"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."state"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."total"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C")
    RETURNING sy_t."id", sy_t."customer", sy_t."state", sy_t."total")
  INSERT INTO pg_temp."sy_taken_o2"
  SELECT NULL, "id", "customer", "state", "total"
  FROM sy_taken;

-- public.orders: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o2" AS sy_g
  SET "customer" = sy_s.sy__v1, "state" = sy_s.sy__v2, "total" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3
    FROM {load} AS "orders") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.orders: mirror.swap_take_out
INSERT INTO "switchyard_old"."orders" ("id", "customer", "state", "total")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer", "state", "total"
  FROM pg_temp."sy_taken_o2";

-- public.orders: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o2";

-- public.orders: mirror.written_take
INSERT INTO pg_temp."sy_taken_o2" (sy__ord, "id", "customer", "state", "total")
  SELECT sy_s.sy__ord, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."total" ELSE sy_s.sy__v3 END
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_2" AS "orders"
    WHERE "orders".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."orders" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.orders: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_2" AS "orders"
      WHERE "orders".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."orders" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_2" AS "orders"
      WHERE "orders".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."orders" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o2" AS sy_g
    JOIN "switchyard_old"."orders" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."customer", sy_g."state", sy_g."total")::record *= ROW(sy_t."customer", sy_t."state", sy_t."total")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_2"
        WHERE sy__op IN ('D','K')) AS "orders") AS sy_s
    JOIN "switchyard_old"."orders" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_2" AS "orders"
        WHERE "orders".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.orders: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o2" (sy__ord, "id", "customer", "state", "total")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("customer") AS sy__v1, ("state") AS sy__v2, ("total") AS sy__v3
    FROM {load} AS "orders") AS sy_s
  JOIN "switchyard_old"."orders" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.orders: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o2" AS sy_g
    JOIN "switchyard_old"."orders" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."customer", sy_g."state", sy_g."total")::record *= ROW(sy_t."customer", sy_t."state", sy_t."total")::record);

-- public.orders: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."orders" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "orders") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.orders: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."orders";

-- ==== OLD's public.items

-- public.items: stage_ddl
CREATE TEMP TABLE "sy_stage_3" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 integer, sy__k1 integer, "order_id" integer, "line" integer, "sku" text, "pieces" integer);

-- public.items: stage_copy
COPY pg_temp."sy_stage_3" (sy__op, sy__ord, sy__absent, sy__k0, sy__k1, "order_id", "line", "sku", "pieces")
  FROM STDIN;

-- ==== NEW's public.people, by scope

-- public.people: keyed.view_ddl
CREATE VIEW "switchyard"."map_0_people" AS SELECT who.email, count(o.id) AS orders
FROM (SELECT lower(email) AS email, id FROM customers UNION ALL
      SELECT lower(email), NULL FROM logins) AS who
LEFT JOIN orders o ON o.customer = who.id
GROUP BY who.email
;

-- public.people: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m0" AS SELECT "email" FROM "public"."people" WITH NO DATA;

-- public.people: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m0" AS SELECT "email", "orders" FROM "public"."people" WITH NO DATA;

-- public.people: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m0" AS
  SELECT NULL::bigint AS sy__n, "email"
  FROM "public"."people" WITH NO DATA;

-- public.people: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m0" (sy__n);

-- public.people: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m0" AS SELECT "email", "orders" FROM "public"."people" WITH NO DATA;

-- public.people: touches of customers: before
INSERT INTO pg_temp."sy_touched_m0" ("email")
  SELECT DISTINCT lower((customers.email)::text)
  FROM (SELECT sy__k0
    FROM pg_temp."sy_stage_0"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s
  JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0;

-- public.people: touches of customers: after
INSERT INTO pg_temp."sy_touched_m0" ("email")
  SELECT DISTINCT lower((customers.email)::text)
  FROM (SELECT "id" AS sy__k0
    FROM pg_temp."sy_stage_0"
    WHERE sy__op IN ('I','U','K')
    AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s
  JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0;

-- public.people: touches of customers: all
INSERT INTO pg_temp."sy_touched_m0" ("email")
  SELECT DISTINCT lower((customers.email)::text)
  FROM "switchyard_old"."customers" AS "customers";

-- public.people: touches of logins: before
INSERT INTO pg_temp."sy_touched_m0" ("email")
  SELECT DISTINCT lower(logins.email)
  FROM (SELECT sy__k0
    FROM pg_temp."sy_stage_1"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  JOIN "switchyard_old"."logins" AS "logins" ON "logins"."id" = sy_s.sy__k0;

-- public.people: touches of logins: after
INSERT INTO pg_temp."sy_touched_m0" ("email")
  SELECT DISTINCT lower(logins.email)
  FROM (SELECT "id" AS sy__k0
    FROM pg_temp."sy_stage_1"
    WHERE sy__op IN ('I','U','K')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  JOIN "switchyard_old"."logins" AS "logins" ON "logins"."id" = sy_s.sy__k0;

-- public.people: touches of logins: all
INSERT INTO pg_temp."sy_touched_m0" ("email")
  SELECT DISTINCT lower(logins.email)
  FROM "switchyard_old"."logins" AS "logins";

-- public.people: touches of orders: before
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."orders" AS "orders" ON "orders"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((c.email)::text) AS lower
                   FROM "switchyard_old".customers c
                  WHERE (c.id = orders.customer)
) AS sy_q;

-- public.people: touches of orders: after
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."orders" AS "orders" ON "orders"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((c.email)::text) AS lower
                   FROM "switchyard_old".customers c
                  WHERE (c.id = orders.customer)
) AS sy_q;

-- public.people: touches of orders: all
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM "switchyard_old"."orders" AS "orders" CROSS JOIN LATERAL ( SELECT lower((c.email)::text) AS lower
                   FROM "switchyard_old".customers c
                  WHERE (c.id = orders.customer)
) AS sy_q;

-- public.people: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m0" SELECT DISTINCT "email" FROM "public"."people";

-- public.people: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m0"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "email"
    FROM pg_temp."sy_touched_m0") AS sy_d;

-- public.people: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m0"
  SELECT "email"
  FROM pg_temp."sy_slice_m0"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.people: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('email', "email"::text)
  FROM pg_temp."sy_slice_m0"
  WHERE sy__n = $1;

-- public.people: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m0" ("email", "orders")
    SELECT sy_v."email", sy_v."orders"
    FROM "switchyard"."map_0_people" AS sy_v
    WHERE sy_v."email" = ANY(ARRAY(SELECT DISTINCT "email"
        FROM pg_temp."sy_touched_m0"
        WHERE "email" IS NOT NULL))
    RETURNING "email")
  SELECT
  FROM sy_c
  GROUP BY "email"
  HAVING count(*) > 1 LIMIT 1;

-- public.people: keyed.remove
DELETE FROM "public"."people" AS sy_t
  WHERE sy_t."email" = ANY(ARRAY(SELECT "email"
      FROM pg_temp."sy_touched_m0"
      EXCEPT
      SELECT "email"
      FROM pg_temp."sy_new_m0"));

-- public.people: keyed.update
UPDATE "public"."people" AS sy_t
  SET "email" = sy_n."email", "orders" = sy_n."orders"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE sy_t."email" = sy_n."email"
  AND NOT (ROW(sy_t."email", sy_t."orders")::record *= ROW(sy_n."email", sy_n."orders")::record);

-- public.people: keyed.insert
INSERT INTO "public"."people" ("email", "orders")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."email", sy_n."orders"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."people" AS sy_o
    WHERE sy_o."email" = sy_n."email");

-- public.people: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m0" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."people" AS sy_t
      WHERE sy_t."email" = sy_n."email"
      AND ROW(sy_t."email", sy_t."orders")::record *= ROW(sy_n."email", sy_n."orders")::record)), (SELECT count(*)
    FROM "public"."people" AS sy_t
    WHERE sy_t."email" = ANY(ARRAY(SELECT "email"
        FROM pg_temp."sy_touched_m0"
        EXCEPT
        SELECT "email"
        FROM pg_temp."sy_new_m0")));

-- public.people: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."people" AS sy_t
    WHERE sy_t."email" = ANY(ARRAY(SELECT DISTINCT "email"
        FROM pg_temp."sy_touched_m0"
        WHERE "email" IS NOT NULL))
    RETURNING sy_t."email", sy_t."orders")
  INSERT INTO pg_temp."sy_taken_m0"
  SELECT "email", "orders"
  FROM sy_taken;

-- public.people: keyed.take_out
DELETE FROM pg_temp."sy_taken_m0" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m0" AS sy_n
    WHERE sy_g."email" = sy_n."email");

-- public.people: keyed.take_out
UPDATE pg_temp."sy_taken_m0" AS sy_g
  SET "email" = sy_n."email", "orders" = sy_n."orders"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE sy_g."email" = sy_n."email";

-- public.people: keyed.take_out
INSERT INTO "public"."people" ("email", "orders")
  OVERRIDING SYSTEM VALUE
  SELECT "email", "orders"
  FROM pg_temp."sy_taken_m0";

-- public.people: keyed.take_out
INSERT INTO "public"."people" ("email", "orders")
  OVERRIDING SYSTEM VALUE
  SELECT "email", "orders"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m0" AS sy_g
    WHERE sy_g."email" = sy_n."email");

-- public.people: keyed.take_out
DELETE FROM pg_temp."sy_taken_m0";

-- public.people: keyed.clean
DELETE FROM pg_temp."sy_touched_m0";

-- public.people: keyed.clean
DELETE FROM pg_temp."sy_new_m0";

-- public.people: keyed.populate
INSERT INTO "public"."people" ("email", "orders")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."email", sy_v."orders"
  FROM "switchyard"."map_0_people" AS sy_v;

-- public.people: keyed.explain
SELECT sy_v."email", sy_v."orders" FROM ({select}
) AS sy_v WHERE sy_v."email" = ANY(ARRAY(SELECT DISTINCT "email" FROM pg_temp."sy_touched_m0" WHERE "email" IS NOT NULL));

-- public.people: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m0" AS
  SELECT "email"
  FROM "public"."people" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m0_key" ON pg_temp."sy_leaving_m0" ("email");

-- public.people: ordered.note
INSERT INTO pg_temp."sy_leaving_m0"
  SELECT sy_t."email"
  FROM "public"."people" AS sy_t
  WHERE sy_t."email" = ANY(ARRAY(SELECT "email"
      FROM pg_temp."sy_touched_m0"
      EXCEPT
      SELECT "email"
      FROM pg_temp."sy_new_m0"));

-- public.people: ordered.keep
DELETE FROM pg_temp."sy_leaving_m0" AS sy_l
  USING pg_temp."sy_new_m0" AS sy_n
  WHERE sy_l."email" = sy_n."email";

-- public.people: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."people" AS sy_t
    USING (SELECT sy_n."email"
      FROM pg_temp."sy_new_m0" AS sy_n
      JOIN "public"."people" AS sy_o ON sy_n."email" = sy_o."email"
      WHERE NOT (ROW(sy_n."email", sy_n."orders")::record *= ROW(sy_o."email", sy_o."orders")::record)) AS sy_k
    WHERE sy_t."email" = sy_k."email"
    RETURNING sy_t."email", sy_t."orders"), sy_put AS (INSERT INTO "public"."people" ("email", "orders")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."email", sy_n."orders"
    FROM pg_temp."sy_new_m0" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."email" = sy_o."email"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."people" ("email", "orders")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."email", sy_n."orders"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."people" AS sy_o
    WHERE sy_o."email" = sy_n."email")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.people: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."people" AS sy_t
    USING (SELECT sy_n."email"
      FROM pg_temp."sy_new_m0" AS sy_n
      JOIN "public"."people" AS sy_o ON sy_n."email" = sy_o."email"
      WHERE NOT (ROW(sy_n."email", sy_n."orders")::record *= ROW(sy_o."email", sy_o."orders")::record)
      UNION ALL
      SELECT "email"
      FROM pg_temp."sy_leaving_m0") AS sy_k
    WHERE sy_t."email" = sy_k."email"
    RETURNING sy_t."email", sy_t."orders"), sy_put AS (INSERT INTO "public"."people" ("email", "orders")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."email", sy_n."orders"
    FROM pg_temp."sy_new_m0" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."email" = sy_o."email"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."people" ("email", "orders")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."email", sy_n."orders"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."people" AS sy_o
    WHERE sy_o."email" = sy_n."email")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.people: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m0" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "email"
  FROM "public"."people" WITH NO DATA;

-- public.people: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m0" AS sy_s
  JOIN pg_temp."sy_bar_m0" AS sy_b ON sy_s."email" = sy_b."email";

-- ==== NEW's public.customers, by scope

-- public.customers: keyed.view_ddl
CREATE VIEW "switchyard"."map_1_customers" AS
  SELECT ("id") AS "id", ("note") AS "note", (lower(email)) AS "email"
  FROM "customers" AS "customers";

-- public.customers: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m1" AS SELECT "id" FROM "public"."customers" WITH NO DATA;

-- public.customers: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m1" AS SELECT "id", "note", "email" FROM "public"."customers" WITH NO DATA;

-- public.customers: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m1" AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."customers" WITH NO DATA;

-- public.customers: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m1" (sy__n);

-- public.customers: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m1" AS
  SELECT "id", "email", "note"
  FROM "public"."customers" WITH NO DATA;

-- public.customers: touches of customers: before
INSERT INTO pg_temp."sy_touched_m1" ("id")
  SELECT DISTINCT "id"
  FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
    FROM pg_temp."sy_stage_0"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS "customers";

-- public.customers: touches of customers: after
INSERT INTO pg_temp."sy_touched_m1" ("id")
  SELECT DISTINCT "id"
  FROM pg_temp."sy_stage_0" AS "customers"
  WHERE "customers".sy__op IN ('I','K');

-- public.customers: touches of customers: all
INSERT INTO pg_temp."sy_touched_m1" ("id")
  SELECT DISTINCT "id"
  FROM "switchyard_old"."customers" AS "customers";

-- public.customers: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m1" SELECT DISTINCT "id" FROM "public"."customers";

-- public.customers: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m1"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "id"
    FROM pg_temp."sy_touched_m1") AS sy_d;

-- public.customers: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m1"
  SELECT "id"
  FROM pg_temp."sy_slice_m1"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.customers: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('id', "id"::text) FROM pg_temp."sy_slice_m1" WHERE sy__n = $1;

-- public.customers: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m1" ("id", "note", "email")
    SELECT sy_v."id", sy_v."note", sy_v."email"
    FROM "switchyard"."map_1_customers" AS sy_v
    WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m1"
        WHERE "id" IS NOT NULL))
    RETURNING "id")
  SELECT
  FROM sy_c
  GROUP BY "id"
  HAVING count(*) > 1 LIMIT 1;

-- public.customers: keyed.remove
DELETE FROM "public"."customers" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m1"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m1"));

-- public.customers: keyed.update
UPDATE "public"."customers" AS sy_t
  SET "id" = sy_n."id", "note" = sy_n."note", "email" = sy_n."email"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE sy_t."id" = sy_n."id"
  AND NOT (ROW(sy_t."id", sy_t."note", sy_t."email")::record *= ROW(sy_n."id", sy_n."note", sy_n."email")::record);

-- public.customers: keyed.insert
INSERT INTO "public"."customers" ("id", "note", "email")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."note", sy_n."email"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."customers" AS sy_o
    WHERE sy_o."id" = sy_n."id");

-- public.customers: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m1" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."customers" AS sy_t
      WHERE sy_t."id" = sy_n."id"
      AND ROW(sy_t."id", sy_t."note", sy_t."email")::record *= ROW(sy_n."id", sy_n."note", sy_n."email")::record)), (SELECT count(*)
    FROM "public"."customers" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
        FROM pg_temp."sy_touched_m1"
        EXCEPT
        SELECT "id"
        FROM pg_temp."sy_new_m1")));

-- public.customers: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."customers" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m1"
        WHERE "id" IS NOT NULL))
    RETURNING sy_t."id", sy_t."email", sy_t."note")
  INSERT INTO pg_temp."sy_taken_m1"
  SELECT "id", "email", "note"
  FROM sy_taken;

-- public.customers: keyed.take_out
DELETE FROM pg_temp."sy_taken_m1" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m1" AS sy_n
    WHERE sy_g."id" = sy_n."id");

-- public.customers: keyed.take_out
UPDATE pg_temp."sy_taken_m1" AS sy_g
  SET "id" = sy_n."id", "note" = sy_n."note", "email" = sy_n."email"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE sy_g."id" = sy_n."id";

-- public.customers: keyed.take_out
INSERT INTO "public"."customers" ("id", "email", "note")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "note"
  FROM pg_temp."sy_taken_m1";

-- public.customers: keyed.take_out
INSERT INTO "public"."customers" ("id", "note", "email")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "note", "email"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m1" AS sy_g
    WHERE sy_g."id" = sy_n."id");

-- public.customers: keyed.take_out
DELETE FROM pg_temp."sy_taken_m1";

-- public.customers: keyed.clean
DELETE FROM pg_temp."sy_touched_m1";

-- public.customers: keyed.clean
DELETE FROM pg_temp."sy_new_m1";

-- public.customers: keyed.populate
INSERT INTO "public"."customers" ("id", "note", "email")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."id", sy_v."note", sy_v."email"
  FROM "switchyard"."map_1_customers" AS sy_v;

-- public.customers: keyed.explain
SELECT sy_v."id", sy_v."note", sy_v."email" FROM ({select}
) AS sy_v WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id" FROM pg_temp."sy_touched_m1" WHERE "id" IS NOT NULL));

-- public.customers: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m1" AS
  SELECT "id"
  FROM "public"."customers" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m1_key" ON pg_temp."sy_leaving_m1" ("id");

-- public.customers: ordered.note
INSERT INTO pg_temp."sy_leaving_m1"
  SELECT sy_t."id"
  FROM "public"."customers" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m1"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m1"));

-- public.customers: ordered.keep
DELETE FROM pg_temp."sy_leaving_m1" AS sy_l
  USING pg_temp."sy_new_m1" AS sy_n
  WHERE sy_l."id" = sy_n."id";

-- public.customers: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."customers" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m1" AS sy_n
      JOIN "public"."customers" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."note", sy_n."email")::record *= ROW(sy_o."id", sy_o."note", sy_o."email")::record)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."email", sy_t."note"), sy_put AS (INSERT INTO "public"."customers" ("id", "email", "note")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."email", sy_n."note"
    FROM pg_temp."sy_new_m1" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."customers" ("id", "note", "email")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."note", sy_n."email"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."customers" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.customers: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."customers" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m1" AS sy_n
      JOIN "public"."customers" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."note", sy_n."email")::record *= ROW(sy_o."id", sy_o."note", sy_o."email")::record)
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m1") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."email", sy_t."note"), sy_put AS (INSERT INTO "public"."customers" ("id", "email", "note")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."email", sy_n."note"
    FROM pg_temp."sy_new_m1" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."customers" ("id", "note", "email")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."note", sy_n."email"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."customers" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.customers: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m1" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."customers" WITH NO DATA;

-- public.customers: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m1" AS sy_s
  JOIN pg_temp."sy_bar_m1" AS sy_b ON sy_s."id" = sy_b."id";

-- ==== NEW's public.orders, by scope

-- public.orders: keyed.view_ddl
CREATE VIEW "switchyard"."map_2_orders" AS
  SELECT ("id") AS "id", (customer) AS "customer_id", (state::text) AS "state", ((total * 100)::bigint) AS "total_cents"
  FROM "orders" AS "orders";

-- public.orders: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m2" AS SELECT "id" FROM "public"."orders" WITH NO DATA;

-- public.orders: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m2" AS
  SELECT "id", "customer_id", "state", "total_cents"
  FROM "public"."orders" WITH NO DATA;

-- public.orders: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m2" AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."orders" WITH NO DATA;

-- public.orders: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m2" (sy__n);

-- public.orders: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m2" AS
  SELECT "id", "customer_id", "state", "total_cents"
  FROM "public"."orders" WITH NO DATA;

-- public.orders: touches of orders: before
INSERT INTO pg_temp."sy_touched_m2" ("id")
  SELECT DISTINCT "id"
  FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
    FROM pg_temp."sy_stage_2"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS "orders";

-- public.orders: touches of orders: after
INSERT INTO pg_temp."sy_touched_m2" ("id")
  SELECT DISTINCT "id"
  FROM pg_temp."sy_stage_2" AS "orders"
  WHERE "orders".sy__op IN ('I','K');

-- public.orders: touches of orders: all
INSERT INTO pg_temp."sy_touched_m2" ("id")
  SELECT DISTINCT "id"
  FROM "switchyard_old"."orders" AS "orders";

-- public.orders: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m2" SELECT DISTINCT "id" FROM "public"."orders";

-- public.orders: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m2"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "id"
    FROM pg_temp."sy_touched_m2") AS sy_d;

-- public.orders: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m2"
  SELECT "id"
  FROM pg_temp."sy_slice_m2"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.orders: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('id', "id"::text) FROM pg_temp."sy_slice_m2" WHERE sy__n = $1;

-- public.orders: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m2" ("id", "customer_id", "state", "total_cents")
    SELECT sy_v."id", sy_v."customer_id", sy_v."state", sy_v."total_cents"
    FROM "switchyard"."map_2_orders" AS sy_v
    WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m2"
        WHERE "id" IS NOT NULL))
    RETURNING "id")
  SELECT
  FROM sy_c
  GROUP BY "id"
  HAVING count(*) > 1 LIMIT 1;

-- public.orders: keyed.remove
DELETE FROM "public"."orders" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m2"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m2"));

-- public.orders: keyed.update
UPDATE "public"."orders" AS sy_t
  SET "id" = sy_n."id", "customer_id" = sy_n."customer_id", "state" = sy_n."state", "total_cents" = sy_n."total_cents"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE sy_t."id" = sy_n."id"
  AND NOT (ROW(sy_t."id", sy_t."customer_id", sy_t."state", sy_t."total_cents")::record *= ROW(sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents")::record);

-- public.orders: keyed.insert
INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."orders" AS sy_o
    WHERE sy_o."id" = sy_n."id");

-- public.orders: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m2" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."orders" AS sy_t
      WHERE sy_t."id" = sy_n."id"
      AND ROW(sy_t."id", sy_t."customer_id", sy_t."state", sy_t."total_cents")::record *= ROW(sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents")::record)), (SELECT count(*)
    FROM "public"."orders" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
        FROM pg_temp."sy_touched_m2"
        EXCEPT
        SELECT "id"
        FROM pg_temp."sy_new_m2")));

-- public.orders: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."orders" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m2"
        WHERE "id" IS NOT NULL))
    RETURNING sy_t."id", sy_t."customer_id", sy_t."state", sy_t."total_cents")
  INSERT INTO pg_temp."sy_taken_m2"
  SELECT "id", "customer_id", "state", "total_cents"
  FROM sy_taken;

-- public.orders: keyed.take_out
DELETE FROM pg_temp."sy_taken_m2" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m2" AS sy_n
    WHERE sy_g."id" = sy_n."id");

-- public.orders: keyed.take_out
UPDATE pg_temp."sy_taken_m2" AS sy_g
  SET "id" = sy_n."id", "customer_id" = sy_n."customer_id", "state" = sy_n."state", "total_cents" = sy_n."total_cents"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE sy_g."id" = sy_n."id";

-- public.orders: keyed.take_out
INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer_id", "state", "total_cents"
  FROM pg_temp."sy_taken_m2";

-- public.orders: keyed.take_out
INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "customer_id", "state", "total_cents"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m2" AS sy_g
    WHERE sy_g."id" = sy_n."id");

-- public.orders: keyed.take_out
DELETE FROM pg_temp."sy_taken_m2";

-- public.orders: keyed.clean
DELETE FROM pg_temp."sy_touched_m2";

-- public.orders: keyed.clean
DELETE FROM pg_temp."sy_new_m2";

-- public.orders: keyed.populate
INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."id", sy_v."customer_id", sy_v."state", sy_v."total_cents"
  FROM "switchyard"."map_2_orders" AS sy_v;

-- public.orders: keyed.explain
SELECT sy_v."id", sy_v."customer_id", sy_v."state", sy_v."total_cents" FROM ({select}
) AS sy_v WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id" FROM pg_temp."sy_touched_m2" WHERE "id" IS NOT NULL));

-- public.orders: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m2" AS
  SELECT "id"
  FROM "public"."orders" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m2_key" ON pg_temp."sy_leaving_m2" ("id");

-- public.orders: ordered.note
INSERT INTO pg_temp."sy_leaving_m2"
  SELECT sy_t."id"
  FROM "public"."orders" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m2"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m2"));

-- public.orders: ordered.keep
DELETE FROM pg_temp."sy_leaving_m2" AS sy_l
  USING pg_temp."sy_new_m2" AS sy_n
  WHERE sy_l."id" = sy_n."id";

-- public.orders: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."orders" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m2" AS sy_n
      JOIN "public"."orders" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents")::record *= ROW(sy_o."id", sy_o."customer_id", sy_o."state", sy_o."total_cents")::record)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."customer_id", sy_t."state", sy_t."total_cents"), sy_put AS (INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents"
    FROM pg_temp."sy_new_m2" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."orders" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.orders: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."orders" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m2" AS sy_n
      JOIN "public"."orders" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents")::record *= ROW(sy_o."id", sy_o."customer_id", sy_o."state", sy_o."total_cents")::record)
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m2") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."customer_id", sy_t."state", sy_t."total_cents"), sy_put AS (INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents"
    FROM pg_temp."sy_new_m2" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."orders" ("id", "customer_id", "state", "total_cents")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."customer_id", sy_n."state", sy_n."total_cents"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."orders" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.orders: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m2" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."orders" WITH NO DATA;

-- public.orders: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m2" AS sy_s
  JOIN pg_temp."sy_bar_m2" AS sy_b ON sy_s."id" = sy_b."id";

-- ==== NEW's public.items, row by row

-- public.items: write.remove
DELETE FROM "public"."items" AS sy_t
  USING (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "items") AS sy_s
  WHERE sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: write.update
UPDATE "public"."items" AS sy_t
  SET "sku" = sy_s.sy__v2, "pieces" = sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('U')) AS sy_s
  WHERE sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: write.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U')) AS "items") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."items" AS sy_t
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K')) AS "items") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."items" AS sy_t
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "items") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."items" AS sy_t
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K','D')) AS "items") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."items" AS sy_t
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K','D')) AS "items") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."items" AS sy_t
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.update_absent
UPDATE "public"."items" AS sy_t
  SET "sku" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."sku" ELSE sy_s.sy__v2 END, "pieces" = sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('U')) AS sy_s
  WHERE sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: write.move
UPDATE "public"."items" AS sy_t
  SET "order_id" = sy_s.sy__v0, "line" = sy_s.sy__v1, "sku" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."sku" ELSE sy_s.sy__v2 END, "pieces" = sy_s.sy__v3
  FROM pg_temp."sy_stage_3" AS sy_r
  CROSS JOIN LATERAL (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy_r.sy__k0 AS "order_id", sy_r.sy__k1 AS "line") AS "items") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("order_id") AS sy__v0, ("line") AS sy__v1, ("sku") AS sy__v2, ("pieces") AS sy__v3, sy__absent
    FROM (SELECT sy_r.*) AS "items") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."order_id" = sy_s0.sy__t0
  AND sy_t."line" = sy_s0.sy__t1;

-- public.items: write.insert
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM pg_temp."sy_stage_3" AS "items"
  WHERE "items".sy__op IN ('I');

-- public.items: write.copy_in
COPY "public"."items" ("order_id", "line", "sku", "pieces") FROM STDIN;

-- public.items: write.taken_table_ddl
CREATE TEMP TABLE "sy_taken_m3" AS
  SELECT NULL::int AS sy__ord, "order_id", "line", "sku", "pieces"
  FROM "public"."items" WITH NO DATA;

-- public.items: write.take_out
WITH sy_taken AS (DELETE FROM "public"."items" AS sy_t
    USING (SELECT sy__ord, sy__op, ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
        FROM pg_temp."sy_stage_3"
        WHERE sy__op IN ('D','U','K')) AS "items") AS sy_s
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."order_id", sy_t."line", sy_t."sku", sy_t."pieces")
  INSERT INTO pg_temp."sy_taken_m3"
  SELECT sy__ord, "order_id", "line", "sku", "pieces"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.items: write.take_out
UPDATE pg_temp."sy_taken_m3" AS sy_g
  SET "order_id" = sy_s.sy__v0, "line" = sy_s.sy__v1, "sku" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."sku" ELSE sy_s.sy__v2 END, "pieces" = sy_s.sy__v3
  FROM (SELECT sy__ord, ("order_id") AS sy__v0, ("line") AS sy__v1, ("sku") AS sy__v2, ("pieces") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.items: write.take_out
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM pg_temp."sy_taken_m3";

-- public.items: write.take_out
DELETE FROM pg_temp."sy_taken_m3";

-- public.items: write.take_out
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM pg_temp."sy_stage_3" AS "items"
  WHERE "items".sy__op IN ('I');

-- public.items: write.clear
DELETE FROM "public"."items";

-- public.items: write.load
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM {load} AS "items";

-- public.items: write.swap_remove
DELETE FROM "public"."items" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM {load} AS "items") AS sy_s
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.swap_upsert
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM {load} AS "items"
  ON CONFLICT ("order_id", "line") DO UPDATE
  SET "sku" = excluded."sku", "pieces" = excluded."pieces"
  WHERE NOT (ROW("public"."items"."order_id", "public"."items"."line", "public"."items"."sku", "public"."items"."pieces")::record *= ROW(excluded."order_id", excluded."line", excluded."sku", excluded."pieces")::record);

-- public.items: write.swap_upsert_plain
UPDATE "public"."items" AS sy_t
  SET "sku" = sy_s.sy__v2, "pieces" = sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM {load} AS "items") AS sy_s
  WHERE sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1
  AND (sy_t."sku"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."pieces"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C");
  INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM {load} AS "items"
  CROSS JOIN LATERAL (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."items" AS sy_t
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.swap_take_out
WITH sy_taken AS (DELETE FROM "public"."items" AS sy_t
    USING (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3
      FROM {load} AS "items") AS sy_s
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1
    AND (sy_t."sku"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."pieces"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C")
    RETURNING sy_t."order_id", sy_t."line", sy_t."sku", sy_t."pieces")
  INSERT INTO pg_temp."sy_taken_m3"
  SELECT NULL, "order_id", "line", "sku", "pieces"
  FROM sy_taken;

-- public.items: write.swap_take_out
UPDATE pg_temp."sy_taken_m3" AS sy_g
  SET "sku" = sy_s.sy__v2, "pieces" = sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM {load} AS "items") AS sy_s
  WHERE sy_g."order_id" = sy_s.sy__t0
  AND sy_g."line" = sy_s.sy__t1;

-- public.items: write.swap_take_out
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT "order_id", "line", "sku", "pieces"
  FROM pg_temp."sy_taken_m3";

-- public.items: write.swap_take_out
DELETE FROM pg_temp."sy_taken_m3";

-- public.items: write.written_take
INSERT INTO pg_temp."sy_taken_m3" (sy__ord, "order_id", "line", "sku", "pieces")
  SELECT sy_s.sy__ord, sy_t."order_id", sy_t."line", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."sku" ELSE sy_s.sy__v2 END, sy_s.sy__v3
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I','U','K')) AS sy_s
  JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: write.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM pg_temp."sy_stage_3" AS "items"
      WHERE "items".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "public"."items" AS sy_t
      WHERE sy_t."order_id" = sy_s.sy__t0
      AND sy_t."line" = sy_s.sy__t1)), (SELECT count(*)
    FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM pg_temp."sy_stage_3" AS "items"
      WHERE "items".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "public"."items" AS sy_t
      WHERE sy_t."order_id" = sy_s.sy__t0
      AND sy_t."line" = sy_s.sy__t1)), (SELECT count(*)
    FROM pg_temp."sy_taken_m3" AS sy_g
    JOIN "public"."items" AS sy_t ON sy_g."order_id" = sy_t."order_id"
    AND sy_g."line" = sy_t."line"
    WHERE NOT (ROW(sy_g."sku", sy_g."pieces")::record *= ROW(sy_t."sku", sy_t."pieces")::record)), (SELECT count(*)
    FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
        FROM pg_temp."sy_stage_3"
        WHERE sy__op IN ('D','K')) AS "items") AS sy_s
    JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
        FROM pg_temp."sy_stage_3" AS "items"
        WHERE "items".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."order_id" = sy_s.sy__t0
      AND sy_t."line" = sy_s.sy__t1));

-- public.items: write.loaded_take
INSERT INTO pg_temp."sy_taken_m3" (sy__ord, "order_id", "line", "sku", "pieces")
  SELECT NULL, sy_t."order_id", sy_t."line", sy_s.sy__v2, sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM {load} AS "items") AS sy_s
  JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: write.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_m3" AS sy_g
    JOIN "public"."items" AS sy_t ON sy_g."order_id" = sy_t."order_id"
    AND sy_g."line" = sy_t."line"
    WHERE ROW(sy_g."sku", sy_g."pieces")::record *= ROW(sy_t."sku", sy_t."pieces")::record);

-- public.items: write.swapped_left
SELECT count(*)
  FROM "public"."items" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM {load} AS "items") AS sy_s
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: write.cleared_left
SELECT count(*) FROM "public"."items";

-- public.items: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m3" AS
  SELECT "order_id", "line"
  FROM "public"."items" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m3_key" ON pg_temp."sy_leaving_m3" ("order_id", "line");

-- public.items: ordered.note
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_s.sy__t0, sy_s.sy__t1
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D','K')) AS "items") AS sy_s;

-- public.items: ordered.keep
DELETE FROM pg_temp."sy_leaving_m3" AS sy_l
  USING (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I','K')) AS sy_s
  WHERE sy_l."order_id" = sy_s.sy__t0
  AND sy_l."line" = sy_s.sy__t1;

-- public.items: ordered.note_deleted
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_s.sy__t0, sy_s.sy__t1
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "items") AS sy_s;

-- public.items: ordered.note_all
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_t."order_id", sy_t."line"
  FROM "public"."items" AS sy_t;

-- public.items: ordered.note_swap
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_t."order_id", sy_t."line"
  FROM "public"."items" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
      FROM {load} AS "items") AS sy_s
    WHERE sy_t."order_id" = sy_s.sy__t0
    AND sy_t."line" = sy_s.sy__t1);

-- public.items: ordered.take_moved
INSERT INTO pg_temp."sy_taken_m3"
  SELECT sy_s.sy__ord, sy_t."order_id", sy_t."line", sy_t."sku", sy_t."pieces"
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('K')) AS "items") AS sy_s
  JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: ordered.take_changed
INSERT INTO pg_temp."sy_taken_m3"
  SELECT sy_s.sy__ord, sy_t."order_id", sy_t."line", sy_t."sku", sy_t."pieces"
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K')) AS "items") AS sy_s
  JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1;

-- public.items: ordered.moved_update
UPDATE "public"."items" AS sy_t
  SET "order_id" = sy_g."order_id", "line" = sy_g."line", "sku" = sy_g."sku", "pieces" = sy_g."pieces"
  FROM pg_temp."sy_taken_m3" AS sy_g
  WHERE sy_t."order_id" = sy_g."order_id"
  AND sy_t."line" = sy_g."line"
  AND EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    WHERE sy_l."order_id" = sy_g."order_id"
    AND sy_l."line" = sy_g."line");

-- public.items: ordered.moved_insert
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT sy_g."order_id", sy_g."line", sy_g."sku", sy_g."pieces"
  FROM pg_temp."sy_taken_m3" AS sy_g
  WHERE NOT EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_l."order_id"
    AND sy_t."line" = sy_l."line"
    WHERE sy_l."order_id" = sy_g."order_id"
    AND sy_l."line" = sy_g."line");

-- public.items: ordered.fresh_update
UPDATE "public"."items" AS sy_t
  SET "sku" = sy_s.sy__v2, "pieces" = sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("order_id") AS sy__v0, ("line") AS sy__v1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I')) AS sy_s
  WHERE sy_t."order_id" = sy_s.sy__t0
  AND sy_t."line" = sy_s.sy__t1
  AND EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    WHERE sy_l."order_id" = sy_s.sy__t0
    AND sy_l."line" = sy_s.sy__t1);

-- public.items: ordered.fresh_insert
INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT sy_s.sy__v0, sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("order_id") AS sy__v0, ("line") AS sy__v1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I')) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    JOIN "public"."items" AS sy_t ON sy_t."order_id" = sy_l."order_id"
    AND sy_t."line" = sy_l."line"
    WHERE sy_l."order_id" = sy_s.sy__t0
    AND sy_l."line" = sy_s.sy__t1);

-- public.items: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."items" AS sy_t
    USING (SELECT sy_s.sy__t0 AS "order_id", sy_s.sy__t1 AS "line"
      FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
        FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
          FROM pg_temp."sy_stage_3"
          WHERE sy__op IN ('U')) AS "items") AS sy_s
      UNION ALL
      SELECT "order_id", "line"
      FROM pg_temp."sy_leaving_m3" AS sy_l
      WHERE EXISTS (SELECT
        FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1
          FROM pg_temp."sy_stage_3" AS "items"
          WHERE "items".sy__op IN ('I','K')) AS sy_s
        WHERE sy_l."order_id" = sy_s.sy__t0
        AND sy_l."line" = sy_s.sy__t1)) AS sy_k
    WHERE sy_t."order_id" = sy_k."order_id"
    AND sy_t."line" = sy_k."line"
    RETURNING 1), sy_put AS (INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
    OVERRIDING SYSTEM VALUE
    SELECT sy_g."order_id", sy_g."line", sy_g."sku", sy_g."pieces"
    FROM pg_temp."sy_taken_m3" AS sy_g
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT sy_s.sy__v0, sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("order_id") AS sy__v0, ("line") AS sy__v1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I')) AS sy_s
  WHERE (SELECT count(*)
    FROM sy_out) >= 0;

-- public.items: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."items" AS sy_t
    USING (SELECT sy_s.sy__t0 AS "order_id", sy_s.sy__t1 AS "line"
      FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
        FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
          FROM pg_temp."sy_stage_3"
          WHERE sy__op IN ('U')) AS "items") AS sy_s
      UNION ALL
      SELECT "order_id", "line"
      FROM pg_temp."sy_leaving_m3") AS sy_k
    WHERE sy_t."order_id" = sy_k."order_id"
    AND sy_t."line" = sy_k."line"
    RETURNING 1), sy_put AS (INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
    OVERRIDING SYSTEM VALUE
    SELECT sy_g."order_id", sy_g."line", sy_g."sku", sy_g."pieces"
    FROM pg_temp."sy_taken_m3" AS sy_g
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."items" ("order_id", "line", "sku", "pieces")
  OVERRIDING SYSTEM VALUE
  SELECT sy_s.sy__v0, sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3
  FROM (SELECT ("order_id") AS sy__t0, ("line") AS sy__t1, ("order_id") AS sy__v0, ("line") AS sy__v1, ("sku") AS sy__v2, ("pieces") AS sy__v3
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I')) AS sy_s
  WHERE (SELECT count(*)
    FROM sy_out) >= 0;

-- public.items: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m3" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "order_id", "line"
  FROM "public"."items" WITH NO DATA;

-- public.items: ordered.barred
SELECT DISTINCT sy_s.sy__ord, sy_b.sy__n
  FROM (SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "order_id", sy__k1 AS "line"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D','U','K')) AS "items"
    UNION ALL
    SELECT sy__ord, ("order_id") AS sy__t0, ("line") AS sy__t1
    FROM pg_temp."sy_stage_3" AS "items"
    WHERE "items".sy__op IN ('I','K')) AS sy_s
  JOIN pg_temp."sy_bar_m3" AS sy_b ON sy_b."order_id" = sy_s.sy__t0
  AND sy_b."line" = sy_s.sy__t1;
