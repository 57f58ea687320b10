-- ==== OLD's public.bookings

-- public.bookings: stage_ddl
CREATE TEMP TABLE "sy_stage_0" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 text, "id" text, "studio_id" text, "customer_id" text, "customer_name" text, "customer_email" text, "customer_phone" text, "service" text, "starts_at" timestamp with time zone, "duration_min" integer, "status" text, "message" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, sy__still bigint);

-- public.bookings: stage_copy
COPY pg_temp."sy_stage_0" (sy__op, sy__ord, sy__absent, sy__k0, "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  FROM STDIN;

-- public.bookings: note_still
UPDATE pg_temp."sy_stage_0" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."studio_id", sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."studio_id" ELSE sy_s."studio_id" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s."customer_id" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s."customer_name" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s."customer_email" END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s."customer_phone" END, CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."service" ELSE sy_s."service" END, sy_s."starts_at", sy_s."duration_min", CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."status" ELSE sy_s."status" END, CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."message" ELSE sy_s."message" END, sy_s."created_at", sy_s."updated_at")::record THEN 1::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s."customer_id" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s."customer_name" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s."customer_email" END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s."customer_phone" END, sy_s."created_at")::record THEN 2::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."customer_id", sy_t."customer_email", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s."customer_id" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s."customer_email" END, sy_s."created_at")::record THEN 4::bigint ELSE 0::bigint END
  FROM "switchyard_old"."bookings" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."studio_id", sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."studio_id" ELSE sy_s."studio_id" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s."customer_id" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s."customer_name" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s."customer_email" END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s."customer_phone" END, CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."service" ELSE sy_s."service" END, sy_s."starts_at", sy_s."duration_min", CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."status" ELSE sy_s."status" END, CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."message" ELSE sy_s."message" END, sy_s."created_at", sy_s."updated_at")::record
    OR ROW(sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s."customer_id" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s."customer_name" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s."customer_email" END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s."customer_phone" END, sy_s."created_at")::record
    OR ROW(sy_t."customer_id", sy_t."customer_email", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s."customer_id" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s."customer_email" END, sy_s."created_at")::record);

-- public.bookings: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."bookings" ("id" text, "studio_id" text, "customer_id" text, "customer_name" text, "customer_email" text, "customer_phone" text, "service" text, "starts_at" timestamp with time zone, "duration_min" integer, "status" text, "message" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.bookings: mirror_indexes
CREATE INDEX "sy_16384_1c95cf006b331183" ON "switchyard_old"."bookings" ((lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C"))));

-- public.bookings: mirror_indexes
CREATE INDEX "sy_16384_5503988df82b64a9" ON "switchyard_old"."bookings" ((customer_id));

-- public.bookings: mirror_indexes
CREATE INDEX "sy_16384_beedb393f0025911" ON "switchyard_old"."bookings" ((lower((btrim(bookings.customer_email) COLLATE "C"))));

-- public.bookings: mirror.remove
DELETE FROM "switchyard_old"."bookings" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('D')) AS "bookings") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.bookings: mirror.update
UPDATE "switchyard_old"."bookings" AS sy_t
  SET "studio_id" = sy_s.sy__v1, "customer_id" = sy_s.sy__v2, "customer_name" = sy_s.sy__v3, "customer_email" = sy_s.sy__v4, "customer_phone" = sy_s.sy__v5, "service" = sy_s.sy__v6, "starts_at" = sy_s.sy__v7, "duration_min" = sy_s.sy__v8, "status" = sy_s.sy__v9, "message" = sy_s.sy__v10, "created_at" = sy_s.sy__v11, "updated_at" = sy_s.sy__v12
  FROM (SELECT ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12
    FROM pg_temp."sy_stage_0" AS "bookings"
    WHERE "bookings".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.bookings: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U')) AS "bookings") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."bookings" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U','K')) AS "bookings") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."bookings" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('D')) AS "bookings") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."bookings" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U','K','D')) AS "bookings") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."bookings" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_0"
      WHERE sy__op IN ('U','K','D')) AS "bookings") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."bookings" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.update_absent
UPDATE "switchyard_old"."bookings" AS sy_t
  SET "studio_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."studio_id" ELSE sy_s.sy__v1 END, "customer_id" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s.sy__v2 END, "customer_name" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s.sy__v3 END, "customer_email" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s.sy__v4 END, "customer_phone" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s.sy__v5 END, "service" = CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."service" ELSE sy_s.sy__v6 END, "starts_at" = sy_s.sy__v7, "duration_min" = sy_s.sy__v8, "status" = CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."status" ELSE sy_s.sy__v9 END, "message" = CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."message" ELSE sy_s.sy__v10 END, "created_at" = sy_s.sy__v11, "updated_at" = sy_s.sy__v12
  FROM (SELECT ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12, sy__absent
    FROM pg_temp."sy_stage_0" AS "bookings"
    WHERE "bookings".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.bookings: mirror.move
UPDATE "switchyard_old"."bookings" AS sy_t
  SET "id" = sy_s.sy__v0, "studio_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."studio_id" ELSE sy_s.sy__v1 END, "customer_id" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s.sy__v2 END, "customer_name" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s.sy__v3 END, "customer_email" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s.sy__v4 END, "customer_phone" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s.sy__v5 END, "service" = CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."service" ELSE sy_s.sy__v6 END, "starts_at" = sy_s.sy__v7, "duration_min" = sy_s.sy__v8, "status" = CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."status" ELSE sy_s.sy__v9 END, "message" = CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."message" ELSE sy_s.sy__v10 END, "created_at" = sy_s.sy__v11, "updated_at" = sy_s.sy__v12
  FROM pg_temp."sy_stage_0" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "bookings") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12, sy__absent
    FROM (SELECT sy_r.*) AS "bookings") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.bookings: mirror.insert
INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM pg_temp."sy_stage_0" AS "bookings"
  WHERE "bookings".sy__op IN ('I');

-- public.bookings: mirror.copy_in
COPY "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  FROM STDIN;

-- public.bookings: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o0" AS
  SELECT NULL::int AS sy__ord, "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM "switchyard_old"."bookings" WITH NO DATA;

-- public.bookings: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."bookings" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_0"
        WHERE sy__op IN ('D','U','K')) AS "bookings") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_o0"
  SELECT sy__ord, "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.bookings: mirror.take_out
UPDATE pg_temp."sy_taken_o0" AS sy_g
  SET "id" = sy_s.sy__v0, "studio_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."studio_id" ELSE sy_s.sy__v1 END, "customer_id" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."customer_id" ELSE sy_s.sy__v2 END, "customer_name" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_g."customer_name" ELSE sy_s.sy__v3 END, "customer_email" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_g."customer_email" ELSE sy_s.sy__v4 END, "customer_phone" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_g."customer_phone" ELSE sy_s.sy__v5 END, "service" = CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_g."service" ELSE sy_s.sy__v6 END, "starts_at" = sy_s.sy__v7, "duration_min" = sy_s.sy__v8, "status" = CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_g."status" ELSE sy_s.sy__v9 END, "message" = CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_g."message" ELSE sy_s.sy__v10 END, "created_at" = sy_s.sy__v11, "updated_at" = sy_s.sy__v12
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12, sy__absent
    FROM pg_temp."sy_stage_0" AS "bookings"
    WHERE "bookings".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.bookings: mirror.take_out
INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM pg_temp."sy_taken_o0";

-- public.bookings: mirror.take_out
DELETE FROM pg_temp."sy_taken_o0";

-- public.bookings: mirror.take_out
INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM pg_temp."sy_stage_0" AS "bookings"
  WHERE "bookings".sy__op IN ('I');

-- public.bookings: mirror.clear
DELETE FROM "switchyard_old"."bookings";

-- public.bookings: mirror.load
INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM {load} AS "bookings";

-- public.bookings: mirror.swap_remove
DELETE FROM "switchyard_old"."bookings" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "bookings") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.swap_upsert
INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM {load} AS "bookings"
  ON CONFLICT ("id") DO UPDATE
  SET "studio_id" = excluded."studio_id", "customer_id" = excluded."customer_id", "customer_name" = excluded."customer_name", "customer_email" = excluded."customer_email", "customer_phone" = excluded."customer_phone", "service" = excluded."service", "starts_at" = excluded."starts_at", "duration_min" = excluded."duration_min", "status" = excluded."status", "message" = excluded."message", "created_at" = excluded."created_at", "updated_at" = excluded."updated_at"
  WHERE NOT (ROW("switchyard_old"."bookings"."id", "switchyard_old"."bookings"."studio_id", "switchyard_old"."bookings"."customer_id", "switchyard_old"."bookings"."customer_name", "switchyard_old"."bookings"."customer_email", "switchyard_old"."bookings"."customer_phone", "switchyard_old"."bookings"."service", "switchyard_old"."bookings"."starts_at", "switchyard_old"."bookings"."duration_min", "switchyard_old"."bookings"."status", "switchyard_old"."bookings"."message", "switchyard_old"."bookings"."created_at", "switchyard_old"."bookings"."updated_at")::record *= ROW(excluded."id", excluded."studio_id", excluded."customer_id", excluded."customer_name", excluded."customer_email", excluded."customer_phone", excluded."service", excluded."starts_at", excluded."duration_min", excluded."status", excluded."message", excluded."created_at", excluded."updated_at")::record);

-- public.bookings: mirror.swap_upsert_plain
UPDATE "switchyard_old"."bookings" AS sy_t
  SET "studio_id" = sy_s.sy__v1, "customer_id" = sy_s.sy__v2, "customer_name" = sy_s.sy__v3, "customer_email" = sy_s.sy__v4, "customer_phone" = sy_s.sy__v5, "service" = sy_s.sy__v6, "starts_at" = sy_s.sy__v7, "duration_min" = sy_s.sy__v8, "status" = sy_s.sy__v9, "message" = sy_s.sy__v10, "created_at" = sy_s.sy__v11, "updated_at" = sy_s.sy__v12
  FROM (SELECT ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12
    FROM {load} AS "bookings") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."studio_id"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."customer_id"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."customer_name"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C"
    OR sy_t."customer_email"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v4::text COLLATE "C"
    OR sy_t."customer_phone"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v5::text COLLATE "C"
    OR sy_t."service"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v6::text COLLATE "C"
    OR sy_t."starts_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v7::text COLLATE "C"
    OR sy_t."duration_min"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v8::text COLLATE "C"
    OR sy_t."status"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v9::text COLLATE "C"
    OR sy_t."message"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v10::text COLLATE "C"
    OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v11::text COLLATE "C"
    OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v12::text COLLATE "C");
  INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM {load} AS "bookings"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."bookings" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."bookings" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12
      FROM {load} AS "bookings") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."studio_id"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."customer_id"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."customer_name"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C"
      OR sy_t."customer_email"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v4::text COLLATE "C"
      OR sy_t."customer_phone"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v5::text COLLATE "C"
      OR sy_t."service"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v6::text COLLATE "C"
      OR sy_t."starts_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v7::text COLLATE "C"
      OR sy_t."duration_min"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v8::text COLLATE "C"
      OR sy_t."status"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v9::text COLLATE "C"
      OR sy_t."message"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v10::text COLLATE "C"
      OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v11::text COLLATE "C"
      OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v12::text COLLATE "C")
    RETURNING sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_o0"
  SELECT NULL, "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM sy_taken;

-- public.bookings: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o0" AS sy_g
  SET "studio_id" = sy_s.sy__v1, "customer_id" = sy_s.sy__v2, "customer_name" = sy_s.sy__v3, "customer_email" = sy_s.sy__v4, "customer_phone" = sy_s.sy__v5, "service" = sy_s.sy__v6, "starts_at" = sy_s.sy__v7, "duration_min" = sy_s.sy__v8, "status" = sy_s.sy__v9, "message" = sy_s.sy__v10, "created_at" = sy_s.sy__v11, "updated_at" = sy_s.sy__v12
  FROM (SELECT ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12
    FROM {load} AS "bookings") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.bookings: mirror.swap_take_out
INSERT INTO "switchyard_old"."bookings" ("id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM pg_temp."sy_taken_o0";

-- public.bookings: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o0";

-- public.bookings: mirror.written_take
INSERT INTO pg_temp."sy_taken_o0" (sy__ord, "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."studio_id" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."customer_id" ELSE sy_s.sy__v2 END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."customer_name" ELSE sy_s.sy__v3 END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."customer_email" ELSE sy_s.sy__v4 END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."customer_phone" ELSE sy_s.sy__v5 END, CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."service" ELSE sy_s.sy__v6 END, sy_s.sy__v7, sy_s.sy__v8, CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."status" ELSE sy_s.sy__v9 END, CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."message" ELSE sy_s.sy__v10 END, sy_s.sy__v11, sy_s.sy__v12
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12, sy__absent
    FROM pg_temp."sy_stage_0" AS "bookings"
    WHERE "bookings".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."bookings" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.bookings: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_0" AS "bookings"
      WHERE "bookings".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."bookings" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_0" AS "bookings"
      WHERE "bookings".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."bookings" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o0" AS sy_g
    JOIN "switchyard_old"."bookings" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."studio_id", sy_g."customer_id", sy_g."customer_name", sy_g."customer_email", sy_g."customer_phone", sy_g."service", sy_g."starts_at", sy_g."duration_min", sy_g."status", sy_g."message", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."studio_id", sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_0"
        WHERE sy__op IN ('D','K')) AS "bookings") AS sy_s
    JOIN "switchyard_old"."bookings" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_0" AS "bookings"
        WHERE "bookings".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.bookings: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o0" (sy__ord, "id", "studio_id", "customer_id", "customer_name", "customer_email", "customer_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5, sy_s.sy__v6, sy_s.sy__v7, sy_s.sy__v8, sy_s.sy__v9, sy_s.sy__v10, sy_s.sy__v11, sy_s.sy__v12
  FROM (SELECT ("id") AS sy__t0, ("studio_id") AS sy__v1, ("customer_id") AS sy__v2, ("customer_name") AS sy__v3, ("customer_email") AS sy__v4, ("customer_phone") AS sy__v5, ("service") AS sy__v6, ("starts_at") AS sy__v7, ("duration_min") AS sy__v8, ("status") AS sy__v9, ("message") AS sy__v10, ("created_at") AS sy__v11, ("updated_at") AS sy__v12
    FROM {load} AS "bookings") AS sy_s
  JOIN "switchyard_old"."bookings" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.bookings: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o0" AS sy_g
    JOIN "switchyard_old"."bookings" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."studio_id", sy_g."customer_id", sy_g."customer_name", sy_g."customer_email", sy_g."customer_phone", sy_g."service", sy_g."starts_at", sy_g."duration_min", sy_g."status", sy_g."message", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."studio_id", sy_t."customer_id", sy_t."customer_name", sy_t."customer_email", sy_t."customer_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")::record);

-- public.bookings: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."bookings" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "bookings") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.bookings: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."bookings";

-- ==== OLD's public.customers

-- public.customers: stage_ddl
CREATE TEMP TABLE "sy_stage_1" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 text, "id" text, "email" text, "name" text, "phone" text, "password_hash" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, sy__still bigint);

-- public.customers: stage_copy
COPY pg_temp."sy_stage_1" (sy__op, sy__ord, sy__absent, sy__k0, "id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  FROM STDIN;

-- public.customers: note_still
UPDATE pg_temp."sy_stage_1" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."created_at", sy_t."updated_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s."name" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s."phone" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s."password_hash" END, sy_s."created_at", sy_s."updated_at")::record THEN 1::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."email", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, sy_s."created_at")::record THEN 2::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."email")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END)::record THEN 4::bigint ELSE 0::bigint END
  FROM "switchyard_old"."customers" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."created_at", sy_t."updated_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s."name" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s."phone" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s."password_hash" END, sy_s."created_at", sy_s."updated_at")::record
    OR ROW(sy_t."email", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, sy_s."created_at")::record
    OR ROW(sy_t."email")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END)::record);

-- public.customers: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."customers" ("id" text, "email" text, "name" text, "phone" text, "password_hash" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.customers: mirror_indexes
CREATE INDEX "sy_16385_9b441504f4891520" ON "switchyard_old"."customers" ((lower((btrim(customers.email) COLLATE "C"))));

-- public.customers: mirror.remove
DELETE FROM "switchyard_old"."customers" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('D')) AS "customers") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.update
UPDATE "switchyard_old"."customers" AS sy_t
  SET "email" = sy_s.sy__v1, "name" = sy_s.sy__v2, "phone" = sy_s.sy__v3, "password_hash" = sy_s.sy__v4, "created_at" = sy_s.sy__v5, "updated_at" = sy_s.sy__v6
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6
    FROM pg_temp."sy_stage_1" AS "customers"
    WHERE "customers".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U','K')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('D')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U','K','D')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_1"
      WHERE sy__op IN ('U','K','D')) AS "customers") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.update_absent
UPDATE "switchyard_old"."customers" AS sy_t
  SET "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v2 END, "phone" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s.sy__v3 END, "password_hash" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s.sy__v4 END, "created_at" = sy_s.sy__v5, "updated_at" = sy_s.sy__v6
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6, sy__absent
    FROM pg_temp."sy_stage_1" AS "customers"
    WHERE "customers".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.move
UPDATE "switchyard_old"."customers" AS sy_t
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v2 END, "phone" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s.sy__v3 END, "password_hash" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s.sy__v4 END, "created_at" = sy_s.sy__v5, "updated_at" = sy_s.sy__v6
  FROM pg_temp."sy_stage_1" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "customers") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6, sy__absent
    FROM (SELECT sy_r.*) AS "customers") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.customers: mirror.insert
INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM pg_temp."sy_stage_1" AS "customers"
  WHERE "customers".sy__op IN ('I');

-- public.customers: mirror.copy_in
COPY "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  FROM STDIN;

-- public.customers: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o1" AS
  SELECT NULL::int AS sy__ord, "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM "switchyard_old"."customers" WITH NO DATA;

-- public.customers: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."customers" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_1"
        WHERE sy__op IN ('D','U','K')) AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_o1"
  SELECT sy__ord, "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.customers: mirror.take_out
UPDATE pg_temp."sy_taken_o1" AS sy_g
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."email" ELSE sy_s.sy__v1 END, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."name" ELSE sy_s.sy__v2 END, "phone" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_g."phone" ELSE sy_s.sy__v3 END, "password_hash" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_g."password_hash" ELSE sy_s.sy__v4 END, "created_at" = sy_s.sy__v5, "updated_at" = sy_s.sy__v6
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6, sy__absent
    FROM pg_temp."sy_stage_1" AS "customers"
    WHERE "customers".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.customers: mirror.take_out
INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM pg_temp."sy_taken_o1";

-- public.customers: mirror.take_out
DELETE FROM pg_temp."sy_taken_o1";

-- public.customers: mirror.take_out
INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM pg_temp."sy_stage_1" AS "customers"
  WHERE "customers".sy__op IN ('I');

-- public.customers: mirror.clear
DELETE FROM "switchyard_old"."customers";

-- public.customers: mirror.load
INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM {load} AS "customers";

-- public.customers: mirror.swap_remove
DELETE FROM "switchyard_old"."customers" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.swap_upsert
INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM {load} AS "customers"
  ON CONFLICT ("id") DO UPDATE
  SET "email" = excluded."email", "name" = excluded."name", "phone" = excluded."phone", "password_hash" = excluded."password_hash", "created_at" = excluded."created_at", "updated_at" = excluded."updated_at"
  WHERE NOT (ROW("switchyard_old"."customers"."id", "switchyard_old"."customers"."email", "switchyard_old"."customers"."name", "switchyard_old"."customers"."phone", "switchyard_old"."customers"."password_hash", "switchyard_old"."customers"."created_at", "switchyard_old"."customers"."updated_at")::record *= ROW(excluded."id", excluded."email", excluded."name", excluded."phone", excluded."password_hash", excluded."created_at", excluded."updated_at")::record);

-- public.customers: mirror.swap_upsert_plain
UPDATE "switchyard_old"."customers" AS sy_t
  SET "email" = sy_s.sy__v1, "name" = sy_s.sy__v2, "phone" = sy_s.sy__v3, "password_hash" = sy_s.sy__v4, "created_at" = sy_s.sy__v5, "updated_at" = sy_s.sy__v6
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6
    FROM {load} AS "customers") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."email"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."name"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."phone"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C"
    OR sy_t."password_hash"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v4::text COLLATE "C"
    OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v5::text COLLATE "C"
    OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v6::text COLLATE "C");
  INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM {load} AS "customers"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."customers" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."customers" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6
      FROM {load} AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."email"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."name"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."phone"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C"
      OR sy_t."password_hash"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v4::text COLLATE "C"
      OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v5::text COLLATE "C"
      OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v6::text COLLATE "C")
    RETURNING sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_o1"
  SELECT NULL, "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM sy_taken;

-- public.customers: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o1" AS sy_g
  SET "email" = sy_s.sy__v1, "name" = sy_s.sy__v2, "phone" = sy_s.sy__v3, "password_hash" = sy_s.sy__v4, "created_at" = sy_s.sy__v5, "updated_at" = sy_s.sy__v6
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6
    FROM {load} AS "customers") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.customers: mirror.swap_take_out
INSERT INTO "switchyard_old"."customers" ("id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "created_at", "updated_at"
  FROM pg_temp."sy_taken_o1";

-- public.customers: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o1";

-- public.customers: mirror.written_take
INSERT INTO pg_temp."sy_taken_o1" (sy__ord, "id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v2 END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s.sy__v3 END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s.sy__v4 END, sy_s.sy__v5, sy_s.sy__v6
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6, sy__absent
    FROM pg_temp."sy_stage_1" AS "customers"
    WHERE "customers".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."customers" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_1" AS "customers"
      WHERE "customers".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."customers" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_1" AS "customers"
      WHERE "customers".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."customers" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o1" AS sy_g
    JOIN "switchyard_old"."customers" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."email", sy_g."name", sy_g."phone", sy_g."password_hash", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."created_at", sy_t."updated_at")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_1"
        WHERE sy__op IN ('D','K')) AS "customers") AS sy_s
    JOIN "switchyard_old"."customers" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_1" AS "customers"
        WHERE "customers".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.customers: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o1" (sy__ord, "id", "email", "name", "phone", "password_hash", "created_at", "updated_at")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5, sy_s.sy__v6
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("created_at") AS sy__v5, ("updated_at") AS sy__v6
    FROM {load} AS "customers") AS sy_s
  JOIN "switchyard_old"."customers" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.customers: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o1" AS sy_g
    JOIN "switchyard_old"."customers" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."email", sy_g."name", sy_g."phone", sy_g."password_hash", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."created_at", sy_t."updated_at")::record);

-- public.customers: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."customers" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "customers") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.customers: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."customers";

-- ==== OLD's public.studio_owners

-- public.studio_owners: stage_ddl
CREATE TEMP TABLE "sy_stage_2" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 text, "id" text, "email" text, "name" text, "phone" text, "password_hash" text, "email_verified_at" timestamp with time zone, "image_url" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, sy__still bigint);

-- public.studio_owners: stage_copy
COPY pg_temp."sy_stage_2" (sy__op, sy__ord, sy__absent, sy__k0, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  FROM STDIN;

-- public.studio_owners: note_still
UPDATE pg_temp."sy_stage_2" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."created_at", sy_t."updated_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s."name" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s."phone" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s."password_hash" END, sy_s."email_verified_at", CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."image_url" ELSE sy_s."image_url" END, sy_s."created_at", sy_s."updated_at")::record THEN 1::bigint ELSE 0::bigint END | CASE WHEN ROW(sy_t."email", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, sy_s."created_at")::record THEN 2::bigint ELSE 0::bigint END
  FROM "switchyard_old"."studio_owners" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."created_at", sy_t."updated_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s."name" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s."phone" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s."password_hash" END, sy_s."email_verified_at", CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."image_url" ELSE sy_s."image_url" END, sy_s."created_at", sy_s."updated_at")::record
    OR ROW(sy_t."email", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s."email" END, sy_s."created_at")::record);

-- public.studio_owners: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."studio_owners" ("id" text, "email" text, "name" text, "phone" text, "password_hash" text, "email_verified_at" timestamp with time zone, "image_url" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.studio_owners: mirror_indexes
CREATE INDEX "sy_16386_cd4f446bf80c14ba" ON "switchyard_old"."studio_owners" ((lower((btrim(studio_owners.email) COLLATE "C"))));

-- public.studio_owners: mirror.remove
DELETE FROM "switchyard_old"."studio_owners" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('D')) AS "studio_owners") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studio_owners: mirror.update
UPDATE "switchyard_old"."studio_owners" AS sy_t
  SET "email" = sy_s.sy__v1, "name" = sy_s.sy__v2, "phone" = sy_s.sy__v3, "password_hash" = sy_s.sy__v4, "email_verified_at" = sy_s.sy__v5, "image_url" = sy_s.sy__v6, "created_at" = sy_s.sy__v7, "updated_at" = sy_s.sy__v8
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8
    FROM pg_temp."sy_stage_2" AS "studio_owners"
    WHERE "studio_owners".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studio_owners: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U')) AS "studio_owners") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studio_owners" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U','K')) AS "studio_owners") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studio_owners" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('D')) AS "studio_owners") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studio_owners" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U','K','D')) AS "studio_owners") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studio_owners" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_2"
      WHERE sy__op IN ('U','K','D')) AS "studio_owners") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studio_owners" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.update_absent
UPDATE "switchyard_old"."studio_owners" AS sy_t
  SET "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v2 END, "phone" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s.sy__v3 END, "password_hash" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s.sy__v4 END, "email_verified_at" = sy_s.sy__v5, "image_url" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."image_url" ELSE sy_s.sy__v6 END, "created_at" = sy_s.sy__v7, "updated_at" = sy_s.sy__v8
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8, sy__absent
    FROM pg_temp."sy_stage_2" AS "studio_owners"
    WHERE "studio_owners".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studio_owners: mirror.move
UPDATE "switchyard_old"."studio_owners" AS sy_t
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v2 END, "phone" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s.sy__v3 END, "password_hash" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s.sy__v4 END, "email_verified_at" = sy_s.sy__v5, "image_url" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."image_url" ELSE sy_s.sy__v6 END, "created_at" = sy_s.sy__v7, "updated_at" = sy_s.sy__v8
  FROM pg_temp."sy_stage_2" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "studio_owners") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8, sy__absent
    FROM (SELECT sy_r.*) AS "studio_owners") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.studio_owners: mirror.insert
INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM pg_temp."sy_stage_2" AS "studio_owners"
  WHERE "studio_owners".sy__op IN ('I');

-- public.studio_owners: mirror.copy_in
COPY "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  FROM STDIN;

-- public.studio_owners: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o2" AS
  SELECT NULL::int AS sy__ord, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM "switchyard_old"."studio_owners" WITH NO DATA;

-- public.studio_owners: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."studio_owners" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_2"
        WHERE sy__op IN ('D','U','K')) AS "studio_owners") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_o2"
  SELECT sy__ord, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.studio_owners: mirror.take_out
UPDATE pg_temp."sy_taken_o2" AS sy_g
  SET "id" = sy_s.sy__v0, "email" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."email" ELSE sy_s.sy__v1 END, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."name" ELSE sy_s.sy__v2 END, "phone" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_g."phone" ELSE sy_s.sy__v3 END, "password_hash" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_g."password_hash" ELSE sy_s.sy__v4 END, "email_verified_at" = sy_s.sy__v5, "image_url" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_g."image_url" ELSE sy_s.sy__v6 END, "created_at" = sy_s.sy__v7, "updated_at" = sy_s.sy__v8
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8, sy__absent
    FROM pg_temp."sy_stage_2" AS "studio_owners"
    WHERE "studio_owners".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.studio_owners: mirror.take_out
INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM pg_temp."sy_taken_o2";

-- public.studio_owners: mirror.take_out
DELETE FROM pg_temp."sy_taken_o2";

-- public.studio_owners: mirror.take_out
INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM pg_temp."sy_stage_2" AS "studio_owners"
  WHERE "studio_owners".sy__op IN ('I');

-- public.studio_owners: mirror.clear
DELETE FROM "switchyard_old"."studio_owners";

-- public.studio_owners: mirror.load
INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM {load} AS "studio_owners";

-- public.studio_owners: mirror.swap_remove
DELETE FROM "switchyard_old"."studio_owners" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "studio_owners") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.swap_upsert
INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM {load} AS "studio_owners"
  ON CONFLICT ("id") DO UPDATE
  SET "email" = excluded."email", "name" = excluded."name", "phone" = excluded."phone", "password_hash" = excluded."password_hash", "email_verified_at" = excluded."email_verified_at", "image_url" = excluded."image_url", "created_at" = excluded."created_at", "updated_at" = excluded."updated_at"
  WHERE NOT (ROW("switchyard_old"."studio_owners"."id", "switchyard_old"."studio_owners"."email", "switchyard_old"."studio_owners"."name", "switchyard_old"."studio_owners"."phone", "switchyard_old"."studio_owners"."password_hash", "switchyard_old"."studio_owners"."email_verified_at", "switchyard_old"."studio_owners"."image_url", "switchyard_old"."studio_owners"."created_at", "switchyard_old"."studio_owners"."updated_at")::record *= ROW(excluded."id", excluded."email", excluded."name", excluded."phone", excluded."password_hash", excluded."email_verified_at", excluded."image_url", excluded."created_at", excluded."updated_at")::record);

-- public.studio_owners: mirror.swap_upsert_plain
UPDATE "switchyard_old"."studio_owners" AS sy_t
  SET "email" = sy_s.sy__v1, "name" = sy_s.sy__v2, "phone" = sy_s.sy__v3, "password_hash" = sy_s.sy__v4, "email_verified_at" = sy_s.sy__v5, "image_url" = sy_s.sy__v6, "created_at" = sy_s.sy__v7, "updated_at" = sy_s.sy__v8
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8
    FROM {load} AS "studio_owners") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."email"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."name"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."phone"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C"
    OR sy_t."password_hash"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v4::text COLLATE "C"
    OR sy_t."email_verified_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v5::text COLLATE "C"
    OR sy_t."image_url"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v6::text COLLATE "C"
    OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v7::text COLLATE "C"
    OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v8::text COLLATE "C");
  INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM {load} AS "studio_owners"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studio_owners" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."studio_owners" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8
      FROM {load} AS "studio_owners") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."email"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."name"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."phone"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C"
      OR sy_t."password_hash"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v4::text COLLATE "C"
      OR sy_t."email_verified_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v5::text COLLATE "C"
      OR sy_t."image_url"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v6::text COLLATE "C"
      OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v7::text COLLATE "C"
      OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v8::text COLLATE "C")
    RETURNING sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_o2"
  SELECT NULL, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM sy_taken;

-- public.studio_owners: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o2" AS sy_g
  SET "email" = sy_s.sy__v1, "name" = sy_s.sy__v2, "phone" = sy_s.sy__v3, "password_hash" = sy_s.sy__v4, "email_verified_at" = sy_s.sy__v5, "image_url" = sy_s.sy__v6, "created_at" = sy_s.sy__v7, "updated_at" = sy_s.sy__v8
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8
    FROM {load} AS "studio_owners") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.studio_owners: mirror.swap_take_out
INSERT INTO "switchyard_old"."studio_owners" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at"
  FROM pg_temp."sy_taken_o2";

-- public.studio_owners: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o2";

-- public.studio_owners: mirror.written_take
INSERT INTO pg_temp."sy_taken_o2" (sy__ord, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."email" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v2 END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."phone" ELSE sy_s.sy__v3 END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."password_hash" ELSE sy_s.sy__v4 END, sy_s.sy__v5, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."image_url" ELSE sy_s.sy__v6 END, sy_s.sy__v7, sy_s.sy__v8
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8, sy__absent
    FROM pg_temp."sy_stage_2" AS "studio_owners"
    WHERE "studio_owners".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."studio_owners" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studio_owners: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_2" AS "studio_owners"
      WHERE "studio_owners".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."studio_owners" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_2" AS "studio_owners"
      WHERE "studio_owners".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."studio_owners" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o2" AS sy_g
    JOIN "switchyard_old"."studio_owners" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."email", sy_g."name", sy_g."phone", sy_g."password_hash", sy_g."email_verified_at", sy_g."image_url", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."created_at", sy_t."updated_at")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_2"
        WHERE sy__op IN ('D','K')) AS "studio_owners") AS sy_s
    JOIN "switchyard_old"."studio_owners" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_2" AS "studio_owners"
        WHERE "studio_owners".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.studio_owners: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o2" (sy__ord, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "created_at", "updated_at")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5, sy_s.sy__v6, sy_s.sy__v7, sy_s.sy__v8
  FROM (SELECT ("id") AS sy__t0, ("email") AS sy__v1, ("name") AS sy__v2, ("phone") AS sy__v3, ("password_hash") AS sy__v4, ("email_verified_at") AS sy__v5, ("image_url") AS sy__v6, ("created_at") AS sy__v7, ("updated_at") AS sy__v8
    FROM {load} AS "studio_owners") AS sy_s
  JOIN "switchyard_old"."studio_owners" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studio_owners: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o2" AS sy_g
    JOIN "switchyard_old"."studio_owners" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."email", sy_g."name", sy_g."phone", sy_g."password_hash", sy_g."email_verified_at", sy_g."image_url", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."created_at", sy_t."updated_at")::record);

-- public.studio_owners: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."studio_owners" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "studio_owners") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studio_owners: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."studio_owners";

-- ==== OLD's public.studios

-- public.studios: stage_ddl
CREATE TEMP TABLE "sy_stage_3" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 text, "id" text, "owner_id" text, "name" text, "slug" text, "city" text, "created_at" timestamp with time zone, "updated_at" timestamp with time zone, sy__still bigint);

-- public.studios: stage_copy
COPY pg_temp."sy_stage_3" (sy__op, sy__ord, sy__absent, sy__k0, "id", "owner_id", "name", "slug", "city", "created_at", "updated_at")
  FROM STDIN;

-- public.studios: note_still
UPDATE pg_temp."sy_stage_3" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."owner_id", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."owner_id" ELSE sy_s."owner_id" END, sy_s."created_at")::record THEN 1::bigint ELSE 0::bigint END
  FROM "switchyard_old"."studios" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."owner_id", sy_t."created_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."owner_id" ELSE sy_s."owner_id" END, sy_s."created_at")::record);

-- public.studios: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."studios" ("id" text, "owner_id" text, "created_at" timestamp with time zone, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.studios: mirror_indexes
CREATE INDEX "sy_16387_cdb300358f3edeea" ON "switchyard_old"."studios" ((owner_id));

-- public.studios: mirror.remove
DELETE FROM "switchyard_old"."studios" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "studios") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studios: mirror.update
UPDATE "switchyard_old"."studios" AS sy_t
  SET "owner_id" = sy_s.sy__v1, "created_at" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studios: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K','D')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K','D')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.update_absent
UPDATE "switchyard_old"."studios" AS sy_t
  SET "owner_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."owner_id" ELSE sy_s.sy__v1 END, "created_at" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2, sy__absent
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studios: mirror.move
UPDATE "switchyard_old"."studios" AS sy_t
  SET "id" = sy_s.sy__v0, "owner_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."owner_id" ELSE sy_s.sy__v1 END, "created_at" = sy_s.sy__v2
  FROM pg_temp."sy_stage_3" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "studios") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2, sy__absent
    FROM (SELECT sy_r.*) AS "studios") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.studios: mirror.insert
INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM pg_temp."sy_stage_3" AS "studios"
  WHERE "studios".sy__op IN ('I');

-- public.studios: mirror.copy_in
COPY "switchyard_old"."studios" ("id", "owner_id", "created_at") FROM STDIN;

-- public.studios: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o3" AS
  SELECT NULL::int AS sy__ord, "id", "owner_id", "created_at"
  FROM "switchyard_old"."studios" WITH NO DATA;

-- public.studios: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."studios" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_3"
        WHERE sy__op IN ('D','U','K')) AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."owner_id", sy_t."created_at")
  INSERT INTO pg_temp."sy_taken_o3"
  SELECT sy__ord, "id", "owner_id", "created_at"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.studios: mirror.take_out
UPDATE pg_temp."sy_taken_o3" AS sy_g
  SET "id" = sy_s.sy__v0, "owner_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."owner_id" ELSE sy_s.sy__v1 END, "created_at" = sy_s.sy__v2
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2, sy__absent
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.studios: mirror.take_out
INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM pg_temp."sy_taken_o3";

-- public.studios: mirror.take_out
DELETE FROM pg_temp."sy_taken_o3";

-- public.studios: mirror.take_out
INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM pg_temp."sy_stage_3" AS "studios"
  WHERE "studios".sy__op IN ('I');

-- public.studios: mirror.clear
DELETE FROM "switchyard_old"."studios";

-- public.studios: mirror.load
INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM {load} AS "studios";

-- public.studios: mirror.swap_remove
DELETE FROM "switchyard_old"."studios" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.swap_upsert
INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM {load} AS "studios"
  ON CONFLICT ("id") DO UPDATE
  SET "owner_id" = excluded."owner_id", "created_at" = excluded."created_at"
  WHERE NOT (ROW("switchyard_old"."studios"."id", "switchyard_old"."studios"."owner_id", "switchyard_old"."studios"."created_at")::record *= ROW(excluded."id", excluded."owner_id", excluded."created_at")::record);

-- public.studios: mirror.swap_upsert_plain
UPDATE "switchyard_old"."studios" AS sy_t
  SET "owner_id" = sy_s.sy__v1, "created_at" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2
    FROM {load} AS "studios") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."owner_id"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C");
  INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM {load} AS "studios"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."studios" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."owner_id"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C")
    RETURNING sy_t."id", sy_t."owner_id", sy_t."created_at")
  INSERT INTO pg_temp."sy_taken_o3"
  SELECT NULL, "id", "owner_id", "created_at"
  FROM sy_taken;

-- public.studios: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o3" AS sy_g
  SET "owner_id" = sy_s.sy__v1, "created_at" = sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2
    FROM {load} AS "studios") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.studios: mirror.swap_take_out
INSERT INTO "switchyard_old"."studios" ("id", "owner_id", "created_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "owner_id", "created_at"
  FROM pg_temp."sy_taken_o3";

-- public.studios: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o3";

-- public.studios: mirror.written_take
INSERT INTO pg_temp."sy_taken_o3" (sy__ord, "id", "owner_id", "created_at")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."owner_id" ELSE sy_s.sy__v1 END, sy_s.sy__v2
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2, sy__absent
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studios: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_3" AS "studios"
      WHERE "studios".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."studios" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_3" AS "studios"
      WHERE "studios".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."studios" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o3" AS sy_g
    JOIN "switchyard_old"."studios" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."owner_id", sy_g."created_at")::record *= ROW(sy_t."owner_id", sy_t."created_at")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_3"
        WHERE sy__op IN ('D','K')) AS "studios") AS sy_s
    JOIN "switchyard_old"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_3" AS "studios"
        WHERE "studios".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.studios: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o3" (sy__ord, "id", "owner_id", "created_at")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2
  FROM (SELECT ("id") AS sy__t0, ("owner_id") AS sy__v1, ("created_at") AS sy__v2
    FROM {load} AS "studios") AS sy_s
  JOIN "switchyard_old"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studios: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o3" AS sy_g
    JOIN "switchyard_old"."studios" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."owner_id", sy_g."created_at")::record *= ROW(sy_t."owner_id", sy_t."created_at")::record);

-- public.studios: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."studios" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."studios";

-- ==== OLD's public.accounts

-- public.accounts: stage_ddl
CREATE TEMP TABLE "sy_stage_4" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 text, "id" text, "user_id" text, "type" text, "provider" text, "provider_account_id" text, "refresh_token" text, "access_token" text, "id_token" text, "token_type" text, "scope" text, "session_state" text, "expires_at" bigint, sy__still bigint);

-- public.accounts: stage_copy
COPY pg_temp."sy_stage_4" (sy__op, sy__ord, sy__absent, sy__k0, "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  FROM STDIN;

-- public.accounts: note_still
UPDATE pg_temp."sy_stage_4" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."user_id" ELSE sy_s."user_id" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."type" ELSE sy_s."type" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."provider" ELSE sy_s."provider" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."provider_account_id" ELSE sy_s."provider_account_id" END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."refresh_token" ELSE sy_s."refresh_token" END, CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."access_token" ELSE sy_s."access_token" END, CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."id_token" ELSE sy_s."id_token" END, CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."token_type" ELSE sy_s."token_type" END, CASE WHEN substr(sy_s.sy__absent, 9, 1) = '1' THEN sy_t."scope" ELSE sy_s."scope" END, CASE WHEN substr(sy_s.sy__absent, 10, 1) = '1' THEN sy_t."session_state" ELSE sy_s."session_state" END, sy_s."expires_at")::record THEN 1::bigint ELSE 0::bigint END
  FROM "switchyard_old"."accounts" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."user_id" ELSE sy_s."user_id" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."type" ELSE sy_s."type" END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."provider" ELSE sy_s."provider" END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."provider_account_id" ELSE sy_s."provider_account_id" END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."refresh_token" ELSE sy_s."refresh_token" END, CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."access_token" ELSE sy_s."access_token" END, CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."id_token" ELSE sy_s."id_token" END, CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."token_type" ELSE sy_s."token_type" END, CASE WHEN substr(sy_s.sy__absent, 9, 1) = '1' THEN sy_t."scope" ELSE sy_s."scope" END, CASE WHEN substr(sy_s.sy__absent, 10, 1) = '1' THEN sy_t."session_state" ELSE sy_s."session_state" END, sy_s."expires_at")::record);

-- public.accounts: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."accounts" ("id" text, "user_id" text, "type" text, "provider" text, "provider_account_id" text, "refresh_token" text, "access_token" text, "id_token" text, "token_type" text, "scope" text, "session_state" text, "expires_at" bigint, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.accounts: mirror_indexes
CREATE INDEX "sy_16388_180638323ec20b55" ON "switchyard_old"."accounts" ((user_id));

-- public.accounts: mirror.remove
DELETE FROM "switchyard_old"."accounts" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_4"
      WHERE sy__op IN ('D')) AS "accounts") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.accounts: mirror.update
UPDATE "switchyard_old"."accounts" AS sy_t
  SET "user_id" = sy_s.sy__v1, "type" = sy_s.sy__v2, "provider" = sy_s.sy__v3, "provider_account_id" = sy_s.sy__v4, "refresh_token" = sy_s.sy__v5, "access_token" = sy_s.sy__v6, "id_token" = sy_s.sy__v7, "token_type" = sy_s.sy__v8, "scope" = sy_s.sy__v9, "session_state" = sy_s.sy__v10, "expires_at" = sy_s.sy__v11
  FROM (SELECT ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11
    FROM pg_temp."sy_stage_4" AS "accounts"
    WHERE "accounts".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.accounts: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_4"
      WHERE sy__op IN ('U')) AS "accounts") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."accounts" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_4"
      WHERE sy__op IN ('U','K')) AS "accounts") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."accounts" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_4"
      WHERE sy__op IN ('D')) AS "accounts") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."accounts" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_4"
      WHERE sy__op IN ('U','K','D')) AS "accounts") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."accounts" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_4"
      WHERE sy__op IN ('U','K','D')) AS "accounts") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."accounts" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.update_absent
UPDATE "switchyard_old"."accounts" AS sy_t
  SET "user_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."user_id" ELSE sy_s.sy__v1 END, "type" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."type" ELSE sy_s.sy__v2 END, "provider" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."provider" ELSE sy_s.sy__v3 END, "provider_account_id" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."provider_account_id" ELSE sy_s.sy__v4 END, "refresh_token" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."refresh_token" ELSE sy_s.sy__v5 END, "access_token" = CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."access_token" ELSE sy_s.sy__v6 END, "id_token" = CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."id_token" ELSE sy_s.sy__v7 END, "token_type" = CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."token_type" ELSE sy_s.sy__v8 END, "scope" = CASE WHEN substr(sy_s.sy__absent, 9, 1) = '1' THEN sy_t."scope" ELSE sy_s.sy__v9 END, "session_state" = CASE WHEN substr(sy_s.sy__absent, 10, 1) = '1' THEN sy_t."session_state" ELSE sy_s.sy__v10 END, "expires_at" = sy_s.sy__v11
  FROM (SELECT ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11, sy__absent
    FROM pg_temp."sy_stage_4" AS "accounts"
    WHERE "accounts".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.accounts: mirror.move
UPDATE "switchyard_old"."accounts" AS sy_t
  SET "id" = sy_s.sy__v0, "user_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."user_id" ELSE sy_s.sy__v1 END, "type" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."type" ELSE sy_s.sy__v2 END, "provider" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."provider" ELSE sy_s.sy__v3 END, "provider_account_id" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."provider_account_id" ELSE sy_s.sy__v4 END, "refresh_token" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."refresh_token" ELSE sy_s.sy__v5 END, "access_token" = CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."access_token" ELSE sy_s.sy__v6 END, "id_token" = CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."id_token" ELSE sy_s.sy__v7 END, "token_type" = CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."token_type" ELSE sy_s.sy__v8 END, "scope" = CASE WHEN substr(sy_s.sy__absent, 9, 1) = '1' THEN sy_t."scope" ELSE sy_s.sy__v9 END, "session_state" = CASE WHEN substr(sy_s.sy__absent, 10, 1) = '1' THEN sy_t."session_state" ELSE sy_s.sy__v10 END, "expires_at" = sy_s.sy__v11
  FROM pg_temp."sy_stage_4" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "accounts") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11, sy__absent
    FROM (SELECT sy_r.*) AS "accounts") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.accounts: mirror.insert
INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM pg_temp."sy_stage_4" AS "accounts"
  WHERE "accounts".sy__op IN ('I');

-- public.accounts: mirror.copy_in
COPY "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  FROM STDIN;

-- public.accounts: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o4" AS
  SELECT NULL::int AS sy__ord, "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM "switchyard_old"."accounts" WITH NO DATA;

-- public.accounts: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."accounts" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_4"
        WHERE sy__op IN ('D','U','K')) AS "accounts") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")
  INSERT INTO pg_temp."sy_taken_o4"
  SELECT sy__ord, "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.accounts: mirror.take_out
UPDATE pg_temp."sy_taken_o4" AS sy_g
  SET "id" = sy_s.sy__v0, "user_id" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."user_id" ELSE sy_s.sy__v1 END, "type" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."type" ELSE sy_s.sy__v2 END, "provider" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_g."provider" ELSE sy_s.sy__v3 END, "provider_account_id" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_g."provider_account_id" ELSE sy_s.sy__v4 END, "refresh_token" = CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_g."refresh_token" ELSE sy_s.sy__v5 END, "access_token" = CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_g."access_token" ELSE sy_s.sy__v6 END, "id_token" = CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_g."id_token" ELSE sy_s.sy__v7 END, "token_type" = CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_g."token_type" ELSE sy_s.sy__v8 END, "scope" = CASE WHEN substr(sy_s.sy__absent, 9, 1) = '1' THEN sy_g."scope" ELSE sy_s.sy__v9 END, "session_state" = CASE WHEN substr(sy_s.sy__absent, 10, 1) = '1' THEN sy_g."session_state" ELSE sy_s.sy__v10 END, "expires_at" = sy_s.sy__v11
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11, sy__absent
    FROM pg_temp."sy_stage_4" AS "accounts"
    WHERE "accounts".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.accounts: mirror.take_out
INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM pg_temp."sy_taken_o4";

-- public.accounts: mirror.take_out
DELETE FROM pg_temp."sy_taken_o4";

-- public.accounts: mirror.take_out
INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM pg_temp."sy_stage_4" AS "accounts"
  WHERE "accounts".sy__op IN ('I');

-- public.accounts: mirror.clear
DELETE FROM "switchyard_old"."accounts";

-- public.accounts: mirror.load
INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM {load} AS "accounts";

-- public.accounts: mirror.swap_remove
DELETE FROM "switchyard_old"."accounts" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "accounts") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.swap_upsert
INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM {load} AS "accounts"
  ON CONFLICT ("id") DO UPDATE
  SET "user_id" = excluded."user_id", "type" = excluded."type", "provider" = excluded."provider", "provider_account_id" = excluded."provider_account_id", "refresh_token" = excluded."refresh_token", "access_token" = excluded."access_token", "id_token" = excluded."id_token", "token_type" = excluded."token_type", "scope" = excluded."scope", "session_state" = excluded."session_state", "expires_at" = excluded."expires_at"
  WHERE NOT (ROW("switchyard_old"."accounts"."id", "switchyard_old"."accounts"."user_id", "switchyard_old"."accounts"."type", "switchyard_old"."accounts"."provider", "switchyard_old"."accounts"."provider_account_id", "switchyard_old"."accounts"."refresh_token", "switchyard_old"."accounts"."access_token", "switchyard_old"."accounts"."id_token", "switchyard_old"."accounts"."token_type", "switchyard_old"."accounts"."scope", "switchyard_old"."accounts"."session_state", "switchyard_old"."accounts"."expires_at")::record *= ROW(excluded."id", excluded."user_id", excluded."type", excluded."provider", excluded."provider_account_id", excluded."refresh_token", excluded."access_token", excluded."id_token", excluded."token_type", excluded."scope", excluded."session_state", excluded."expires_at")::record);

-- public.accounts: mirror.swap_upsert_plain
UPDATE "switchyard_old"."accounts" AS sy_t
  SET "user_id" = sy_s.sy__v1, "type" = sy_s.sy__v2, "provider" = sy_s.sy__v3, "provider_account_id" = sy_s.sy__v4, "refresh_token" = sy_s.sy__v5, "access_token" = sy_s.sy__v6, "id_token" = sy_s.sy__v7, "token_type" = sy_s.sy__v8, "scope" = sy_s.sy__v9, "session_state" = sy_s.sy__v10, "expires_at" = sy_s.sy__v11
  FROM (SELECT ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11
    FROM {load} AS "accounts") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."user_id"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."type"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."provider"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C"
    OR sy_t."provider_account_id"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v4::text COLLATE "C"
    OR sy_t."refresh_token"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v5::text COLLATE "C"
    OR sy_t."access_token"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v6::text COLLATE "C"
    OR sy_t."id_token"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v7::text COLLATE "C"
    OR sy_t."token_type"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v8::text COLLATE "C"
    OR sy_t."scope"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v9::text COLLATE "C"
    OR sy_t."session_state"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v10::text COLLATE "C"
    OR sy_t."expires_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v11::text COLLATE "C");
  INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM {load} AS "accounts"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."accounts" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."accounts" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11
      FROM {load} AS "accounts") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."user_id"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."type"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."provider"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C"
      OR sy_t."provider_account_id"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v4::text COLLATE "C"
      OR sy_t."refresh_token"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v5::text COLLATE "C"
      OR sy_t."access_token"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v6::text COLLATE "C"
      OR sy_t."id_token"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v7::text COLLATE "C"
      OR sy_t."token_type"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v8::text COLLATE "C"
      OR sy_t."scope"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v9::text COLLATE "C"
      OR sy_t."session_state"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v10::text COLLATE "C"
      OR sy_t."expires_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v11::text COLLATE "C")
    RETURNING sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")
  INSERT INTO pg_temp."sy_taken_o4"
  SELECT NULL, "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM sy_taken;

-- public.accounts: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o4" AS sy_g
  SET "user_id" = sy_s.sy__v1, "type" = sy_s.sy__v2, "provider" = sy_s.sy__v3, "provider_account_id" = sy_s.sy__v4, "refresh_token" = sy_s.sy__v5, "access_token" = sy_s.sy__v6, "id_token" = sy_s.sy__v7, "token_type" = sy_s.sy__v8, "scope" = sy_s.sy__v9, "session_state" = sy_s.sy__v10, "expires_at" = sy_s.sy__v11
  FROM (SELECT ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11
    FROM {load} AS "accounts") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.accounts: mirror.swap_take_out
INSERT INTO "switchyard_old"."accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM pg_temp."sy_taken_o4";

-- public.accounts: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o4";

-- public.accounts: mirror.written_take
INSERT INTO pg_temp."sy_taken_o4" (sy__ord, "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."user_id" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."type" ELSE sy_s.sy__v2 END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."provider" ELSE sy_s.sy__v3 END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."provider_account_id" ELSE sy_s.sy__v4 END, CASE WHEN substr(sy_s.sy__absent, 5, 1) = '1' THEN sy_t."refresh_token" ELSE sy_s.sy__v5 END, CASE WHEN substr(sy_s.sy__absent, 6, 1) = '1' THEN sy_t."access_token" ELSE sy_s.sy__v6 END, CASE WHEN substr(sy_s.sy__absent, 7, 1) = '1' THEN sy_t."id_token" ELSE sy_s.sy__v7 END, CASE WHEN substr(sy_s.sy__absent, 8, 1) = '1' THEN sy_t."token_type" ELSE sy_s.sy__v8 END, CASE WHEN substr(sy_s.sy__absent, 9, 1) = '1' THEN sy_t."scope" ELSE sy_s.sy__v9 END, CASE WHEN substr(sy_s.sy__absent, 10, 1) = '1' THEN sy_t."session_state" ELSE sy_s.sy__v10 END, sy_s.sy__v11
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11, sy__absent
    FROM pg_temp."sy_stage_4" AS "accounts"
    WHERE "accounts".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."accounts" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.accounts: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_4" AS "accounts"
      WHERE "accounts".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."accounts" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_4" AS "accounts"
      WHERE "accounts".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."accounts" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o4" AS sy_g
    JOIN "switchyard_old"."accounts" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."user_id", sy_g."type", sy_g."provider", sy_g."provider_account_id", sy_g."refresh_token", sy_g."access_token", sy_g."id_token", sy_g."token_type", sy_g."scope", sy_g."session_state", sy_g."expires_at")::record *= ROW(sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_4"
        WHERE sy__op IN ('D','K')) AS "accounts") AS sy_s
    JOIN "switchyard_old"."accounts" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_4" AS "accounts"
        WHERE "accounts".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.accounts: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o4" (sy__ord, "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5, sy_s.sy__v6, sy_s.sy__v7, sy_s.sy__v8, sy_s.sy__v9, sy_s.sy__v10, sy_s.sy__v11
  FROM (SELECT ("id") AS sy__t0, ("user_id") AS sy__v1, ("type") AS sy__v2, ("provider") AS sy__v3, ("provider_account_id") AS sy__v4, ("refresh_token") AS sy__v5, ("access_token") AS sy__v6, ("id_token") AS sy__v7, ("token_type") AS sy__v8, ("scope") AS sy__v9, ("session_state") AS sy__v10, ("expires_at") AS sy__v11
    FROM {load} AS "accounts") AS sy_s
  JOIN "switchyard_old"."accounts" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.accounts: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o4" AS sy_g
    JOIN "switchyard_old"."accounts" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."user_id", sy_g."type", sy_g."provider", sy_g."provider_account_id", sy_g."refresh_token", sy_g."access_token", sy_g."id_token", sy_g."token_type", sy_g."scope", sy_g."session_state", sy_g."expires_at")::record *= ROW(sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")::record);

-- public.accounts: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."accounts" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "accounts") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.accounts: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."accounts";

-- ==== OLD's public.sessions

-- public.sessions: stage_ddl
CREATE TEMP TABLE "sy_stage_5" (sy__op "char" NOT NULL, sy__ord int NOT NULL, sy__absent text, sy__k0 text, "id" text, "session_token" text, "user_id" text, "expires" timestamp with time zone, sy__still bigint);

-- public.sessions: stage_copy
COPY pg_temp."sy_stage_5" (sy__op, sy__ord, sy__absent, sy__k0, "id", "session_token", "user_id", "expires")
  FROM STDIN;

-- public.sessions: note_still
UPDATE pg_temp."sy_stage_5" AS sy_s
  SET sy__still = CASE WHEN ROW(sy_t."session_token", sy_t."user_id", sy_t."expires")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."session_token" ELSE sy_s."session_token" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."user_id" ELSE sy_s."user_id" END, sy_s."expires")::record THEN 1::bigint ELSE 0::bigint END
  FROM "switchyard_old"."sessions" AS sy_t
  WHERE sy_s.sy__op = 'U'
  AND sy_t."id" = sy_s."id"
  AND (ROW(sy_t."session_token", sy_t."user_id", sy_t."expires")::record *= ROW(CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."session_token" ELSE sy_s."session_token" END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."user_id" ELSE sy_s."user_id" END, sy_s."expires")::record);

-- public.sessions: mirror_ddl
CREATE TABLE IF NOT EXISTS "switchyard_old"."sessions" ("id" text, "session_token" text, "user_id" text, "expires" timestamp with time zone, PRIMARY KEY ("id")) WITH (fillfactor = 90);

-- public.sessions: mirror_indexes
CREATE INDEX "sy_16389_180638323ec20b55" ON "switchyard_old"."sessions" ((user_id));

-- public.sessions: mirror.remove
DELETE FROM "switchyard_old"."sessions" AS sy_t
  USING (SELECT ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_5"
      WHERE sy__op IN ('D')) AS "sessions") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.sessions: mirror.update
UPDATE "switchyard_old"."sessions" AS sy_t
  SET "session_token" = sy_s.sy__v1, "user_id" = sy_s.sy__v2, "expires" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3
    FROM pg_temp."sy_stage_5" AS "sessions"
    WHERE "sessions".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.sessions: mirror.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_5"
      WHERE sy__op IN ('U')) AS "sessions") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."sessions" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_5"
      WHERE sy__op IN ('U','K')) AS "sessions") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."sessions" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_5"
      WHERE sy__op IN ('D')) AS "sessions") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."sessions" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.missing
SELECT count(*)
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_5"
      WHERE sy__op IN ('U','K','D')) AS "sessions") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."sessions" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, ("id") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_5"
      WHERE sy__op IN ('U','K','D')) AS "sessions") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."sessions" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.update_absent
UPDATE "switchyard_old"."sessions" AS sy_t
  SET "session_token" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."session_token" ELSE sy_s.sy__v1 END, "user_id" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."user_id" ELSE sy_s.sy__v2 END, "expires" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_5" AS "sessions"
    WHERE "sessions".sy__op IN ('U')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.sessions: mirror.move
UPDATE "switchyard_old"."sessions" AS sy_t
  SET "id" = sy_s.sy__v0, "session_token" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."session_token" ELSE sy_s.sy__v1 END, "user_id" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."user_id" ELSE sy_s.sy__v2 END, "expires" = sy_s.sy__v3
  FROM pg_temp."sy_stage_5" AS sy_r
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "sessions") AS sy_s0
  CROSS JOIN LATERAL (SELECT ("id") AS sy__v0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3, sy__absent
    FROM (SELECT sy_r.*) AS "sessions") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.sessions: mirror.insert
INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM pg_temp."sy_stage_5" AS "sessions"
  WHERE "sessions".sy__op IN ('I');

-- public.sessions: mirror.copy_in
COPY "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires") FROM STDIN;

-- public.sessions: mirror.taken_table_ddl
CREATE TEMP TABLE "sy_taken_o5" AS
  SELECT NULL::int AS sy__ord, "id", "session_token", "user_id", "expires"
  FROM "switchyard_old"."sessions" WITH NO DATA;

-- public.sessions: mirror.take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."sessions" AS sy_t
    USING (SELECT sy__ord, sy__op, ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_5"
        WHERE sy__op IN ('D','U','K')) AS "sessions") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires")
  INSERT INTO pg_temp."sy_taken_o5"
  SELECT sy__ord, "id", "session_token", "user_id", "expires"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.sessions: mirror.take_out
UPDATE pg_temp."sy_taken_o5" AS sy_g
  SET "id" = sy_s.sy__v0, "session_token" = CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_g."session_token" ELSE sy_s.sy__v1 END, "user_id" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."user_id" ELSE sy_s.sy__v2 END, "expires" = sy_s.sy__v3
  FROM (SELECT sy__ord, ("id") AS sy__v0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_5" AS "sessions"
    WHERE "sessions".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.sessions: mirror.take_out
INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM pg_temp."sy_taken_o5";

-- public.sessions: mirror.take_out
DELETE FROM pg_temp."sy_taken_o5";

-- public.sessions: mirror.take_out
INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM pg_temp."sy_stage_5" AS "sessions"
  WHERE "sessions".sy__op IN ('I');

-- public.sessions: mirror.clear
DELETE FROM "switchyard_old"."sessions";

-- public.sessions: mirror.load
INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM {load} AS "sessions";

-- public.sessions: mirror.swap_remove
DELETE FROM "switchyard_old"."sessions" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "sessions") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.swap_upsert
INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM {load} AS "sessions"
  ON CONFLICT ("id") DO UPDATE
  SET "session_token" = excluded."session_token", "user_id" = excluded."user_id", "expires" = excluded."expires"
  WHERE NOT (ROW("switchyard_old"."sessions"."id", "switchyard_old"."sessions"."session_token", "switchyard_old"."sessions"."user_id", "switchyard_old"."sessions"."expires")::record *= ROW(excluded."id", excluded."session_token", excluded."user_id", excluded."expires")::record);

-- public.sessions: mirror.swap_upsert_plain
UPDATE "switchyard_old"."sessions" AS sy_t
  SET "session_token" = sy_s.sy__v1, "user_id" = sy_s.sy__v2, "expires" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3
    FROM {load} AS "sessions") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."session_token"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."user_id"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."expires"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C");
  INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM {load} AS "sessions"
  CROSS JOIN LATERAL (SELECT ("id") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "switchyard_old"."sessions" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.swap_take_out
WITH sy_taken AS (DELETE FROM "switchyard_old"."sessions" AS sy_t
    USING (SELECT ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3
      FROM {load} AS "sessions") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."session_token"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."user_id"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."expires"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C")
    RETURNING sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires")
  INSERT INTO pg_temp."sy_taken_o5"
  SELECT NULL, "id", "session_token", "user_id", "expires"
  FROM sy_taken;

-- public.sessions: mirror.swap_take_out
UPDATE pg_temp."sy_taken_o5" AS sy_g
  SET "session_token" = sy_s.sy__v1, "user_id" = sy_s.sy__v2, "expires" = sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3
    FROM {load} AS "sessions") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.sessions: mirror.swap_take_out
INSERT INTO "switchyard_old"."sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM pg_temp."sy_taken_o5";

-- public.sessions: mirror.swap_take_out
DELETE FROM pg_temp."sy_taken_o5";

-- public.sessions: mirror.written_take
INSERT INTO pg_temp."sy_taken_o5" (sy__ord, "id", "session_token", "user_id", "expires")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 1, 1) = '1' THEN sy_t."session_token" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."user_id" ELSE sy_s.sy__v2 END, sy_s.sy__v3
  FROM (SELECT sy__ord, ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3, sy__absent
    FROM pg_temp."sy_stage_5" AS "sessions"
    WHERE "sessions".sy__op IN ('I','U','K')) AS sy_s
  JOIN "switchyard_old"."sessions" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.sessions: mirror.written_count
SELECT (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_5" AS "sessions"
      WHERE "sessions".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."sessions" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM pg_temp."sy_stage_5" AS "sessions"
      WHERE "sessions".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "switchyard_old"."sessions" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_o5" AS sy_g
    JOIN "switchyard_old"."sessions" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."session_token", sy_g."user_id", sy_g."expires")::record *= ROW(sy_t."session_token", sy_t."user_id", sy_t."expires")::record)), (SELECT count(*)
    FROM (SELECT ("id") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_5"
        WHERE sy__op IN ('D','K')) AS "sessions") AS sy_s
    JOIN "switchyard_old"."sessions" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT ("id") AS sy__t0
        FROM pg_temp."sy_stage_5" AS "sessions"
        WHERE "sessions".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.sessions: mirror.loaded_take
INSERT INTO pg_temp."sy_taken_o5" (sy__ord, "id", "session_token", "user_id", "expires")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3
  FROM (SELECT ("id") AS sy__t0, ("session_token") AS sy__v1, ("user_id") AS sy__v2, ("expires") AS sy__v3
    FROM {load} AS "sessions") AS sy_s
  JOIN "switchyard_old"."sessions" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.sessions: mirror.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_o5" AS sy_g
    JOIN "switchyard_old"."sessions" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."session_token", sy_g."user_id", sy_g."expires")::record *= ROW(sy_t."session_token", sy_t."user_id", sy_t."expires")::record);

-- public.sessions: mirror.swapped_left
SELECT count(*)
  FROM "switchyard_old"."sessions" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT ("id") AS sy__t0
      FROM {load} AS "sessions") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.sessions: mirror.cleared_left
SELECT count(*) FROM "switchyard_old"."sessions";

-- ==== NEW's public.users, by scope

-- public.users: keyed.view_ddl
CREATE VIEW "switchyard"."map_0_users" AS -- People: every owner and customer row, and every guest booking, by folded e-mail. Row 1 in rank
-- (owners before customers before guests, then the oldest, then the smallest id) is the base: it
-- gives the id, and it alone gives the password. A guest booking is one whose customer_id is NULL
-- or names nobody; without an address it makes a user of its own, unless an owner or customer has
-- that very text as e-mail.
SELECT CASE
         WHEN kind = 3 AND nameless THEN 'g_' || md5('booking:' || source_id)
         WHEN kind = 3 THEN 'g_' || md5(email)
         WHEN left(source_id, 2) IN ('o_', 'c_', 'g_', 'u_') THEN source_id
         WHEN kind = 1 THEN 'o_' || source_id
         ELSE 'c_' || source_id
       END AS id,
       email,
       CASE WHEN kind = 3 THEN name ELSE names[1] END AS name,
       CASE WHEN kind = 3 THEN phone ELSE phones[1] END AS phone,
       password_hash, email_verified_at, image_url,
       CASE WHEN kind = 3 THEN 'GUEST' ELSE 'ACTIVE' END AS account_state,
       first_created_at AS created_at,
       coalesce(last_updated_at, first_created_at) AS updated_at
FROM (
  SELECT m.*,
         row_number() OVER person AS rank,
         array_agg(name) FILTER (WHERE btrim(name) <> '') OVER person AS names,
         array_agg(phone) FILTER (WHERE btrim(phone) <> '') OVER person AS phones,
         min(created_at) OVER person AS first_created_at,
         max(updated_at) OVER person AS last_updated_at
  FROM (
    SELECT lower(btrim(email) COLLATE "C") AS email, 1 AS kind, id AS source_id, false AS nameless,
           name, phone, password_hash, email_verified_at, image_url, created_at, updated_at
    FROM studio_owners
    UNION ALL
    SELECT lower(btrim(email) COLLATE "C"), 2, id, false,
           name, phone, password_hash, NULL, NULL, created_at, updated_at
    FROM customers
    UNION ALL
    SELECT lower(btrim(b.customer_email) COLLATE "C"), 3, b.id, false,
           b.customer_name, b.customer_phone, NULL, NULL, NULL, b.created_at, NULL
    FROM bookings b
    LEFT JOIN customers c ON c.id = b.customer_id
    WHERE c.id IS NULL
      AND (position('@' IN b.customer_email) > 0
           OR EXISTS (SELECT FROM studio_owners o
                      WHERE lower(btrim(o.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C"))
           OR EXISTS (SELECT FROM customers p
                      WHERE lower(btrim(p.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C")))
    UNION ALL
    SELECT lower(btrim(b.id || '@guest.invalid') COLLATE "C"), 3, b.id, true,
           b.customer_name, b.customer_phone, NULL, NULL, NULL, b.created_at, NULL
    FROM bookings b
    LEFT JOIN customers c ON c.id = b.customer_id
    WHERE c.id IS NULL
      AND position('@' IN b.customer_email) = 0
      AND NOT EXISTS (SELECT FROM studio_owners o
                      WHERE lower(btrim(o.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C"))
      AND NOT EXISTS (SELECT FROM customers p
                      WHERE lower(btrim(p.email) COLLATE "C") = lower(btrim(b.customer_email) COLLATE "C"))
  ) m
  WINDOW person AS (PARTITION BY email ORDER BY kind, created_at, source_id COLLATE "C"
                    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
) p
WHERE rank = 1
;

-- public.users: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m0" AS SELECT "email" FROM "public"."users" WITH NO DATA;

-- public.users: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m0" AS
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM "public"."users" WITH NO DATA;

-- public.users: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m0" AS
  SELECT NULL::bigint AS sy__n, "email"
  FROM "public"."users" WITH NO DATA;

-- public.users: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m0" (sy__n);

-- public.users: keyed.temp_ddl
CREATE TEMP TABLE "sy_old_m0" AS
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM "public"."users" WITH NO DATA;

-- public.users: keyed.temp_ddl
CREATE TEMP TABLE "sy_chg_m0" AS
  SELECT true AS sy__before, "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM "public"."users" WITH NO DATA;

-- public.users: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m0" AS
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM "public"."users" WITH NO DATA;

-- public.users: touches of bookings: before
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_0" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."bookings" AS "bookings" ON "bookings"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((btrim(bookings.customer_email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                  WHERE (POSITION(('@'::text) IN (bookings.customer_email)) = 0)
) AS sy_q;

-- public.users: touches of bookings: after
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_0" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."bookings" AS "bookings" ON "bookings"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((btrim(bookings.customer_email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                  WHERE (POSITION(('@'::text) IN (bookings.customer_email)) = 0)
) AS sy_q;

-- public.users: touches of bookings: all
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM "switchyard_old"."bookings" AS "bookings" CROSS JOIN LATERAL ( SELECT lower((btrim(bookings.customer_email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                  WHERE (POSITION(('@'::text) IN (bookings.customer_email)) = 0)
) AS sy_q;

-- public.users: touches of customers: before
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((btrim(customers.email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (customers.id = b.customer_id)
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (((POSITION(('@'::text) IN (b.customer_email)) > 0) IS NOT TRUE) AND (lower((btrim(customers.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((customers.id = b.customer_id) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (lower((btrim(customers.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
) AS sy_q;

-- public.users: touches of customers: after
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((btrim(customers.email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (customers.id = b.customer_id)
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (((POSITION(('@'::text) IN (b.customer_email)) > 0) IS NOT TRUE) AND (lower((btrim(customers.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((customers.id = b.customer_id) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (lower((btrim(customers.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
) AS sy_q;

-- public.users: touches of customers: all
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM "switchyard_old"."customers" AS "customers" CROSS JOIN LATERAL ( SELECT lower((btrim(customers.email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (customers.id = b.customer_id)
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (((POSITION(('@'::text) IN (b.customer_email)) > 0) IS NOT TRUE) AND (lower((btrim(customers.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((customers.id = b.customer_id) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (lower((btrim(customers.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
) AS sy_q;

-- public.users: touches of studio_owners: before
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."studio_owners" AS "studio_owners" ON "studio_owners"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((btrim(studio_owners.email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (((POSITION(('@'::text) IN (b.customer_email)) > 0) IS NOT TRUE) AND (lower((btrim(studio_owners.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (lower((btrim(studio_owners.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
) AS sy_q;

-- public.users: touches of studio_owners: after
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 1::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."studio_owners" AS "studio_owners" ON "studio_owners"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT lower((btrim(studio_owners.email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (((POSITION(('@'::text) IN (b.customer_email)) > 0) IS NOT TRUE) AND (lower((btrim(studio_owners.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (lower((btrim(studio_owners.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
) AS sy_q;

-- public.users: touches of studio_owners: all
INSERT INTO pg_temp."sy_touched_m0" ("email") SELECT DISTINCT sy_q.* FROM "switchyard_old"."studio_owners" AS "studio_owners" CROSS JOIN LATERAL ( SELECT lower((btrim(studio_owners.email) COLLATE "C")) AS lower
                UNION ALL
                 SELECT lower((btrim(b.customer_email) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE (((POSITION(('@'::text) IN (b.customer_email)) > 0) IS NOT TRUE) AND (lower((btrim(studio_owners.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
                UNION ALL
                 SELECT lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) AS lower
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (lower((btrim(studio_owners.email) COLLATE "C")) = lower((btrim(b.customer_email) COLLATE "C"))))
) AS sy_q;

-- public.users: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m0" SELECT DISTINCT "email" FROM "public"."users";

-- public.users: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m0"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "email"
    FROM pg_temp."sy_touched_m0") AS sy_d;

-- public.users: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m0"
  SELECT "email"
  FROM pg_temp."sy_slice_m0"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.users: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('email', "email"::text)
  FROM pg_temp."sy_slice_m0"
  WHERE sy__n = $1;

-- public.users: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m0" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
    SELECT sy_v."id", sy_v."email", sy_v."name", sy_v."phone", sy_v."password_hash", sy_v."email_verified_at", sy_v."image_url", sy_v."account_state", sy_v."created_at", sy_v."updated_at"
    FROM "switchyard"."map_0_users" AS sy_v
    WHERE sy_v."email" = ANY(ARRAY(SELECT DISTINCT "email"
        FROM pg_temp."sy_touched_m0"
        WHERE "email" IS NOT NULL))
    RETURNING "id")
  SELECT
  FROM sy_c
  GROUP BY "id"
  HAVING count(*) > 1 LIMIT 1;

-- public.users: keyed.held
SELECT
  FROM pg_temp."sy_new_m0" AS sy_n
  JOIN "public"."users" AS sy_t ON sy_t."id" = sy_n."id"
  WHERE ((sy_t."email") IN (SELECT "email"
      FROM pg_temp."sy_touched_m0")) IS NOT TRUE LIMIT 1;

-- public.users: keyed.remember
INSERT INTO pg_temp."sy_old_m0"
  SELECT sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."account_state", sy_t."created_at", sy_t."updated_at"
  FROM "public"."users" AS sy_t
  WHERE sy_t."email" = ANY(ARRAY(SELECT DISTINCT "email"
      FROM pg_temp."sy_touched_m0"
      WHERE "email" IS NOT NULL));

-- public.users: keyed.changes
INSERT INTO pg_temp."sy_chg_m0"
  SELECT true, sy_a."id", sy_a."email", sy_a."name", sy_a."phone", sy_a."password_hash", sy_a."email_verified_at", sy_a."image_url", sy_a."account_state", sy_a."created_at", sy_a."updated_at"
  FROM pg_temp."sy_old_m0" AS sy_a
  LEFT JOIN pg_temp."sy_new_m0" AS sy_b ON sy_a."id" = sy_b."id"
  WHERE sy_b."id" IS NULL
  OR NOT (ROW(sy_a."id", sy_a."email", sy_a."name", sy_a."phone", sy_a."password_hash", sy_a."email_verified_at", sy_a."image_url", sy_a."account_state", sy_a."created_at", sy_a."updated_at")::record *= ROW(sy_b."id", sy_b."email", sy_b."name", sy_b."phone", sy_b."password_hash", sy_b."email_verified_at", sy_b."image_url", sy_b."account_state", sy_b."created_at", sy_b."updated_at")::record);

-- public.users: keyed.changes
INSERT INTO pg_temp."sy_chg_m0"
  SELECT false, sy_a."id", sy_a."email", sy_a."name", sy_a."phone", sy_a."password_hash", sy_a."email_verified_at", sy_a."image_url", sy_a."account_state", sy_a."created_at", sy_a."updated_at"
  FROM pg_temp."sy_new_m0" AS sy_a
  LEFT JOIN pg_temp."sy_old_m0" AS sy_b ON sy_a."id" = sy_b."id"
  WHERE sy_b."id" IS NULL
  OR NOT (ROW(sy_a."id", sy_a."email", sy_a."name", sy_a."phone", sy_a."password_hash", sy_a."email_verified_at", sy_a."image_url", sy_a."account_state", sy_a."created_at", sy_a."updated_at")::record *= ROW(sy_b."id", sy_b."email", sy_b."name", sy_b."phone", sy_b."password_hash", sy_b."email_verified_at", sy_b."image_url", sy_b."account_state", sy_b."created_at", sy_b."updated_at")::record);

-- public.users: keyed.remove
DELETE FROM "public"."users" AS sy_t
  WHERE sy_t."email" = ANY(ARRAY(SELECT DISTINCT "email"
      FROM pg_temp."sy_touched_m0"
      WHERE "email" IS NOT NULL))
  AND NOT ((sy_t."id") IN (SELECT "id"
      FROM pg_temp."sy_new_m0"));

-- public.users: keyed.update
UPDATE "public"."users" AS sy_t
  SET "id" = sy_n."id", "email" = sy_n."email", "name" = sy_n."name", "phone" = sy_n."phone", "password_hash" = sy_n."password_hash", "email_verified_at" = sy_n."email_verified_at", "image_url" = sy_n."image_url", "account_state" = sy_n."account_state", "created_at" = sy_n."created_at", "updated_at" = sy_n."updated_at"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE sy_t."id" = sy_n."id"
  AND NOT (ROW(sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."account_state", sy_t."created_at", sy_t."updated_at")::record *= ROW(sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at")::record);

-- public.users: keyed.insert
INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."users" AS sy_o
    WHERE sy_o."id" = sy_n."id");

-- public.users: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m0" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."users" AS sy_t
      WHERE sy_t."id" = sy_n."id"
      AND ROW(sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."account_state", sy_t."created_at", sy_t."updated_at")::record *= ROW(sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at")::record)), (SELECT count(*)
    FROM "public"."users" AS sy_t
    WHERE sy_t."email" = ANY(ARRAY(SELECT DISTINCT "email"
        FROM pg_temp."sy_touched_m0"
        WHERE "email" IS NOT NULL))
    AND NOT ((sy_t."id") IN (SELECT "id"
        FROM pg_temp."sy_new_m0")));

-- public.users: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."users" AS sy_t
    WHERE sy_t."email" = ANY(ARRAY(SELECT DISTINCT "email"
        FROM pg_temp."sy_touched_m0"
        WHERE "email" IS NOT NULL))
    RETURNING sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."account_state", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_m0"
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM sy_taken;

-- public.users: keyed.take_out
DELETE FROM pg_temp."sy_taken_m0" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m0" AS sy_n
    WHERE sy_g."id" = sy_n."id");

-- public.users: keyed.take_out
UPDATE pg_temp."sy_taken_m0" AS sy_g
  SET "id" = sy_n."id", "email" = sy_n."email", "name" = sy_n."name", "phone" = sy_n."phone", "password_hash" = sy_n."password_hash", "email_verified_at" = sy_n."email_verified_at", "image_url" = sy_n."image_url", "account_state" = sy_n."account_state", "created_at" = sy_n."created_at", "updated_at" = sy_n."updated_at"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE sy_g."id" = sy_n."id";

-- public.users: keyed.take_out
INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM pg_temp."sy_taken_m0";

-- public.users: keyed.take_out
INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m0" AS sy_g
    WHERE sy_g."id" = sy_n."id");

-- public.users: keyed.take_out
DELETE FROM pg_temp."sy_taken_m0";

-- public.users: keyed.clean
DELETE FROM pg_temp."sy_touched_m0";

-- public.users: keyed.clean
DELETE FROM pg_temp."sy_new_m0";

-- public.users: keyed.clean
DELETE FROM pg_temp."sy_old_m0";

-- public.users: keyed.clean
DELETE FROM pg_temp."sy_chg_m0";

-- public.users: keyed.populate
INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."id", sy_v."email", sy_v."name", sy_v."phone", sy_v."password_hash", sy_v."email_verified_at", sy_v."image_url", sy_v."account_state", sy_v."created_at", sy_v."updated_at"
  FROM "switchyard"."map_0_users" AS sy_v;

-- public.users: keyed.explain
SELECT sy_v."id", sy_v."email", sy_v."name", sy_v."phone", sy_v."password_hash", sy_v."email_verified_at", sy_v."image_url", sy_v."account_state", sy_v."created_at", sy_v."updated_at" FROM ({select}
) AS sy_v WHERE sy_v."email" = ANY(ARRAY(SELECT DISTINCT "email" FROM pg_temp."sy_touched_m0" WHERE "email" IS NOT NULL));

-- public.users: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m0" AS
  SELECT "id"
  FROM "public"."users" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m0_key" ON pg_temp."sy_leaving_m0" ("id");

-- public.users: ordered.held
SELECT
  FROM pg_temp."sy_new_m0" AS sy_n
  JOIN "public"."users" AS sy_t ON sy_t."id" = sy_n."id"
  WHERE ((sy_t."email") IN (SELECT "email"
      FROM pg_temp."sy_touched_m0")) IS NOT TRUE
  AND NOT EXISTS (SELECT
    FROM pg_temp."sy_leaving_m0" AS sy_l
    WHERE sy_l."id" = sy_t."id") LIMIT 1;

-- public.users: ordered.note
INSERT INTO pg_temp."sy_leaving_m0"
  SELECT sy_t."id"
  FROM "public"."users" AS sy_t
  WHERE sy_t."email" = ANY(ARRAY(SELECT DISTINCT "email"
      FROM pg_temp."sy_touched_m0"
      WHERE "email" IS NOT NULL))
  AND NOT ((sy_t."id") IN (SELECT "id"
      FROM pg_temp."sy_new_m0"));

-- public.users: ordered.keep
DELETE FROM pg_temp."sy_leaving_m0" AS sy_l
  USING pg_temp."sy_new_m0" AS sy_n
  WHERE sy_l."id" = sy_n."id";

-- public.users: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."users" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m0" AS sy_n
      JOIN "public"."users" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at")::record *= ROW(sy_o."id", sy_o."email", sy_o."name", sy_o."phone", sy_o."password_hash", sy_o."email_verified_at", sy_o."image_url", sy_o."account_state", sy_o."created_at", sy_o."updated_at")::record)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."account_state", sy_t."created_at", sy_t."updated_at"), sy_put AS (INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at"
    FROM pg_temp."sy_new_m0" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."users" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.users: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."users" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m0" AS sy_n
      JOIN "public"."users" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at")::record *= ROW(sy_o."id", sy_o."email", sy_o."name", sy_o."phone", sy_o."password_hash", sy_o."email_verified_at", sy_o."image_url", sy_o."account_state", sy_o."created_at", sy_o."updated_at")::record)
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m0") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."email", sy_t."name", sy_t."phone", sy_t."password_hash", sy_t."email_verified_at", sy_t."image_url", sy_t."account_state", sy_t."created_at", sy_t."updated_at"), sy_put AS (INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at"
    FROM pg_temp."sy_new_m0" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."users" ("id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."email", sy_n."name", sy_n."phone", sy_n."password_hash", sy_n."email_verified_at", sy_n."image_url", sy_n."account_state", sy_n."created_at", sy_n."updated_at"
  FROM pg_temp."sy_new_m0" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."users" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.users: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m0" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "email"
  FROM "public"."users" WITH NO DATA;

-- public.users: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m0" AS sy_s
  JOIN pg_temp."sy_bar_m0" AS sy_b ON sy_s."email" = sy_b."email";

-- ==== NEW's public.user_role_assignments, by scope

-- public.user_role_assignments: keyed.view_ddl
CREATE VIEW "switchyard"."map_1_user_role_assignments" AS -- What each person may do, since the earliest row that gives the role. A guest booking makes its
-- user a CUSTOMER.
SELECT user_id, role, min(granted_at) AS granted_at
FROM (
  SELECT u.id AS user_id, 'STUDIO_OWNER' AS role, o.created_at AS granted_at
  FROM public.users u
  JOIN studio_owners o ON lower(btrim(o.email) COLLATE "C") = u.email
  UNION ALL
  SELECT u.id, 'CUSTOMER', c.created_at
  FROM public.users u
  JOIN customers c ON lower(btrim(c.email) COLLATE "C") = u.email
  UNION ALL
  SELECT u.id, 'CUSTOMER', b.created_at
  FROM public.users u
  JOIN bookings b ON lower(btrim(b.customer_email) COLLATE "C") = u.email
  LEFT JOIN customers c ON c.id = b.customer_id
  WHERE c.id IS NULL
  UNION ALL
  SELECT u.id, 'CUSTOMER', b.created_at
  FROM public.users u
  JOIN bookings b ON lower(btrim(b.id || '@guest.invalid') COLLATE "C") = u.email
  LEFT JOIN customers c ON c.id = b.customer_id
  LEFT JOIN public.users named ON named.email = lower(btrim(b.customer_email) COLLATE "C")
  WHERE c.id IS NULL AND position('@' IN b.customer_email) = 0 AND named.id IS NULL
) grants
GROUP BY user_id, role
;

-- public.user_role_assignments: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m1" AS
  SELECT "user_id"
  FROM "public"."user_role_assignments" WITH NO DATA;

-- public.user_role_assignments: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m1" AS
  SELECT "user_id", "role", "granted_at"
  FROM "public"."user_role_assignments" WITH NO DATA;

-- public.user_role_assignments: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m1" AS
  SELECT NULL::bigint AS sy__n, "user_id"
  FROM "public"."user_role_assignments" WITH NO DATA;

-- public.user_role_assignments: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m1" (sy__n);

-- public.user_role_assignments: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m1" AS
  SELECT "user_id", "role", "granted_at"
  FROM "public"."user_role_assignments" WITH NO DATA;

-- public.user_role_assignments: touches of bookings: before
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_0" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 4::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."bookings" AS "bookings" ON "bookings"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(bookings.customer_email) COLLATE "C")) = u.email)
                UNION ALL
                 SELECT u.id
                   FROM public.users u
                  WHERE ((lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (POSITION(('@'::text) IN (bookings.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of bookings: after
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_0" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 4::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."bookings" AS "bookings" ON "bookings"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(bookings.customer_email) COLLATE "C")) = u.email)
                UNION ALL
                 SELECT u.id
                   FROM public.users u
                  WHERE ((lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (POSITION(('@'::text) IN (bookings.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of bookings: all
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM "switchyard_old"."bookings" AS "bookings" CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(bookings.customer_email) COLLATE "C")) = u.email)
                UNION ALL
                 SELECT u.id
                   FROM public.users u
                  WHERE ((lower((btrim((bookings.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (POSITION(('@'::text) IN (bookings.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of customers: before
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(customers.email) COLLATE "C")) = u.email)
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim(b.customer_email) COLLATE "C")) = u.email) AND (customers.id = b.customer_id))
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (customers.id = b.customer_id) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of customers: after
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(customers.email) COLLATE "C")) = u.email)
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim(b.customer_email) COLLATE "C")) = u.email) AND (customers.id = b.customer_id))
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (customers.id = b.customer_id) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of customers: all
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM "switchyard_old"."customers" AS "customers" CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(customers.email) COLLATE "C")) = u.email)
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim(b.customer_email) COLLATE "C")) = u.email) AND (customers.id = b.customer_id))
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (customers.id = b.customer_id) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of studio_owners: before
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."studio_owners" AS "studio_owners" ON "studio_owners"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(studio_owners.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_role_assignments: touches of studio_owners: after
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."studio_owners" AS "studio_owners" ON "studio_owners"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(studio_owners.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_role_assignments: touches of studio_owners: all
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM "switchyard_old"."studio_owners" AS "studio_owners" CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(studio_owners.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_role_assignments: touches of public.users: before
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at" FROM pg_temp."sy_chg_m0" WHERE sy__before) AS "users" CROSS JOIN LATERAL ( SELECT users.id
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (users.email = lower((btrim(b.customer_email) COLLATE "C"))) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of public.users: after
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at" FROM pg_temp."sy_chg_m0" WHERE NOT sy__before) AS "users" CROSS JOIN LATERAL ( SELECT users.id
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (users.email = lower((btrim(b.customer_email) COLLATE "C"))) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: touches of public.users: all
INSERT INTO pg_temp."sy_touched_m1" ("user_id") SELECT DISTINCT sy_q.* FROM "public"."users" AS "users" CROSS JOIN LATERAL ( SELECT users.id
                UNION ALL
                 SELECT u.id
                   FROM public.users u,
                    "switchyard_old".bookings b
                  WHERE ((lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C")) = u.email) AND (users.email = lower((btrim(b.customer_email) COLLATE "C"))) AND (POSITION(('@'::text) IN (b.customer_email)) = 0))
) AS sy_q;

-- public.user_role_assignments: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m1" SELECT DISTINCT "user_id" FROM "public"."user_role_assignments";

-- public.user_role_assignments: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m1"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "user_id"
    FROM pg_temp."sy_touched_m1") AS sy_d;

-- public.user_role_assignments: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m1"
  SELECT "user_id"
  FROM pg_temp."sy_slice_m1"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.user_role_assignments: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('user_id', "user_id"::text)
  FROM pg_temp."sy_slice_m1"
  WHERE sy__n = $1;

-- public.user_role_assignments: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m1" ("user_id", "role", "granted_at")
    SELECT sy_v."user_id", sy_v."role", sy_v."granted_at"
    FROM "switchyard"."map_1_user_role_assignments" AS sy_v
    WHERE sy_v."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
        FROM pg_temp."sy_touched_m1"
        WHERE "user_id" IS NOT NULL))
    RETURNING "user_id", "role")
  SELECT
  FROM sy_c
  GROUP BY "user_id", "role"
  HAVING count(*) > 1 LIMIT 1;

-- public.user_role_assignments: keyed.remove
DELETE FROM "public"."user_role_assignments" AS sy_t
  WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
      FROM pg_temp."sy_touched_m1"
      WHERE "user_id" IS NOT NULL))
  AND NOT ((sy_t."user_id", sy_t."role") IN (SELECT "user_id", "role"
      FROM pg_temp."sy_new_m1"));

-- public.user_role_assignments: keyed.update
UPDATE "public"."user_role_assignments" AS sy_t
  SET "user_id" = sy_n."user_id", "role" = sy_n."role", "granted_at" = sy_n."granted_at"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE sy_t."user_id" = sy_n."user_id"
  AND sy_t."role" = sy_n."role"
  AND NOT (ROW(sy_t."user_id", sy_t."role", sy_t."granted_at")::record *= ROW(sy_n."user_id", sy_n."role", sy_n."granted_at")::record);

-- public.user_role_assignments: keyed.insert
INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."user_id", sy_n."role", sy_n."granted_at"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."user_role_assignments" AS sy_o
    WHERE sy_o."user_id" = sy_n."user_id"
    AND sy_o."role" = sy_n."role");

-- public.user_role_assignments: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m1" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."user_role_assignments" AS sy_t
      WHERE sy_t."user_id" = sy_n."user_id"
      AND sy_t."role" = sy_n."role"
      AND ROW(sy_t."user_id", sy_t."role", sy_t."granted_at")::record *= ROW(sy_n."user_id", sy_n."role", sy_n."granted_at")::record)), (SELECT count(*)
    FROM "public"."user_role_assignments" AS sy_t
    WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
        FROM pg_temp."sy_touched_m1"
        WHERE "user_id" IS NOT NULL))
    AND NOT ((sy_t."user_id", sy_t."role") IN (SELECT "user_id", "role"
        FROM pg_temp."sy_new_m1")));

-- public.user_role_assignments: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."user_role_assignments" AS sy_t
    WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
        FROM pg_temp."sy_touched_m1"
        WHERE "user_id" IS NOT NULL))
    RETURNING sy_t."user_id", sy_t."role", sy_t."granted_at")
  INSERT INTO pg_temp."sy_taken_m1"
  SELECT "user_id", "role", "granted_at"
  FROM sy_taken;

-- public.user_role_assignments: keyed.take_out
DELETE FROM pg_temp."sy_taken_m1" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m1" AS sy_n
    WHERE sy_g."user_id" = sy_n."user_id"
    AND sy_g."role" = sy_n."role");

-- public.user_role_assignments: keyed.take_out
UPDATE pg_temp."sy_taken_m1" AS sy_g
  SET "user_id" = sy_n."user_id", "role" = sy_n."role", "granted_at" = sy_n."granted_at"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE sy_g."user_id" = sy_n."user_id"
  AND sy_g."role" = sy_n."role";

-- public.user_role_assignments: keyed.take_out
INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
  OVERRIDING SYSTEM VALUE
  SELECT "user_id", "role", "granted_at"
  FROM pg_temp."sy_taken_m1";

-- public.user_role_assignments: keyed.take_out
INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
  OVERRIDING SYSTEM VALUE
  SELECT "user_id", "role", "granted_at"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m1" AS sy_g
    WHERE sy_g."user_id" = sy_n."user_id"
    AND sy_g."role" = sy_n."role");

-- public.user_role_assignments: keyed.take_out
DELETE FROM pg_temp."sy_taken_m1";

-- public.user_role_assignments: keyed.clean
DELETE FROM pg_temp."sy_touched_m1";

-- public.user_role_assignments: keyed.clean
DELETE FROM pg_temp."sy_new_m1";

-- public.user_role_assignments: keyed.populate
INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."user_id", sy_v."role", sy_v."granted_at"
  FROM "switchyard"."map_1_user_role_assignments" AS sy_v;

-- public.user_role_assignments: keyed.explain
SELECT sy_v."user_id", sy_v."role", sy_v."granted_at" FROM ({select}
) AS sy_v WHERE sy_v."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id" FROM pg_temp."sy_touched_m1" WHERE "user_id" IS NOT NULL));

-- public.user_role_assignments: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m1" AS
  SELECT "user_id", "role"
  FROM "public"."user_role_assignments" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m1_key" ON pg_temp."sy_leaving_m1" ("user_id", "role");

-- public.user_role_assignments: ordered.note
INSERT INTO pg_temp."sy_leaving_m1"
  SELECT sy_t."user_id", sy_t."role"
  FROM "public"."user_role_assignments" AS sy_t
  WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
      FROM pg_temp."sy_touched_m1"
      WHERE "user_id" IS NOT NULL))
  AND NOT ((sy_t."user_id", sy_t."role") IN (SELECT "user_id", "role"
      FROM pg_temp."sy_new_m1"));

-- public.user_role_assignments: ordered.keep
DELETE FROM pg_temp."sy_leaving_m1" AS sy_l
  USING pg_temp."sy_new_m1" AS sy_n
  WHERE sy_l."user_id" = sy_n."user_id"
  AND sy_l."role" = sy_n."role";

-- public.user_role_assignments: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."user_role_assignments" AS sy_t
    USING (SELECT sy_n."user_id", sy_n."role"
      FROM pg_temp."sy_new_m1" AS sy_n
      JOIN "public"."user_role_assignments" AS sy_o ON sy_n."user_id" = sy_o."user_id"
      AND sy_n."role" = sy_o."role"
      WHERE NOT (ROW(sy_n."user_id", sy_n."role", sy_n."granted_at")::record *= ROW(sy_o."user_id", sy_o."role", sy_o."granted_at")::record)) AS sy_k
    WHERE sy_t."user_id" = sy_k."user_id"
    AND sy_t."role" = sy_k."role"
    RETURNING sy_t."user_id", sy_t."role", sy_t."granted_at"), sy_put AS (INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."user_id", sy_n."role", sy_n."granted_at"
    FROM pg_temp."sy_new_m1" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."user_id" = sy_o."user_id"
    AND sy_n."role" = sy_o."role"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."user_id", sy_n."role", sy_n."granted_at"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."user_role_assignments" AS sy_o
    WHERE sy_o."user_id" = sy_n."user_id"
    AND sy_o."role" = sy_n."role")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.user_role_assignments: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."user_role_assignments" AS sy_t
    USING (SELECT sy_n."user_id", sy_n."role"
      FROM pg_temp."sy_new_m1" AS sy_n
      JOIN "public"."user_role_assignments" AS sy_o ON sy_n."user_id" = sy_o."user_id"
      AND sy_n."role" = sy_o."role"
      WHERE NOT (ROW(sy_n."user_id", sy_n."role", sy_n."granted_at")::record *= ROW(sy_o."user_id", sy_o."role", sy_o."granted_at")::record)
      UNION ALL
      SELECT "user_id", "role"
      FROM pg_temp."sy_leaving_m1") AS sy_k
    WHERE sy_t."user_id" = sy_k."user_id"
    AND sy_t."role" = sy_k."role"
    RETURNING sy_t."user_id", sy_t."role", sy_t."granted_at"), sy_put AS (INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."user_id", sy_n."role", sy_n."granted_at"
    FROM pg_temp."sy_new_m1" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."user_id" = sy_o."user_id"
    AND sy_n."role" = sy_o."role"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."user_role_assignments" ("user_id", "role", "granted_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."user_id", sy_n."role", sy_n."granted_at"
  FROM pg_temp."sy_new_m1" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."user_role_assignments" AS sy_o
    WHERE sy_o."user_id" = sy_n."user_id"
    AND sy_o."role" = sy_n."role")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.user_role_assignments: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m1" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "user_id"
  FROM "public"."user_role_assignments" WITH NO DATA;

-- public.user_role_assignments: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m1" AS sy_s
  JOIN pg_temp."sy_bar_m1" AS sy_b ON sy_s."user_id" = sy_b."user_id";

-- ==== NEW's public.user_sources, by scope

-- public.user_sources: keyed.view_ddl
CREATE VIEW "switchyard"."map_2_user_sources" AS -- Which owner and customer rows a user was made of: rank 1 is the base row.
SELECT source_table, source_id, user_id,
       row_number() OVER (PARTITION BY user_id
                          ORDER BY kind, created_at, source_id COLLATE "C")::int AS rank
FROM (
  SELECT 'studio_owners' AS source_table, o.id AS source_id, u.id AS user_id, 1 AS kind, o.created_at
  FROM public.users u
  JOIN studio_owners o ON lower(btrim(o.email) COLLATE "C") = u.email
  UNION ALL
  SELECT 'customers', c.id, u.id, 2, c.created_at
  FROM public.users u
  JOIN customers c ON lower(btrim(c.email) COLLATE "C") = u.email
) members
;

-- public.user_sources: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m2" AS SELECT "user_id" FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m2" AS
  SELECT "source_table", "source_id", "user_id", "rank"
  FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m2" AS
  SELECT NULL::bigint AS sy__n, "user_id"
  FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m2" (sy__n);

-- public.user_sources: keyed.temp_ddl
CREATE TEMP TABLE "sy_old_m2" AS
  SELECT "source_table", "source_id", "user_id", "rank"
  FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: keyed.temp_ddl
CREATE TEMP TABLE "sy_chg_m2" AS
  SELECT true AS sy__before, "source_table", "source_id", "user_id", "rank"
  FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m2" AS
  SELECT "source_table", "source_id", "user_id", "rank"
  FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: touches of customers: before
INSERT INTO pg_temp."sy_touched_m2" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(customers.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_sources: touches of customers: after
INSERT INTO pg_temp."sy_touched_m2" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(customers.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_sources: touches of customers: all
INSERT INTO pg_temp."sy_touched_m2" ("user_id") SELECT DISTINCT sy_q.* FROM "switchyard_old"."customers" AS "customers" CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(customers.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_sources: touches of studio_owners: before
INSERT INTO pg_temp."sy_touched_m2" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."studio_owners" AS "studio_owners" ON "studio_owners"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(studio_owners.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_sources: touches of studio_owners: after
INSERT INTO pg_temp."sy_touched_m2" ("user_id") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_2" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 2::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."studio_owners" AS "studio_owners" ON "studio_owners"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(studio_owners.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_sources: touches of studio_owners: all
INSERT INTO pg_temp."sy_touched_m2" ("user_id") SELECT DISTINCT sy_q.* FROM "switchyard_old"."studio_owners" AS "studio_owners" CROSS JOIN LATERAL ( SELECT u.id
                   FROM public.users u
                  WHERE (lower((btrim(studio_owners.email) COLLATE "C")) = u.email)
) AS sy_q;

-- public.user_sources: touches of public.users: before
INSERT INTO pg_temp."sy_touched_m2" ("user_id")
  SELECT DISTINCT users.id
  FROM (SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
    FROM pg_temp."sy_chg_m0"
    WHERE sy__before) AS "users";

-- public.user_sources: touches of public.users: after
INSERT INTO pg_temp."sy_touched_m2" ("user_id")
  SELECT DISTINCT users.id
  FROM (SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at"
    FROM pg_temp."sy_chg_m0"
    WHERE NOT sy__before) AS "users";

-- public.user_sources: touches of public.users: all
INSERT INTO pg_temp."sy_touched_m2" ("user_id")
  SELECT DISTINCT users.id
  FROM "public"."users" AS "users";

-- public.user_sources: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m2" SELECT DISTINCT "user_id" FROM "public"."user_sources";

-- public.user_sources: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m2"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "user_id"
    FROM pg_temp."sy_touched_m2") AS sy_d;

-- public.user_sources: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m2"
  SELECT "user_id"
  FROM pg_temp."sy_slice_m2"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.user_sources: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('user_id', "user_id"::text)
  FROM pg_temp."sy_slice_m2"
  WHERE sy__n = $1;

-- public.user_sources: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m2" ("source_table", "source_id", "user_id", "rank")
    SELECT sy_v."source_table", sy_v."source_id", sy_v."user_id", sy_v."rank"
    FROM "switchyard"."map_2_user_sources" AS sy_v
    WHERE sy_v."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
        FROM pg_temp."sy_touched_m2"
        WHERE "user_id" IS NOT NULL))
    RETURNING "source_table", "source_id")
  SELECT
  FROM sy_c
  GROUP BY "source_table", "source_id"
  HAVING count(*) > 1 LIMIT 1;

-- public.user_sources: keyed.held
SELECT
  FROM pg_temp."sy_new_m2" AS sy_n
  JOIN "public"."user_sources" AS sy_t ON sy_t."source_table" = sy_n."source_table"
  AND sy_t."source_id" = sy_n."source_id"
  WHERE ((sy_t."user_id") IN (SELECT "user_id"
      FROM pg_temp."sy_touched_m2")) IS NOT TRUE LIMIT 1;

-- public.user_sources: keyed.remember
INSERT INTO pg_temp."sy_old_m2"
  SELECT sy_t."source_table", sy_t."source_id", sy_t."user_id", sy_t."rank"
  FROM "public"."user_sources" AS sy_t
  WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
      FROM pg_temp."sy_touched_m2"
      WHERE "user_id" IS NOT NULL));

-- public.user_sources: keyed.changes
INSERT INTO pg_temp."sy_chg_m2"
  SELECT true, sy_a."source_table", sy_a."source_id", sy_a."user_id", sy_a."rank"
  FROM pg_temp."sy_old_m2" AS sy_a
  LEFT JOIN pg_temp."sy_new_m2" AS sy_b ON sy_a."source_table" = sy_b."source_table"
  AND sy_a."source_id" = sy_b."source_id"
  WHERE sy_b."source_table" IS NULL
  OR NOT (ROW(sy_a."source_table", sy_a."source_id", sy_a."user_id", sy_a."rank")::record *= ROW(sy_b."source_table", sy_b."source_id", sy_b."user_id", sy_b."rank")::record);

-- public.user_sources: keyed.changes
INSERT INTO pg_temp."sy_chg_m2"
  SELECT false, sy_a."source_table", sy_a."source_id", sy_a."user_id", sy_a."rank"
  FROM pg_temp."sy_new_m2" AS sy_a
  LEFT JOIN pg_temp."sy_old_m2" AS sy_b ON sy_a."source_table" = sy_b."source_table"
  AND sy_a."source_id" = sy_b."source_id"
  WHERE sy_b."source_table" IS NULL
  OR NOT (ROW(sy_a."source_table", sy_a."source_id", sy_a."user_id", sy_a."rank")::record *= ROW(sy_b."source_table", sy_b."source_id", sy_b."user_id", sy_b."rank")::record);

-- public.user_sources: keyed.remove
DELETE FROM "public"."user_sources" AS sy_t
  WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
      FROM pg_temp."sy_touched_m2"
      WHERE "user_id" IS NOT NULL))
  AND NOT ((sy_t."source_table", sy_t."source_id") IN (SELECT "source_table", "source_id"
      FROM pg_temp."sy_new_m2"));

-- public.user_sources: keyed.update
UPDATE "public"."user_sources" AS sy_t
  SET "source_table" = sy_n."source_table", "source_id" = sy_n."source_id", "user_id" = sy_n."user_id", "rank" = sy_n."rank"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE sy_t."source_table" = sy_n."source_table"
  AND sy_t."source_id" = sy_n."source_id"
  AND NOT (ROW(sy_t."source_table", sy_t."source_id", sy_t."user_id", sy_t."rank")::record *= ROW(sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank")::record);

-- public.user_sources: keyed.insert
INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."user_sources" AS sy_o
    WHERE sy_o."source_table" = sy_n."source_table"
    AND sy_o."source_id" = sy_n."source_id");

-- public.user_sources: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m2" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."user_sources" AS sy_t
      WHERE sy_t."source_table" = sy_n."source_table"
      AND sy_t."source_id" = sy_n."source_id"
      AND ROW(sy_t."source_table", sy_t."source_id", sy_t."user_id", sy_t."rank")::record *= ROW(sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank")::record)), (SELECT count(*)
    FROM "public"."user_sources" AS sy_t
    WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
        FROM pg_temp."sy_touched_m2"
        WHERE "user_id" IS NOT NULL))
    AND NOT ((sy_t."source_table", sy_t."source_id") IN (SELECT "source_table", "source_id"
        FROM pg_temp."sy_new_m2")));

-- public.user_sources: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."user_sources" AS sy_t
    WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
        FROM pg_temp."sy_touched_m2"
        WHERE "user_id" IS NOT NULL))
    RETURNING sy_t."source_table", sy_t."source_id", sy_t."user_id", sy_t."rank")
  INSERT INTO pg_temp."sy_taken_m2"
  SELECT "source_table", "source_id", "user_id", "rank"
  FROM sy_taken;

-- public.user_sources: keyed.take_out
DELETE FROM pg_temp."sy_taken_m2" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m2" AS sy_n
    WHERE sy_g."source_table" = sy_n."source_table"
    AND sy_g."source_id" = sy_n."source_id");

-- public.user_sources: keyed.take_out
UPDATE pg_temp."sy_taken_m2" AS sy_g
  SET "source_table" = sy_n."source_table", "source_id" = sy_n."source_id", "user_id" = sy_n."user_id", "rank" = sy_n."rank"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE sy_g."source_table" = sy_n."source_table"
  AND sy_g."source_id" = sy_n."source_id";

-- public.user_sources: keyed.take_out
INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
  OVERRIDING SYSTEM VALUE
  SELECT "source_table", "source_id", "user_id", "rank"
  FROM pg_temp."sy_taken_m2";

-- public.user_sources: keyed.take_out
INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
  OVERRIDING SYSTEM VALUE
  SELECT "source_table", "source_id", "user_id", "rank"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m2" AS sy_g
    WHERE sy_g."source_table" = sy_n."source_table"
    AND sy_g."source_id" = sy_n."source_id");

-- public.user_sources: keyed.take_out
DELETE FROM pg_temp."sy_taken_m2";

-- public.user_sources: keyed.clean
DELETE FROM pg_temp."sy_touched_m2";

-- public.user_sources: keyed.clean
DELETE FROM pg_temp."sy_new_m2";

-- public.user_sources: keyed.clean
DELETE FROM pg_temp."sy_old_m2";

-- public.user_sources: keyed.clean
DELETE FROM pg_temp."sy_chg_m2";

-- public.user_sources: keyed.populate
INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."source_table", sy_v."source_id", sy_v."user_id", sy_v."rank"
  FROM "switchyard"."map_2_user_sources" AS sy_v;

-- public.user_sources: keyed.explain
SELECT sy_v."source_table", sy_v."source_id", sy_v."user_id", sy_v."rank" FROM ({select}
) AS sy_v WHERE sy_v."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id" FROM pg_temp."sy_touched_m2" WHERE "user_id" IS NOT NULL));

-- public.user_sources: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m2" AS
  SELECT "source_table", "source_id"
  FROM "public"."user_sources" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m2_key" ON pg_temp."sy_leaving_m2" ("source_table", "source_id");

-- public.user_sources: ordered.held
SELECT
  FROM pg_temp."sy_new_m2" AS sy_n
  JOIN "public"."user_sources" AS sy_t ON sy_t."source_table" = sy_n."source_table"
  AND sy_t."source_id" = sy_n."source_id"
  WHERE ((sy_t."user_id") IN (SELECT "user_id"
      FROM pg_temp."sy_touched_m2")) IS NOT TRUE
  AND NOT EXISTS (SELECT
    FROM pg_temp."sy_leaving_m2" AS sy_l
    WHERE sy_l."source_table" = sy_t."source_table"
    AND sy_l."source_id" = sy_t."source_id") LIMIT 1;

-- public.user_sources: ordered.note
INSERT INTO pg_temp."sy_leaving_m2"
  SELECT sy_t."source_table", sy_t."source_id"
  FROM "public"."user_sources" AS sy_t
  WHERE sy_t."user_id" = ANY(ARRAY(SELECT DISTINCT "user_id"
      FROM pg_temp."sy_touched_m2"
      WHERE "user_id" IS NOT NULL))
  AND NOT ((sy_t."source_table", sy_t."source_id") IN (SELECT "source_table", "source_id"
      FROM pg_temp."sy_new_m2"));

-- public.user_sources: ordered.keep
DELETE FROM pg_temp."sy_leaving_m2" AS sy_l
  USING pg_temp."sy_new_m2" AS sy_n
  WHERE sy_l."source_table" = sy_n."source_table"
  AND sy_l."source_id" = sy_n."source_id";

-- public.user_sources: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."user_sources" AS sy_t
    USING (SELECT sy_n."source_table", sy_n."source_id"
      FROM pg_temp."sy_new_m2" AS sy_n
      JOIN "public"."user_sources" AS sy_o ON sy_n."source_table" = sy_o."source_table"
      AND sy_n."source_id" = sy_o."source_id"
      WHERE NOT (ROW(sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank")::record *= ROW(sy_o."source_table", sy_o."source_id", sy_o."user_id", sy_o."rank")::record)) AS sy_k
    WHERE sy_t."source_table" = sy_k."source_table"
    AND sy_t."source_id" = sy_k."source_id"
    RETURNING sy_t."source_table", sy_t."source_id", sy_t."user_id", sy_t."rank"), sy_put AS (INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank"
    FROM pg_temp."sy_new_m2" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."source_table" = sy_o."source_table"
    AND sy_n."source_id" = sy_o."source_id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."user_sources" AS sy_o
    WHERE sy_o."source_table" = sy_n."source_table"
    AND sy_o."source_id" = sy_n."source_id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.user_sources: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."user_sources" AS sy_t
    USING (SELECT sy_n."source_table", sy_n."source_id"
      FROM pg_temp."sy_new_m2" AS sy_n
      JOIN "public"."user_sources" AS sy_o ON sy_n."source_table" = sy_o."source_table"
      AND sy_n."source_id" = sy_o."source_id"
      WHERE NOT (ROW(sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank")::record *= ROW(sy_o."source_table", sy_o."source_id", sy_o."user_id", sy_o."rank")::record)
      UNION ALL
      SELECT "source_table", "source_id"
      FROM pg_temp."sy_leaving_m2") AS sy_k
    WHERE sy_t."source_table" = sy_k."source_table"
    AND sy_t."source_id" = sy_k."source_id"
    RETURNING sy_t."source_table", sy_t."source_id", sy_t."user_id", sy_t."rank"), sy_put AS (INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank"
    FROM pg_temp."sy_new_m2" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."source_table" = sy_o."source_table"
    AND sy_n."source_id" = sy_o."source_id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."user_sources" ("source_table", "source_id", "user_id", "rank")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."source_table", sy_n."source_id", sy_n."user_id", sy_n."rank"
  FROM pg_temp."sy_new_m2" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."user_sources" AS sy_o
    WHERE sy_o."source_table" = sy_n."source_table"
    AND sy_o."source_id" = sy_n."source_id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.user_sources: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m2" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "user_id"
  FROM "public"."user_sources" WITH NO DATA;

-- public.user_sources: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m2" AS sy_s
  JOIN pg_temp."sy_bar_m2" AS sy_b ON sy_s."user_id" = sy_b."user_id";

-- ==== NEW's public.studios, row by row

-- public.studios: write.remove
DELETE FROM "public"."studios" AS sy_t
  USING (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "studios") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studios: write.update
UPDATE "public"."studios" AS sy_t
  SET "name" = sy_s.sy__v1, "slug" = sy_s.sy__v2, "city" = sy_s.sy__v3, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('U')) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."name"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."slug"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."city"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C"
    OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v4::text COLLATE "C"
    OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v5::text COLLATE "C");

-- public.studios: write.missing_updated
SELECT count(*)
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.missing_changed
SELECT count(*)
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.missing_removed
SELECT count(*)
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.missing
SELECT count(*)
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K','D')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.missing_rows
SELECT sy__ord
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K','D')) AS "studios") AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.update_absent
UPDATE "public"."studios" AS sy_t
  SET "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v1 END, "slug" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."slug" ELSE sy_s.sy__v2 END, "city" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."city" ELSE sy_s.sy__v3 END, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5, sy__absent
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('U')) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0;

-- public.studios: write.move
UPDATE "public"."studios" AS sy_t
  SET "id" = sy_s.sy__v0, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v1 END, "slug" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."slug" ELSE sy_s.sy__v2 END, "city" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."city" ELSE sy_s.sy__v3 END, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM pg_temp."sy_stage_3" AS sy_r
  CROSS JOIN LATERAL (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy_r.sy__k0 AS "id") AS "studios") AS sy_s0
  CROSS JOIN LATERAL (SELECT (("id") COLLATE pg_catalog."default") AS sy__v0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5, sy__absent
    FROM (SELECT sy_r.*) AS "studios") AS sy_s
  WHERE sy_r.sy__op = 'K'
  AND sy_t."id" = sy_s0.sy__t0;

-- public.studios: write.insert
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT ("id") COLLATE pg_catalog."default", "name", "slug", "city", "created_at", "updated_at"
  FROM pg_temp."sy_stage_3" AS "studios"
  WHERE "studios".sy__op IN ('I');

-- public.studios: write.copy_in
COPY "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at") FROM STDIN;

-- public.studios: write.taken_table_ddl
CREATE TEMP TABLE "sy_taken_m3" AS
  SELECT NULL::int AS sy__ord, "id", "name", "slug", "city", "created_at", "updated_at"
  FROM "public"."studios" WITH NO DATA;

-- public.studios: write.take_out
WITH sy_taken AS (DELETE FROM "public"."studios" AS sy_t
    USING (SELECT sy__ord, sy__op, (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_3"
        WHERE sy__op IN ('D','U','K')) AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    RETURNING sy_s.sy__ord, sy_s.sy__op, sy_t."id", sy_t."name", sy_t."slug", sy_t."city", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_m3"
  SELECT sy__ord, "id", "name", "slug", "city", "created_at", "updated_at"
  FROM sy_taken
  WHERE sy__op <> 'D';

-- public.studios: write.take_out
UPDATE pg_temp."sy_taken_m3" AS sy_g
  SET "id" = sy_s.sy__v0, "name" = CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_g."name" ELSE sy_s.sy__v1 END, "slug" = CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_g."slug" ELSE sy_s.sy__v2 END, "city" = CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_g."city" ELSE sy_s.sy__v3 END, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__v0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5, sy__absent
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('U','K')) AS sy_s
  WHERE sy_g.sy__ord = sy_s.sy__ord;

-- public.studios: write.take_out
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "name", "slug", "city", "created_at", "updated_at"
  FROM pg_temp."sy_taken_m3";

-- public.studios: write.take_out
DELETE FROM pg_temp."sy_taken_m3";

-- public.studios: write.take_out
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT ("id") COLLATE pg_catalog."default", "name", "slug", "city", "created_at", "updated_at"
  FROM pg_temp."sy_stage_3" AS "studios"
  WHERE "studios".sy__op IN ('I');

-- public.studios: write.clear
DELETE FROM "public"."studios";

-- public.studios: write.load
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT ("id") COLLATE pg_catalog."default", "name", "slug", "city", "created_at", "updated_at"
  FROM {load} AS "studios";

-- public.studios: write.swap_remove
DELETE FROM "public"."studios" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.swap_upsert
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT ("id") COLLATE pg_catalog."default", "name", "slug", "city", "created_at", "updated_at"
  FROM {load} AS "studios"
  ON CONFLICT ("id") DO UPDATE
  SET "name" = excluded."name", "slug" = excluded."slug", "city" = excluded."city", "created_at" = excluded."created_at", "updated_at" = excluded."updated_at"
  WHERE NOT (ROW("public"."studios"."id", "public"."studios"."name", "public"."studios"."slug", "public"."studios"."city", "public"."studios"."created_at", "public"."studios"."updated_at")::record *= ROW(excluded."id", excluded."name", excluded."slug", excluded."city", excluded."created_at", excluded."updated_at")::record);

-- public.studios: write.swap_upsert_plain
UPDATE "public"."studios" AS sy_t
  SET "name" = sy_s.sy__v1, "slug" = sy_s.sy__v2, "city" = sy_s.sy__v3, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM {load} AS "studios") AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND (sy_t."name"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v1::text COLLATE "C"
    OR sy_t."slug"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v2::text COLLATE "C"
    OR sy_t."city"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v3::text COLLATE "C"
    OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v4::text COLLATE "C"
    OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
    FROM sy_s.sy__v5::text COLLATE "C");
  INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT ("id") COLLATE pg_catalog."default", "name", "slug", "city", "created_at", "updated_at"
  FROM {load} AS "studios"
  CROSS JOIN LATERAL (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM "public"."studios" AS sy_t
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.swap_take_out
WITH sy_taken AS (DELETE FROM "public"."studios" AS sy_t
    USING (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0
    AND (sy_t."name"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v1::text COLLATE "C"
      OR sy_t."slug"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v2::text COLLATE "C"
      OR sy_t."city"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v3::text COLLATE "C"
      OR sy_t."created_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v4::text COLLATE "C"
      OR sy_t."updated_at"::text COLLATE "C" IS DISTINCT
      FROM sy_s.sy__v5::text COLLATE "C")
    RETURNING sy_t."id", sy_t."name", sy_t."slug", sy_t."city", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_m3"
  SELECT NULL, "id", "name", "slug", "city", "created_at", "updated_at"
  FROM sy_taken;

-- public.studios: write.swap_take_out
UPDATE pg_temp."sy_taken_m3" AS sy_g
  SET "name" = sy_s.sy__v1, "slug" = sy_s.sy__v2, "city" = sy_s.sy__v3, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM {load} AS "studios") AS sy_s
  WHERE sy_g."id" = sy_s.sy__t0;

-- public.studios: write.swap_take_out
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "name", "slug", "city", "created_at", "updated_at"
  FROM pg_temp."sy_taken_m3";

-- public.studios: write.swap_take_out
DELETE FROM pg_temp."sy_taken_m3";

-- public.studios: write.written_take
INSERT INTO pg_temp."sy_taken_m3" (sy__ord, "id", "name", "slug", "city", "created_at", "updated_at")
  SELECT sy_s.sy__ord, sy_t."id", CASE WHEN substr(sy_s.sy__absent, 2, 1) = '1' THEN sy_t."name" ELSE sy_s.sy__v1 END, CASE WHEN substr(sy_s.sy__absent, 3, 1) = '1' THEN sy_t."slug" ELSE sy_s.sy__v2 END, CASE WHEN substr(sy_s.sy__absent, 4, 1) = '1' THEN sy_t."city" ELSE sy_s.sy__v3 END, sy_s.sy__v4, sy_s.sy__v5
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5, sy__absent
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I','U','K')) AS sy_s
  JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studios: write.written_count
SELECT (SELECT count(*)
    FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM pg_temp."sy_stage_3" AS "studios"
      WHERE "studios".sy__op IN ('I')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "public"."studios" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM pg_temp."sy_stage_3" AS "studios"
      WHERE "studios".sy__op IN ('U','K')) AS sy_s
    WHERE NOT EXISTS (SELECT
      FROM "public"."studios" AS sy_t
      WHERE sy_t."id" = sy_s.sy__t0)), (SELECT count(*)
    FROM pg_temp."sy_taken_m3" AS sy_g
    JOIN "public"."studios" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE NOT (ROW(sy_g."name", sy_g."slug", sy_g."city", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."name", sy_t."slug", sy_t."city", sy_t."created_at", sy_t."updated_at")::record)), (SELECT count(*)
    FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
        FROM pg_temp."sy_stage_3"
        WHERE sy__op IN ('D','K')) AS "studios") AS sy_s
    JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0
    WHERE NOT EXISTS (SELECT
      FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
        FROM pg_temp."sy_stage_3" AS "studios"
        WHERE "studios".sy__op IN ('I','U','K')) AS sy_s
      WHERE sy_t."id" = sy_s.sy__t0));

-- public.studios: write.loaded_take
INSERT INTO pg_temp."sy_taken_m3" (sy__ord, "id", "name", "slug", "city", "created_at", "updated_at")
  SELECT NULL, sy_t."id", sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM {load} AS "studios") AS sy_s
  JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studios: write.loaded_count
SELECT (SELECT count(*)
    FROM {load}), (SELECT count(*)
    FROM pg_temp."sy_taken_m3" AS sy_g
    JOIN "public"."studios" AS sy_t ON sy_g."id" = sy_t."id"
    WHERE ROW(sy_g."name", sy_g."slug", sy_g."city", sy_g."created_at", sy_g."updated_at")::record *= ROW(sy_t."name", sy_t."slug", sy_t."city", sy_t."created_at", sy_t."updated_at")::record);

-- public.studios: write.swapped_left
SELECT count(*)
  FROM "public"."studios" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: write.cleared_left
SELECT count(*) FROM "public"."studios";

-- public.studios: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m3" AS
  SELECT "id"
  FROM "public"."studios" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m3_key" ON pg_temp."sy_leaving_m3" ("id");

-- public.studios: ordered.note
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_s.sy__t0
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D','K')) AS "studios") AS sy_s;

-- public.studios: ordered.keep
DELETE FROM pg_temp."sy_leaving_m3" AS sy_l
  USING (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I','K')) AS sy_s
  WHERE sy_l."id" = sy_s.sy__t0;

-- public.studios: ordered.note_deleted
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_s.sy__t0
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D')) AS "studios") AS sy_s;

-- public.studios: ordered.note_all
INSERT INTO pg_temp."sy_leaving_m3" SELECT sy_t."id" FROM "public"."studios" AS sy_t;

-- public.studios: ordered.note_swap
INSERT INTO pg_temp."sy_leaving_m3"
  SELECT sy_t."id"
  FROM "public"."studios" AS sy_t
  WHERE NOT EXISTS (SELECT
    FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
      FROM {load} AS "studios") AS sy_s
    WHERE sy_t."id" = sy_s.sy__t0);

-- public.studios: ordered.take_moved
INSERT INTO pg_temp."sy_taken_m3"
  SELECT sy_s.sy__ord, sy_t."id", sy_t."name", sy_t."slug", sy_t."city", sy_t."created_at", sy_t."updated_at"
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('K')) AS "studios") AS sy_s
  JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studios: ordered.take_changed
INSERT INTO pg_temp."sy_taken_m3"
  SELECT sy_s.sy__ord, sy_t."id", sy_t."name", sy_t."slug", sy_t."city", sy_t."created_at", sy_t."updated_at"
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('U','K')) AS "studios") AS sy_s
  JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_s.sy__t0;

-- public.studios: ordered.moved_update
UPDATE "public"."studios" AS sy_t
  SET "id" = sy_g."id", "name" = sy_g."name", "slug" = sy_g."slug", "city" = sy_g."city", "created_at" = sy_g."created_at", "updated_at" = sy_g."updated_at"
  FROM pg_temp."sy_taken_m3" AS sy_g
  WHERE sy_t."id" = sy_g."id"
  AND EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    WHERE sy_l."id" = sy_g."id");

-- public.studios: ordered.moved_insert
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_g."id", sy_g."name", sy_g."slug", sy_g."city", sy_g."created_at", sy_g."updated_at"
  FROM pg_temp."sy_taken_m3" AS sy_g
  WHERE NOT EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_l."id"
    WHERE sy_l."id" = sy_g."id");

-- public.studios: ordered.fresh_update
UPDATE "public"."studios" AS sy_t
  SET "name" = sy_s.sy__v1, "slug" = sy_s.sy__v2, "city" = sy_s.sy__v3, "created_at" = sy_s.sy__v4, "updated_at" = sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, (("id") COLLATE pg_catalog."default") AS sy__v0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I')) AS sy_s
  WHERE sy_t."id" = sy_s.sy__t0
  AND EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    WHERE sy_l."id" = sy_s.sy__t0);

-- public.studios: ordered.fresh_insert
INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_s.sy__v0, sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, (("id") COLLATE pg_catalog."default") AS sy__v0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I')) AS sy_s
  WHERE NOT EXISTS (SELECT
    FROM pg_temp."sy_leaving_m3" AS sy_l
    JOIN "public"."studios" AS sy_t ON sy_t."id" = sy_l."id"
    WHERE sy_l."id" = sy_s.sy__t0);

-- public.studios: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."studios" AS sy_t
    USING (SELECT sy_s.sy__t0 AS "id"
      FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
        FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
          FROM pg_temp."sy_stage_3"
          WHERE sy__op IN ('U')) AS "studios") AS sy_s
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m3" AS sy_l
      WHERE EXISTS (SELECT
        FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0
          FROM pg_temp."sy_stage_3" AS "studios"
          WHERE "studios".sy__op IN ('I','K')) AS sy_s
        WHERE sy_l."id" = sy_s.sy__t0)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING 1), sy_put AS (INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_g."id", sy_g."name", sy_g."slug", sy_g."city", sy_g."created_at", sy_g."updated_at"
    FROM pg_temp."sy_taken_m3" AS sy_g
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_s.sy__v0, sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, (("id") COLLATE pg_catalog."default") AS sy__v0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I')) AS sy_s
  WHERE (SELECT count(*)
    FROM sy_out) >= 0;

-- public.studios: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."studios" AS sy_t
    USING (SELECT sy_s.sy__t0 AS "id"
      FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
        FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
          FROM pg_temp."sy_stage_3"
          WHERE sy__op IN ('U')) AS "studios") AS sy_s
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m3") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING 1), sy_put AS (INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_g."id", sy_g."name", sy_g."slug", sy_g."city", sy_g."created_at", sy_g."updated_at"
    FROM pg_temp."sy_taken_m3" AS sy_g
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."studios" ("id", "name", "slug", "city", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_s.sy__v0, sy_s.sy__v1, sy_s.sy__v2, sy_s.sy__v3, sy_s.sy__v4, sy_s.sy__v5
  FROM (SELECT (("id") COLLATE pg_catalog."default") AS sy__t0, (("id") COLLATE pg_catalog."default") AS sy__v0, ("name") AS sy__v1, ("slug") AS sy__v2, ("city") AS sy__v3, ("created_at") AS sy__v4, ("updated_at") AS sy__v5
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I')) AS sy_s
  WHERE (SELECT count(*)
    FROM sy_out) >= 0;

-- public.studios: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m3" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."studios" WITH NO DATA;

-- public.studios: ordered.barred
SELECT DISTINCT sy_s.sy__ord, sy_b.sy__n
  FROM (SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
      FROM pg_temp."sy_stage_3"
      WHERE sy__op IN ('D','U','K')) AS "studios"
    UNION ALL
    SELECT sy__ord, (("id") COLLATE pg_catalog."default") AS sy__t0
    FROM pg_temp."sy_stage_3" AS "studios"
    WHERE "studios".sy__op IN ('I','K')) AS sy_s
  JOIN pg_temp."sy_bar_m3" AS sy_b ON sy_b."id" = sy_s.sy__t0;

-- ==== NEW's public.studio_ownership, by scope

-- public.studio_ownership: keyed.view_ddl
CREATE VIEW "switchyard"."map_4_studio_ownership" AS -- A studio whose owner is not among the users keeps its row here with user_id NULL, so that it is
-- refused and reported instead of left out. The same holds for new_accounts and new_sessions.
SELECT s.id AS studio_id, o.user_id, true AS is_primary, s.created_at AS since
FROM studios s
LEFT JOIN public.user_sources o ON o.source_table = 'studio_owners' AND o.source_id = s.owner_id
;

-- public.studio_ownership: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m4" AS
  SELECT "studio_id"
  FROM "public"."studio_ownership" WITH NO DATA;

-- public.studio_ownership: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m4" AS
  SELECT "studio_id", "user_id", "is_primary", "since"
  FROM "public"."studio_ownership" WITH NO DATA;

-- public.studio_ownership: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m4" AS
  SELECT NULL::bigint AS sy__n, "studio_id"
  FROM "public"."studio_ownership" WITH NO DATA;

-- public.studio_ownership: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m4" (sy__n);

-- public.studio_ownership: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m4" AS
  SELECT "studio_id", "user_id", "is_primary", "since"
  FROM "public"."studio_ownership" WITH NO DATA;

-- public.studio_ownership: touches of studios: before
INSERT INTO pg_temp."sy_touched_m4" ("studio_id")
  SELECT DISTINCT id
  FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
    FROM pg_temp."sy_stage_3"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS "studios";

-- public.studio_ownership: touches of studios: after
INSERT INTO pg_temp."sy_touched_m4" ("studio_id")
  SELECT DISTINCT id
  FROM pg_temp."sy_stage_3" AS "studios"
  WHERE "studios".sy__op IN ('I','K');

-- public.studio_ownership: touches of studios: all
INSERT INTO pg_temp."sy_touched_m4" ("studio_id")
  SELECT DISTINCT id
  FROM "switchyard_old"."studios" AS "studios";

-- public.studio_ownership: touches of public.user_sources: before
INSERT INTO pg_temp."sy_touched_m4" ("studio_id") SELECT DISTINCT sy_q.* FROM (SELECT "source_table", "source_id", "user_id", "rank" FROM pg_temp."sy_chg_m2" WHERE sy__before) AS "user_sources" CROSS JOIN LATERAL ( SELECT s.id
                   FROM "switchyard_old".studios s
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = s.owner_id))
) AS sy_q;

-- public.studio_ownership: touches of public.user_sources: after
INSERT INTO pg_temp."sy_touched_m4" ("studio_id") SELECT DISTINCT sy_q.* FROM (SELECT "source_table", "source_id", "user_id", "rank" FROM pg_temp."sy_chg_m2" WHERE NOT sy__before) AS "user_sources" CROSS JOIN LATERAL ( SELECT s.id
                   FROM "switchyard_old".studios s
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = s.owner_id))
) AS sy_q;

-- public.studio_ownership: touches of public.user_sources: all
INSERT INTO pg_temp."sy_touched_m4" ("studio_id") SELECT DISTINCT sy_q.* FROM "public"."user_sources" AS "user_sources" CROSS JOIN LATERAL ( SELECT s.id
                   FROM "switchyard_old".studios s
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = s.owner_id))
) AS sy_q;

-- public.studio_ownership: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m4" SELECT DISTINCT "studio_id" FROM "public"."studio_ownership";

-- public.studio_ownership: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m4"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "studio_id"
    FROM pg_temp."sy_touched_m4") AS sy_d;

-- public.studio_ownership: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m4"
  SELECT "studio_id"
  FROM pg_temp."sy_slice_m4"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.studio_ownership: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('studio_id', "studio_id"::text)
  FROM pg_temp."sy_slice_m4"
  WHERE sy__n = $1;

-- public.studio_ownership: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m4" ("studio_id", "user_id", "is_primary", "since")
    SELECT sy_v."studio_id", sy_v."user_id", sy_v."is_primary", sy_v."since"
    FROM "switchyard"."map_4_studio_ownership" AS sy_v
    WHERE sy_v."studio_id" = ANY(ARRAY(SELECT DISTINCT "studio_id"
        FROM pg_temp."sy_touched_m4"
        WHERE "studio_id" IS NOT NULL))
    RETURNING "studio_id", "user_id")
  SELECT
  FROM sy_c
  GROUP BY "studio_id", "user_id"
  HAVING count(*) > 1 LIMIT 1;

-- public.studio_ownership: keyed.remove
DELETE FROM "public"."studio_ownership" AS sy_t
  WHERE sy_t."studio_id" = ANY(ARRAY(SELECT DISTINCT "studio_id"
      FROM pg_temp."sy_touched_m4"
      WHERE "studio_id" IS NOT NULL))
  AND NOT ((sy_t."studio_id", sy_t."user_id") IN (SELECT "studio_id", "user_id"
      FROM pg_temp."sy_new_m4"));

-- public.studio_ownership: keyed.update
UPDATE "public"."studio_ownership" AS sy_t
  SET "studio_id" = sy_n."studio_id", "user_id" = sy_n."user_id", "is_primary" = sy_n."is_primary", "since" = sy_n."since"
  FROM pg_temp."sy_new_m4" AS sy_n
  WHERE sy_t."studio_id" = sy_n."studio_id"
  AND sy_t."user_id" = sy_n."user_id"
  AND NOT (ROW(sy_t."studio_id", sy_t."user_id", sy_t."is_primary", sy_t."since")::record *= ROW(sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since")::record);

-- public.studio_ownership: keyed.insert
INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since"
  FROM pg_temp."sy_new_m4" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."studio_ownership" AS sy_o
    WHERE sy_o."studio_id" = sy_n."studio_id"
    AND sy_o."user_id" = sy_n."user_id");

-- public.studio_ownership: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m4" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."studio_ownership" AS sy_t
      WHERE sy_t."studio_id" = sy_n."studio_id"
      AND sy_t."user_id" = sy_n."user_id"
      AND ROW(sy_t."studio_id", sy_t."user_id", sy_t."is_primary", sy_t."since")::record *= ROW(sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since")::record)), (SELECT count(*)
    FROM "public"."studio_ownership" AS sy_t
    WHERE sy_t."studio_id" = ANY(ARRAY(SELECT DISTINCT "studio_id"
        FROM pg_temp."sy_touched_m4"
        WHERE "studio_id" IS NOT NULL))
    AND NOT ((sy_t."studio_id", sy_t."user_id") IN (SELECT "studio_id", "user_id"
        FROM pg_temp."sy_new_m4")));

-- public.studio_ownership: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."studio_ownership" AS sy_t
    WHERE sy_t."studio_id" = ANY(ARRAY(SELECT DISTINCT "studio_id"
        FROM pg_temp."sy_touched_m4"
        WHERE "studio_id" IS NOT NULL))
    RETURNING sy_t."studio_id", sy_t."user_id", sy_t."is_primary", sy_t."since")
  INSERT INTO pg_temp."sy_taken_m4"
  SELECT "studio_id", "user_id", "is_primary", "since"
  FROM sy_taken;

-- public.studio_ownership: keyed.take_out
DELETE FROM pg_temp."sy_taken_m4" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m4" AS sy_n
    WHERE sy_g."studio_id" = sy_n."studio_id"
    AND sy_g."user_id" = sy_n."user_id");

-- public.studio_ownership: keyed.take_out
UPDATE pg_temp."sy_taken_m4" AS sy_g
  SET "studio_id" = sy_n."studio_id", "user_id" = sy_n."user_id", "is_primary" = sy_n."is_primary", "since" = sy_n."since"
  FROM pg_temp."sy_new_m4" AS sy_n
  WHERE sy_g."studio_id" = sy_n."studio_id"
  AND sy_g."user_id" = sy_n."user_id";

-- public.studio_ownership: keyed.take_out
INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
  OVERRIDING SYSTEM VALUE
  SELECT "studio_id", "user_id", "is_primary", "since"
  FROM pg_temp."sy_taken_m4";

-- public.studio_ownership: keyed.take_out
INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
  OVERRIDING SYSTEM VALUE
  SELECT "studio_id", "user_id", "is_primary", "since"
  FROM pg_temp."sy_new_m4" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m4" AS sy_g
    WHERE sy_g."studio_id" = sy_n."studio_id"
    AND sy_g."user_id" = sy_n."user_id");

-- public.studio_ownership: keyed.take_out
DELETE FROM pg_temp."sy_taken_m4";

-- public.studio_ownership: keyed.clean
DELETE FROM pg_temp."sy_touched_m4";

-- public.studio_ownership: keyed.clean
DELETE FROM pg_temp."sy_new_m4";

-- public.studio_ownership: keyed.populate
INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."studio_id", sy_v."user_id", sy_v."is_primary", sy_v."since"
  FROM "switchyard"."map_4_studio_ownership" AS sy_v;

-- public.studio_ownership: keyed.explain
SELECT sy_v."studio_id", sy_v."user_id", sy_v."is_primary", sy_v."since" FROM ({select}
) AS sy_v WHERE sy_v."studio_id" = ANY(ARRAY(SELECT DISTINCT "studio_id" FROM pg_temp."sy_touched_m4" WHERE "studio_id" IS NOT NULL));

-- public.studio_ownership: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m4" AS
  SELECT "studio_id", "user_id"
  FROM "public"."studio_ownership" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m4_key" ON pg_temp."sy_leaving_m4" ("studio_id", "user_id");

-- public.studio_ownership: ordered.note
INSERT INTO pg_temp."sy_leaving_m4"
  SELECT sy_t."studio_id", sy_t."user_id"
  FROM "public"."studio_ownership" AS sy_t
  WHERE sy_t."studio_id" = ANY(ARRAY(SELECT DISTINCT "studio_id"
      FROM pg_temp."sy_touched_m4"
      WHERE "studio_id" IS NOT NULL))
  AND NOT ((sy_t."studio_id", sy_t."user_id") IN (SELECT "studio_id", "user_id"
      FROM pg_temp."sy_new_m4"));

-- public.studio_ownership: ordered.keep
DELETE FROM pg_temp."sy_leaving_m4" AS sy_l
  USING pg_temp."sy_new_m4" AS sy_n
  WHERE sy_l."studio_id" = sy_n."studio_id"
  AND sy_l."user_id" = sy_n."user_id";

-- public.studio_ownership: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."studio_ownership" AS sy_t
    USING (SELECT sy_n."studio_id", sy_n."user_id"
      FROM pg_temp."sy_new_m4" AS sy_n
      JOIN "public"."studio_ownership" AS sy_o ON sy_n."studio_id" = sy_o."studio_id"
      AND sy_n."user_id" = sy_o."user_id"
      WHERE NOT (ROW(sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since")::record *= ROW(sy_o."studio_id", sy_o."user_id", sy_o."is_primary", sy_o."since")::record)) AS sy_k
    WHERE sy_t."studio_id" = sy_k."studio_id"
    AND sy_t."user_id" = sy_k."user_id"
    RETURNING sy_t."studio_id", sy_t."user_id", sy_t."is_primary", sy_t."since"), sy_put AS (INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since"
    FROM pg_temp."sy_new_m4" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."studio_id" = sy_o."studio_id"
    AND sy_n."user_id" = sy_o."user_id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since"
  FROM pg_temp."sy_new_m4" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."studio_ownership" AS sy_o
    WHERE sy_o."studio_id" = sy_n."studio_id"
    AND sy_o."user_id" = sy_n."user_id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.studio_ownership: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."studio_ownership" AS sy_t
    USING (SELECT sy_n."studio_id", sy_n."user_id"
      FROM pg_temp."sy_new_m4" AS sy_n
      JOIN "public"."studio_ownership" AS sy_o ON sy_n."studio_id" = sy_o."studio_id"
      AND sy_n."user_id" = sy_o."user_id"
      WHERE NOT (ROW(sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since")::record *= ROW(sy_o."studio_id", sy_o."user_id", sy_o."is_primary", sy_o."since")::record)
      UNION ALL
      SELECT "studio_id", "user_id"
      FROM pg_temp."sy_leaving_m4") AS sy_k
    WHERE sy_t."studio_id" = sy_k."studio_id"
    AND sy_t."user_id" = sy_k."user_id"
    RETURNING sy_t."studio_id", sy_t."user_id", sy_t."is_primary", sy_t."since"), sy_put AS (INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since"
    FROM pg_temp."sy_new_m4" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."studio_id" = sy_o."studio_id"
    AND sy_n."user_id" = sy_o."user_id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."studio_ownership" ("studio_id", "user_id", "is_primary", "since")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."studio_id", sy_n."user_id", sy_n."is_primary", sy_n."since"
  FROM pg_temp."sy_new_m4" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."studio_ownership" AS sy_o
    WHERE sy_o."studio_id" = sy_n."studio_id"
    AND sy_o."user_id" = sy_n."user_id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.studio_ownership: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m4" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "studio_id"
  FROM "public"."studio_ownership" WITH NO DATA;

-- public.studio_ownership: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m4" AS sy_s
  JOIN pg_temp."sy_bar_m4" AS sy_b ON sy_s."studio_id" = sy_b."studio_id";

-- ==== NEW's public.new_accounts, by scope

-- public.new_accounts: keyed.view_ddl
CREATE VIEW "switchyard"."map_5_new_accounts" AS SELECT a.id, o.user_id, a.type, a.provider, a.provider_account_id, a.refresh_token, a.access_token,
       a.id_token, a.token_type, a.scope, a.session_state, a.expires_at
FROM accounts a
LEFT JOIN public.user_sources o ON o.source_table = 'studio_owners' AND o.source_id = a.user_id
;

-- public.new_accounts: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m5" AS SELECT "id" FROM "public"."new_accounts" WITH NO DATA;

-- public.new_accounts: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m5" AS
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM "public"."new_accounts" WITH NO DATA;

-- public.new_accounts: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m5" AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."new_accounts" WITH NO DATA;

-- public.new_accounts: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m5" (sy__n);

-- public.new_accounts: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m5" AS
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM "public"."new_accounts" WITH NO DATA;

-- public.new_accounts: touches of accounts: before
INSERT INTO pg_temp."sy_touched_m5" ("id")
  SELECT DISTINCT id
  FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
    FROM pg_temp."sy_stage_4"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS "accounts";

-- public.new_accounts: touches of accounts: after
INSERT INTO pg_temp."sy_touched_m5" ("id")
  SELECT DISTINCT id
  FROM pg_temp."sy_stage_4" AS "accounts"
  WHERE "accounts".sy__op IN ('I','K');

-- public.new_accounts: touches of accounts: all
INSERT INTO pg_temp."sy_touched_m5" ("id")
  SELECT DISTINCT id
  FROM "switchyard_old"."accounts" AS "accounts";

-- public.new_accounts: touches of public.user_sources: before
INSERT INTO pg_temp."sy_touched_m5" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "source_table", "source_id", "user_id", "rank" FROM pg_temp."sy_chg_m2" WHERE sy__before) AS "user_sources" CROSS JOIN LATERAL ( SELECT a.id
                   FROM "switchyard_old".accounts a
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = a.user_id))
) AS sy_q;

-- public.new_accounts: touches of public.user_sources: after
INSERT INTO pg_temp."sy_touched_m5" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "source_table", "source_id", "user_id", "rank" FROM pg_temp."sy_chg_m2" WHERE NOT sy__before) AS "user_sources" CROSS JOIN LATERAL ( SELECT a.id
                   FROM "switchyard_old".accounts a
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = a.user_id))
) AS sy_q;

-- public.new_accounts: touches of public.user_sources: all
INSERT INTO pg_temp."sy_touched_m5" ("id") SELECT DISTINCT sy_q.* FROM "public"."user_sources" AS "user_sources" CROSS JOIN LATERAL ( SELECT a.id
                   FROM "switchyard_old".accounts a
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = a.user_id))
) AS sy_q;

-- public.new_accounts: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m5" SELECT DISTINCT "id" FROM "public"."new_accounts";

-- public.new_accounts: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m5"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "id"
    FROM pg_temp."sy_touched_m5") AS sy_d;

-- public.new_accounts: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m5"
  SELECT "id"
  FROM pg_temp."sy_slice_m5"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.new_accounts: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('id', "id"::text) FROM pg_temp."sy_slice_m5" WHERE sy__n = $1;

-- public.new_accounts: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m5" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
    SELECT sy_v."id", sy_v."user_id", sy_v."type", sy_v."provider", sy_v."provider_account_id", sy_v."refresh_token", sy_v."access_token", sy_v."id_token", sy_v."token_type", sy_v."scope", sy_v."session_state", sy_v."expires_at"
    FROM "switchyard"."map_5_new_accounts" AS sy_v
    WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m5"
        WHERE "id" IS NOT NULL))
    RETURNING "id")
  SELECT
  FROM sy_c
  GROUP BY "id"
  HAVING count(*) > 1 LIMIT 1;

-- public.new_accounts: keyed.remove
DELETE FROM "public"."new_accounts" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m5"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m5"));

-- public.new_accounts: keyed.update
UPDATE "public"."new_accounts" AS sy_t
  SET "id" = sy_n."id", "user_id" = sy_n."user_id", "type" = sy_n."type", "provider" = sy_n."provider", "provider_account_id" = sy_n."provider_account_id", "refresh_token" = sy_n."refresh_token", "access_token" = sy_n."access_token", "id_token" = sy_n."id_token", "token_type" = sy_n."token_type", "scope" = sy_n."scope", "session_state" = sy_n."session_state", "expires_at" = sy_n."expires_at"
  FROM pg_temp."sy_new_m5" AS sy_n
  WHERE sy_t."id" = sy_n."id"
  AND NOT (ROW(sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")::record *= ROW(sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at")::record);

-- public.new_accounts: keyed.insert
INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at"
  FROM pg_temp."sy_new_m5" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."new_accounts" AS sy_o
    WHERE sy_o."id" = sy_n."id");

-- public.new_accounts: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m5" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."new_accounts" AS sy_t
      WHERE sy_t."id" = sy_n."id"
      AND ROW(sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")::record *= ROW(sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at")::record)), (SELECT count(*)
    FROM "public"."new_accounts" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
        FROM pg_temp."sy_touched_m5"
        EXCEPT
        SELECT "id"
        FROM pg_temp."sy_new_m5")));

-- public.new_accounts: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."new_accounts" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m5"
        WHERE "id" IS NOT NULL))
    RETURNING sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at")
  INSERT INTO pg_temp."sy_taken_m5"
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM sy_taken;

-- public.new_accounts: keyed.take_out
DELETE FROM pg_temp."sy_taken_m5" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m5" AS sy_n
    WHERE sy_g."id" = sy_n."id");

-- public.new_accounts: keyed.take_out
UPDATE pg_temp."sy_taken_m5" AS sy_g
  SET "id" = sy_n."id", "user_id" = sy_n."user_id", "type" = sy_n."type", "provider" = sy_n."provider", "provider_account_id" = sy_n."provider_account_id", "refresh_token" = sy_n."refresh_token", "access_token" = sy_n."access_token", "id_token" = sy_n."id_token", "token_type" = sy_n."token_type", "scope" = sy_n."scope", "session_state" = sy_n."session_state", "expires_at" = sy_n."expires_at"
  FROM pg_temp."sy_new_m5" AS sy_n
  WHERE sy_g."id" = sy_n."id";

-- public.new_accounts: keyed.take_out
INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM pg_temp."sy_taken_m5";

-- public.new_accounts: keyed.take_out
INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at"
  FROM pg_temp."sy_new_m5" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m5" AS sy_g
    WHERE sy_g."id" = sy_n."id");

-- public.new_accounts: keyed.take_out
DELETE FROM pg_temp."sy_taken_m5";

-- public.new_accounts: keyed.clean
DELETE FROM pg_temp."sy_touched_m5";

-- public.new_accounts: keyed.clean
DELETE FROM pg_temp."sy_new_m5";

-- public.new_accounts: keyed.populate
INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."id", sy_v."user_id", sy_v."type", sy_v."provider", sy_v."provider_account_id", sy_v."refresh_token", sy_v."access_token", sy_v."id_token", sy_v."token_type", sy_v."scope", sy_v."session_state", sy_v."expires_at"
  FROM "switchyard"."map_5_new_accounts" AS sy_v;

-- public.new_accounts: keyed.explain
SELECT sy_v."id", sy_v."user_id", sy_v."type", sy_v."provider", sy_v."provider_account_id", sy_v."refresh_token", sy_v."access_token", sy_v."id_token", sy_v."token_type", sy_v."scope", sy_v."session_state", sy_v."expires_at" FROM ({select}
) AS sy_v WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id" FROM pg_temp."sy_touched_m5" WHERE "id" IS NOT NULL));

-- public.new_accounts: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m5" AS
  SELECT "id"
  FROM "public"."new_accounts" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m5_key" ON pg_temp."sy_leaving_m5" ("id");

-- public.new_accounts: ordered.note
INSERT INTO pg_temp."sy_leaving_m5"
  SELECT sy_t."id"
  FROM "public"."new_accounts" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m5"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m5"));

-- public.new_accounts: ordered.keep
DELETE FROM pg_temp."sy_leaving_m5" AS sy_l
  USING pg_temp."sy_new_m5" AS sy_n
  WHERE sy_l."id" = sy_n."id";

-- public.new_accounts: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."new_accounts" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m5" AS sy_n
      JOIN "public"."new_accounts" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at")::record *= ROW(sy_o."id", sy_o."user_id", sy_o."type", sy_o."provider", sy_o."provider_account_id", sy_o."refresh_token", sy_o."access_token", sy_o."id_token", sy_o."token_type", sy_o."scope", sy_o."session_state", sy_o."expires_at")::record)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at"), sy_put AS (INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at"
    FROM pg_temp."sy_new_m5" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at"
  FROM pg_temp."sy_new_m5" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."new_accounts" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.new_accounts: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."new_accounts" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m5" AS sy_n
      JOIN "public"."new_accounts" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at")::record *= ROW(sy_o."id", sy_o."user_id", sy_o."type", sy_o."provider", sy_o."provider_account_id", sy_o."refresh_token", sy_o."access_token", sy_o."id_token", sy_o."token_type", sy_o."scope", sy_o."session_state", sy_o."expires_at")::record)
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m5") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."user_id", sy_t."type", sy_t."provider", sy_t."provider_account_id", sy_t."refresh_token", sy_t."access_token", sy_t."id_token", sy_t."token_type", sy_t."scope", sy_t."session_state", sy_t."expires_at"), sy_put AS (INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at"
    FROM pg_temp."sy_new_m5" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."new_accounts" ("id", "user_id", "type", "provider", "provider_account_id", "refresh_token", "access_token", "id_token", "token_type", "scope", "session_state", "expires_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."user_id", sy_n."type", sy_n."provider", sy_n."provider_account_id", sy_n."refresh_token", sy_n."access_token", sy_n."id_token", sy_n."token_type", sy_n."scope", sy_n."session_state", sy_n."expires_at"
  FROM pg_temp."sy_new_m5" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."new_accounts" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.new_accounts: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m5" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."new_accounts" WITH NO DATA;

-- public.new_accounts: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m5" AS sy_s
  JOIN pg_temp."sy_bar_m5" AS sy_b ON sy_s."id" = sy_b."id";

-- ==== NEW's public.new_sessions, by scope

-- public.new_sessions: keyed.view_ddl
CREATE VIEW "switchyard"."map_6_new_sessions" AS -- Expired sessions too: a filter that depends on the time of day would never compare equal.
SELECT s.id, s.session_token, o.user_id, s.expires
FROM sessions s
LEFT JOIN public.user_sources o ON o.source_table = 'studio_owners' AND o.source_id = s.user_id
;

-- public.new_sessions: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m6" AS SELECT "id" FROM "public"."new_sessions" WITH NO DATA;

-- public.new_sessions: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m6" AS
  SELECT "id", "session_token", "user_id", "expires"
  FROM "public"."new_sessions" WITH NO DATA;

-- public.new_sessions: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m6" AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."new_sessions" WITH NO DATA;

-- public.new_sessions: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m6" (sy__n);

-- public.new_sessions: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m6" AS
  SELECT "id", "session_token", "user_id", "expires"
  FROM "public"."new_sessions" WITH NO DATA;

-- public.new_sessions: touches of sessions: before
INSERT INTO pg_temp."sy_touched_m6" ("id")
  SELECT DISTINCT id
  FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
    FROM pg_temp."sy_stage_5"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS "sessions";

-- public.new_sessions: touches of sessions: after
INSERT INTO pg_temp."sy_touched_m6" ("id")
  SELECT DISTINCT id
  FROM pg_temp."sy_stage_5" AS "sessions"
  WHERE "sessions".sy__op IN ('I','K');

-- public.new_sessions: touches of sessions: all
INSERT INTO pg_temp."sy_touched_m6" ("id")
  SELECT DISTINCT id
  FROM "switchyard_old"."sessions" AS "sessions";

-- public.new_sessions: touches of public.user_sources: before
INSERT INTO pg_temp."sy_touched_m6" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "source_table", "source_id", "user_id", "rank" FROM pg_temp."sy_chg_m2" WHERE sy__before) AS "user_sources" CROSS JOIN LATERAL ( SELECT s.id
                   FROM "switchyard_old".sessions s
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = s.user_id))
) AS sy_q;

-- public.new_sessions: touches of public.user_sources: after
INSERT INTO pg_temp."sy_touched_m6" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "source_table", "source_id", "user_id", "rank" FROM pg_temp."sy_chg_m2" WHERE NOT sy__before) AS "user_sources" CROSS JOIN LATERAL ( SELECT s.id
                   FROM "switchyard_old".sessions s
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = s.user_id))
) AS sy_q;

-- public.new_sessions: touches of public.user_sources: all
INSERT INTO pg_temp."sy_touched_m6" ("id") SELECT DISTINCT sy_q.* FROM "public"."user_sources" AS "user_sources" CROSS JOIN LATERAL ( SELECT s.id
                   FROM "switchyard_old".sessions s
                  WHERE ((user_sources.source_table = 'studio_owners'::text) AND (user_sources.source_id = s.user_id))
) AS sy_q;

-- public.new_sessions: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m6" SELECT DISTINCT "id" FROM "public"."new_sessions";

-- public.new_sessions: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m6"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "id"
    FROM pg_temp."sy_touched_m6") AS sy_d;

-- public.new_sessions: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m6"
  SELECT "id"
  FROM pg_temp."sy_slice_m6"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.new_sessions: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('id', "id"::text) FROM pg_temp."sy_slice_m6" WHERE sy__n = $1;

-- public.new_sessions: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m6" ("id", "session_token", "user_id", "expires")
    SELECT sy_v."id", sy_v."session_token", sy_v."user_id", sy_v."expires"
    FROM "switchyard"."map_6_new_sessions" AS sy_v
    WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m6"
        WHERE "id" IS NOT NULL))
    RETURNING "id")
  SELECT
  FROM sy_c
  GROUP BY "id"
  HAVING count(*) > 1 LIMIT 1;

-- public.new_sessions: keyed.remove
DELETE FROM "public"."new_sessions" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m6"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m6"));

-- public.new_sessions: keyed.update
UPDATE "public"."new_sessions" AS sy_t
  SET "id" = sy_n."id", "session_token" = sy_n."session_token", "user_id" = sy_n."user_id", "expires" = sy_n."expires"
  FROM pg_temp."sy_new_m6" AS sy_n
  WHERE sy_t."id" = sy_n."id"
  AND NOT (ROW(sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires")::record *= ROW(sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires")::record);

-- public.new_sessions: keyed.insert
INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires"
  FROM pg_temp."sy_new_m6" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."new_sessions" AS sy_o
    WHERE sy_o."id" = sy_n."id");

-- public.new_sessions: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m6" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."new_sessions" AS sy_t
      WHERE sy_t."id" = sy_n."id"
      AND ROW(sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires")::record *= ROW(sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires")::record)), (SELECT count(*)
    FROM "public"."new_sessions" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
        FROM pg_temp."sy_touched_m6"
        EXCEPT
        SELECT "id"
        FROM pg_temp."sy_new_m6")));

-- public.new_sessions: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."new_sessions" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m6"
        WHERE "id" IS NOT NULL))
    RETURNING sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires")
  INSERT INTO pg_temp."sy_taken_m6"
  SELECT "id", "session_token", "user_id", "expires"
  FROM sy_taken;

-- public.new_sessions: keyed.take_out
DELETE FROM pg_temp."sy_taken_m6" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m6" AS sy_n
    WHERE sy_g."id" = sy_n."id");

-- public.new_sessions: keyed.take_out
UPDATE pg_temp."sy_taken_m6" AS sy_g
  SET "id" = sy_n."id", "session_token" = sy_n."session_token", "user_id" = sy_n."user_id", "expires" = sy_n."expires"
  FROM pg_temp."sy_new_m6" AS sy_n
  WHERE sy_g."id" = sy_n."id";

-- public.new_sessions: keyed.take_out
INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM pg_temp."sy_taken_m6";

-- public.new_sessions: keyed.take_out
INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "session_token", "user_id", "expires"
  FROM pg_temp."sy_new_m6" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m6" AS sy_g
    WHERE sy_g."id" = sy_n."id");

-- public.new_sessions: keyed.take_out
DELETE FROM pg_temp."sy_taken_m6";

-- public.new_sessions: keyed.clean
DELETE FROM pg_temp."sy_touched_m6";

-- public.new_sessions: keyed.clean
DELETE FROM pg_temp."sy_new_m6";

-- public.new_sessions: keyed.populate
INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."id", sy_v."session_token", sy_v."user_id", sy_v."expires"
  FROM "switchyard"."map_6_new_sessions" AS sy_v;

-- public.new_sessions: keyed.explain
SELECT sy_v."id", sy_v."session_token", sy_v."user_id", sy_v."expires" FROM ({select}
) AS sy_v WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id" FROM pg_temp."sy_touched_m6" WHERE "id" IS NOT NULL));

-- public.new_sessions: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m6" AS
  SELECT "id"
  FROM "public"."new_sessions" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m6_key" ON pg_temp."sy_leaving_m6" ("id");

-- public.new_sessions: ordered.note
INSERT INTO pg_temp."sy_leaving_m6"
  SELECT sy_t."id"
  FROM "public"."new_sessions" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m6"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m6"));

-- public.new_sessions: ordered.keep
DELETE FROM pg_temp."sy_leaving_m6" AS sy_l
  USING pg_temp."sy_new_m6" AS sy_n
  WHERE sy_l."id" = sy_n."id";

-- public.new_sessions: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."new_sessions" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m6" AS sy_n
      JOIN "public"."new_sessions" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires")::record *= ROW(sy_o."id", sy_o."session_token", sy_o."user_id", sy_o."expires")::record)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires"), sy_put AS (INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires"
    FROM pg_temp."sy_new_m6" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires"
  FROM pg_temp."sy_new_m6" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."new_sessions" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.new_sessions: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."new_sessions" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m6" AS sy_n
      JOIN "public"."new_sessions" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires")::record *= ROW(sy_o."id", sy_o."session_token", sy_o."user_id", sy_o."expires")::record)
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m6") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."session_token", sy_t."user_id", sy_t."expires"), sy_put AS (INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires"
    FROM pg_temp."sy_new_m6" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."new_sessions" ("id", "session_token", "user_id", "expires")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."session_token", sy_n."user_id", sy_n."expires"
  FROM pg_temp."sy_new_m6" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."new_sessions" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.new_sessions: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m6" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."new_sessions" WITH NO DATA;

-- public.new_sessions: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m6" AS sy_s
  JOIN pg_temp."sy_bar_m6" AS sy_b ON sy_s."id" = sy_b."id";

-- ==== NEW's public.new_bookings, by scope

-- public.new_bookings: keyed.view_ddl
CREATE VIEW "switchyard"."map_7_new_bookings" AS -- Whose booking it is: the customer's person (ACCOUNT); else whoever has the e-mail typed; else,
-- with no address typed, the booking's own guest. The last two are GUEST.
SELECT b.id, b.studio_id,
       coalesce(person.id, nameless.id) AS customer_id,
       CASE WHEN c.id IS NULL THEN 'GUEST' ELSE 'ACCOUNT' END AS booked_as,
       b.customer_name AS contact_name, b.customer_email AS contact_email,
       b.customer_phone AS contact_phone,
       b.service, b.starts_at, b.duration_min, b.status, b.message, b.created_at, b.updated_at
FROM bookings b
LEFT JOIN customers c ON c.id = b.customer_id
LEFT JOIN public.users person
       ON person.email = lower(btrim(coalesce(c.email, b.customer_email)) COLLATE "C")
LEFT JOIN public.users nameless
       ON c.id IS NULL AND position('@' IN b.customer_email) = 0
      AND nameless.email = lower(btrim(b.id || '@guest.invalid') COLLATE "C")
;

-- public.new_bookings: keyed.temp_ddl
CREATE TEMP TABLE "sy_touched_m7" AS SELECT "id" FROM "public"."new_bookings" WITH NO DATA;

-- public.new_bookings: keyed.temp_ddl
CREATE TEMP TABLE "sy_new_m7" AS
  SELECT "id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM "public"."new_bookings" WITH NO DATA;

-- public.new_bookings: keyed.temp_ddl
CREATE TEMP TABLE "sy_slice_m7" AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."new_bookings" WITH NO DATA;

-- public.new_bookings: keyed.temp_ddl
CREATE INDEX ON pg_temp."sy_slice_m7" (sy__n);

-- public.new_bookings: keyed.temp_ddl
CREATE TEMP TABLE "sy_taken_m7" AS
  SELECT "id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM "public"."new_bookings" WITH NO DATA;

-- public.new_bookings: touches of bookings: before
INSERT INTO pg_temp."sy_touched_m7" ("id")
  SELECT DISTINCT id
  FROM (SELECT sy__ord, sy__op, sy__k0 AS "id"
    FROM pg_temp."sy_stage_0"
    WHERE sy__op IN ('U','K','D')
    AND coalesce(sy__still & 1::bigint, 0) = 0) AS "bookings";

-- public.new_bookings: touches of bookings: after
INSERT INTO pg_temp."sy_touched_m7" ("id")
  SELECT DISTINCT id
  FROM pg_temp."sy_stage_0" AS "bookings"
  WHERE "bookings".sy__op IN ('I','K');

-- public.new_bookings: touches of bookings: all
INSERT INTO pg_temp."sy_touched_m7" ("id")
  SELECT DISTINCT id
  FROM "switchyard_old"."bookings" AS "bookings";

-- public.new_bookings: touches of customers: before
INSERT INTO pg_temp."sy_touched_m7" ("id") SELECT DISTINCT sy_q.* FROM (SELECT sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('U','K','D') AND coalesce(sy__still & 4::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE (customers.id = b.customer_id)
) AS sy_q;

-- public.new_bookings: touches of customers: after
INSERT INTO pg_temp."sy_touched_m7" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "id" AS sy__k0 FROM pg_temp."sy_stage_1" WHERE sy__op IN ('I','U','K') AND coalesce(sy__still & 4::bigint, 0) = 0) AS sy_s JOIN "switchyard_old"."customers" AS "customers" ON "customers"."id" = sy_s.sy__k0 CROSS JOIN LATERAL ( SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE (customers.id = b.customer_id)
) AS sy_q;

-- public.new_bookings: touches of customers: all
INSERT INTO pg_temp."sy_touched_m7" ("id") SELECT DISTINCT sy_q.* FROM "switchyard_old"."customers" AS "customers" CROSS JOIN LATERAL ( SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE (customers.id = b.customer_id)
) AS sy_q;

-- public.new_bookings: touches of public.users: before
INSERT INTO pg_temp."sy_touched_m7" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at" FROM pg_temp."sy_chg_m0" WHERE sy__before) AS "users" CROSS JOIN LATERAL ( SELECT b.id
                   FROM "switchyard_old".bookings b,
                    "switchyard_old".customers c
                  WHERE ((c.id = b.customer_id) AND (users.email = lower((btrim(c.email) COLLATE "C"))))
                UNION ALL
                 SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE (users.email = lower((btrim(b.customer_email) COLLATE "C")))
                UNION ALL
                 SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (users.email = lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C"))))
) AS sy_q;

-- public.new_bookings: touches of public.users: after
INSERT INTO pg_temp."sy_touched_m7" ("id") SELECT DISTINCT sy_q.* FROM (SELECT "id", "email", "name", "phone", "password_hash", "email_verified_at", "image_url", "account_state", "created_at", "updated_at" FROM pg_temp."sy_chg_m0" WHERE NOT sy__before) AS "users" CROSS JOIN LATERAL ( SELECT b.id
                   FROM "switchyard_old".bookings b,
                    "switchyard_old".customers c
                  WHERE ((c.id = b.customer_id) AND (users.email = lower((btrim(c.email) COLLATE "C"))))
                UNION ALL
                 SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE (users.email = lower((btrim(b.customer_email) COLLATE "C")))
                UNION ALL
                 SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (users.email = lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C"))))
) AS sy_q;

-- public.new_bookings: touches of public.users: all
INSERT INTO pg_temp."sy_touched_m7" ("id") SELECT DISTINCT sy_q.* FROM "public"."users" AS "users" CROSS JOIN LATERAL ( SELECT b.id
                   FROM "switchyard_old".bookings b,
                    "switchyard_old".customers c
                  WHERE ((c.id = b.customer_id) AND (users.email = lower((btrim(c.email) COLLATE "C"))))
                UNION ALL
                 SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE (users.email = lower((btrim(b.customer_email) COLLATE "C")))
                UNION ALL
                 SELECT b.id
                   FROM "switchyard_old".bookings b
                  WHERE ((POSITION(('@'::text) IN (b.customer_email)) = 0) AND (users.email = lower((btrim((b.id || '@guest.invalid'::text)) COLLATE "C"))))
) AS sy_q;

-- public.new_bookings: keyed.touch_own
INSERT INTO pg_temp."sy_touched_m7" SELECT DISTINCT "id" FROM "public"."new_bookings";

-- public.new_bookings: keyed.slice_fill
INSERT INTO pg_temp."sy_slice_m7"
  SELECT row_number() OVER (), sy_d.*
  FROM (SELECT DISTINCT "id"
    FROM pg_temp."sy_touched_m7") AS sy_d;

-- public.new_bookings: keyed.slice_take
INSERT INTO pg_temp."sy_touched_m7"
  SELECT "id"
  FROM pg_temp."sy_slice_m7"
  WHERE sy__n > $1
  AND sy__n <= $2;

-- public.new_bookings: keyed.scope_json
SELECT pg_catalog.jsonb_build_object('id', "id"::text) FROM pg_temp."sy_slice_m7" WHERE sy__n = $1;

-- public.new_bookings: keyed.compute
WITH sy_c AS (INSERT INTO pg_temp."sy_new_m7" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
    SELECT sy_v."id", sy_v."studio_id", sy_v."customer_id", sy_v."booked_as", sy_v."contact_name", sy_v."contact_email", sy_v."contact_phone", sy_v."service", sy_v."starts_at", sy_v."duration_min", sy_v."status", sy_v."message", sy_v."created_at", sy_v."updated_at"
    FROM "switchyard"."map_7_new_bookings" AS sy_v
    WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m7"
        WHERE "id" IS NOT NULL))
    RETURNING "id")
  SELECT
  FROM sy_c
  GROUP BY "id"
  HAVING count(*) > 1 LIMIT 1;

-- public.new_bookings: keyed.remove
DELETE FROM "public"."new_bookings" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m7"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m7"));

-- public.new_bookings: keyed.update
UPDATE "public"."new_bookings" AS sy_t
  SET "id" = sy_n."id", "studio_id" = sy_n."studio_id", "customer_id" = sy_n."customer_id", "booked_as" = sy_n."booked_as", "contact_name" = sy_n."contact_name", "contact_email" = sy_n."contact_email", "contact_phone" = sy_n."contact_phone", "service" = sy_n."service", "starts_at" = sy_n."starts_at", "duration_min" = sy_n."duration_min", "status" = sy_n."status", "message" = sy_n."message", "created_at" = sy_n."created_at", "updated_at" = sy_n."updated_at"
  FROM pg_temp."sy_new_m7" AS sy_n
  WHERE sy_t."id" = sy_n."id"
  AND NOT (ROW(sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."booked_as", sy_t."contact_name", sy_t."contact_email", sy_t."contact_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")::record *= ROW(sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at")::record);

-- public.new_bookings: keyed.insert
INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at"
  FROM pg_temp."sy_new_m7" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM "public"."new_bookings" AS sy_o
    WHERE sy_o."id" = sy_n."id");

-- public.new_bookings: keyed.written_count
SELECT (SELECT count(*)
    FROM pg_temp."sy_new_m7" AS sy_n
    WHERE NOT EXISTS (SELECT
      FROM "public"."new_bookings" AS sy_t
      WHERE sy_t."id" = sy_n."id"
      AND ROW(sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."booked_as", sy_t."contact_name", sy_t."contact_email", sy_t."contact_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")::record *= ROW(sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at")::record)), (SELECT count(*)
    FROM "public"."new_bookings" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
        FROM pg_temp."sy_touched_m7"
        EXCEPT
        SELECT "id"
        FROM pg_temp."sy_new_m7")));

-- public.new_bookings: keyed.take_out
WITH sy_taken AS (DELETE FROM "public"."new_bookings" AS sy_t
    WHERE sy_t."id" = ANY(ARRAY(SELECT DISTINCT "id"
        FROM pg_temp."sy_touched_m7"
        WHERE "id" IS NOT NULL))
    RETURNING sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."booked_as", sy_t."contact_name", sy_t."contact_email", sy_t."contact_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at")
  INSERT INTO pg_temp."sy_taken_m7"
  SELECT "id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM sy_taken;

-- public.new_bookings: keyed.take_out
DELETE FROM pg_temp."sy_taken_m7" AS sy_g
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_new_m7" AS sy_n
    WHERE sy_g."id" = sy_n."id");

-- public.new_bookings: keyed.take_out
UPDATE pg_temp."sy_taken_m7" AS sy_g
  SET "id" = sy_n."id", "studio_id" = sy_n."studio_id", "customer_id" = sy_n."customer_id", "booked_as" = sy_n."booked_as", "contact_name" = sy_n."contact_name", "contact_email" = sy_n."contact_email", "contact_phone" = sy_n."contact_phone", "service" = sy_n."service", "starts_at" = sy_n."starts_at", "duration_min" = sy_n."duration_min", "status" = sy_n."status", "message" = sy_n."message", "created_at" = sy_n."created_at", "updated_at" = sy_n."updated_at"
  FROM pg_temp."sy_new_m7" AS sy_n
  WHERE sy_g."id" = sy_n."id";

-- public.new_bookings: keyed.take_out
INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM pg_temp."sy_taken_m7";

-- public.new_bookings: keyed.take_out
INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT "id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at"
  FROM pg_temp."sy_new_m7" AS sy_n
  WHERE NOT EXISTS (SELECT 1
    FROM pg_temp."sy_taken_m7" AS sy_g
    WHERE sy_g."id" = sy_n."id");

-- public.new_bookings: keyed.take_out
DELETE FROM pg_temp."sy_taken_m7";

-- public.new_bookings: keyed.clean
DELETE FROM pg_temp."sy_touched_m7";

-- public.new_bookings: keyed.clean
DELETE FROM pg_temp."sy_new_m7";

-- public.new_bookings: keyed.populate
INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_v."id", sy_v."studio_id", sy_v."customer_id", sy_v."booked_as", sy_v."contact_name", sy_v."contact_email", sy_v."contact_phone", sy_v."service", sy_v."starts_at", sy_v."duration_min", sy_v."status", sy_v."message", sy_v."created_at", sy_v."updated_at"
  FROM "switchyard"."map_7_new_bookings" AS sy_v;

-- public.new_bookings: keyed.explain
SELECT sy_v."id", sy_v."studio_id", sy_v."customer_id", sy_v."booked_as", sy_v."contact_name", sy_v."contact_email", sy_v."contact_phone", sy_v."service", sy_v."starts_at", sy_v."duration_min", sy_v."status", sy_v."message", sy_v."created_at", sy_v."updated_at" FROM ({select}
) AS sy_v WHERE sy_v."id" = ANY(ARRAY(SELECT DISTINCT "id" FROM pg_temp."sy_touched_m7" WHERE "id" IS NOT NULL));

-- public.new_bookings: ordered.leaving_table_ddl
CREATE TEMP TABLE IF NOT EXISTS "sy_leaving_m7" AS
  SELECT "id"
  FROM "public"."new_bookings" WITH NO DATA; CREATE INDEX IF NOT EXISTS "sy_leaving_m7_key" ON pg_temp."sy_leaving_m7" ("id");

-- public.new_bookings: ordered.note
INSERT INTO pg_temp."sy_leaving_m7"
  SELECT sy_t."id"
  FROM "public"."new_bookings" AS sy_t
  WHERE sy_t."id" = ANY(ARRAY(SELECT "id"
      FROM pg_temp."sy_touched_m7"
      EXCEPT
      SELECT "id"
      FROM pg_temp."sy_new_m7"));

-- public.new_bookings: ordered.keep
DELETE FROM pg_temp."sy_leaving_m7" AS sy_l
  USING pg_temp."sy_new_m7" AS sy_n
  WHERE sy_l."id" = sy_n."id";

-- public.new_bookings: ordered.take_out
WITH sy_out AS (DELETE FROM "public"."new_bookings" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m7" AS sy_n
      JOIN "public"."new_bookings" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at")::record *= ROW(sy_o."id", sy_o."studio_id", sy_o."customer_id", sy_o."booked_as", sy_o."contact_name", sy_o."contact_email", sy_o."contact_phone", sy_o."service", sy_o."starts_at", sy_o."duration_min", sy_o."status", sy_o."message", sy_o."created_at", sy_o."updated_at")::record)) AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."booked_as", sy_t."contact_name", sy_t."contact_email", sy_t."contact_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at"), sy_put AS (INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at"
    FROM pg_temp."sy_new_m7" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at"
  FROM pg_temp."sy_new_m7" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."new_bookings" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.new_bookings: ordered.take_out_all
WITH sy_out AS (DELETE FROM "public"."new_bookings" AS sy_t
    USING (SELECT sy_n."id"
      FROM pg_temp."sy_new_m7" AS sy_n
      JOIN "public"."new_bookings" AS sy_o ON sy_n."id" = sy_o."id"
      WHERE NOT (ROW(sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at")::record *= ROW(sy_o."id", sy_o."studio_id", sy_o."customer_id", sy_o."booked_as", sy_o."contact_name", sy_o."contact_email", sy_o."contact_phone", sy_o."service", sy_o."starts_at", sy_o."duration_min", sy_o."status", sy_o."message", sy_o."created_at", sy_o."updated_at")::record)
      UNION ALL
      SELECT "id"
      FROM pg_temp."sy_leaving_m7") AS sy_k
    WHERE sy_t."id" = sy_k."id"
    RETURNING sy_t."id", sy_t."studio_id", sy_t."customer_id", sy_t."booked_as", sy_t."contact_name", sy_t."contact_email", sy_t."contact_phone", sy_t."service", sy_t."starts_at", sy_t."duration_min", sy_t."status", sy_t."message", sy_t."created_at", sy_t."updated_at"), sy_put AS (INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
    OVERRIDING SYSTEM VALUE
    SELECT sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at"
    FROM pg_temp."sy_new_m7" AS sy_n
    JOIN sy_out AS sy_o ON sy_n."id" = sy_o."id"
    WHERE (SELECT count(*)
      FROM sy_out) >= 0)
  INSERT INTO "public"."new_bookings" ("id", "studio_id", "customer_id", "booked_as", "contact_name", "contact_email", "contact_phone", "service", "starts_at", "duration_min", "status", "message", "created_at", "updated_at")
  OVERRIDING SYSTEM VALUE
  SELECT sy_n."id", sy_n."studio_id", sy_n."customer_id", sy_n."booked_as", sy_n."contact_name", sy_n."contact_email", sy_n."contact_phone", sy_n."service", sy_n."starts_at", sy_n."duration_min", sy_n."status", sy_n."message", sy_n."created_at", sy_n."updated_at"
  FROM pg_temp."sy_new_m7" AS sy_n
  WHERE NOT EXISTS (SELECT
    FROM "public"."new_bookings" AS sy_o
    WHERE sy_o."id" = sy_n."id")
  AND (SELECT count(*)
    FROM sy_out) >= 0;

-- public.new_bookings: ordered.barred_ddl
CREATE TEMP TABLE "sy_bar_m7" ON COMMIT DROP AS
  SELECT NULL::bigint AS sy__n, "id"
  FROM "public"."new_bookings" WITH NO DATA;

-- public.new_bookings: ordered.barred
SELECT DISTINCT sy_s.sy__n, sy_b.sy__n
  FROM pg_temp."sy_slice_m7" AS sy_s
  JOIN pg_temp."sy_bar_m7" AS sy_b ON sy_s."id" = sy_b."id";
