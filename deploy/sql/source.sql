-- What a database needs to be the source of a stream. Its owner runs it once, by way of
-- `switchyard check --print-setup FILE`, which adds the role, grants and publication of one
-- migration. May be run again; changes nothing then.
--
-- The capture role keeps its records here: they must be where the changes are, because they say
-- what of these changes is safe elsewhere. Of these only mark is published.
CREATE SCHEMA IF NOT EXISTS switchyard;

-- One row per stream that reads this database.
CREATE TABLE IF NOT EXISTS switchyard.capture_stream (
  stream            text PRIMARY KEY,
  slot              text NOT NULL,
  publication       text NOT NULL,
  -- creating: the slot may or may not exist, nothing has been read from it
  -- copying: the slot holds WAL from slot_lsn on, the initial copy is under way
  -- streaming: the copy is complete
  state             text NOT NULL CHECK (state IN ('creating', 'copying', 'streaming')),
  -- Taken anew, by an increment, by each capture that comes to hold the slot.
  epoch             bigint NOT NULL DEFAULT 0,
  -- The cluster and the history the slot belongs to.
  system_identifier text NOT NULL,
  timeline          bigint NOT NULL,
  -- Consistent point of the slot: the initial copy holds the commits below it.
  slot_lsn          pg_lsn,
  -- Which incarnation of the change topic holds what the slot was acknowledged for.
  log_topic         text NOT NULL DEFAULT '',
  -- Why the stream stands still, in words for a person; NULL when it does not.
  refusal           text,
  -- When its tables were last compared with capture_table.
  drift_checked_at  timestamptz,
  created_at        timestamptz NOT NULL DEFAULT now(),
  updated_at        timestamptz NOT NULL DEFAULT now());

-- The tables captured, as they were when last looked at: what logical replication does not show
-- (a rewrite, another partition tree, a publication changed) is noticed by comparing.
CREATE TABLE IF NOT EXISTS switchyard.capture_table (
  stream            text NOT NULL REFERENCES switchyard.capture_stream ON DELETE CASCADE,
  relation_id       oid NOT NULL,
  schema_name       text NOT NULL,
  table_name        text NOT NULL,
  kind              "char" NOT NULL,
  root_id           oid NOT NULL,           -- topmost partitioned table, or 0
  file_node         oid NOT NULL,           -- pg_class.relfilenode
  persistence       "char" NOT NULL,
  replica_identity  text NOT NULL,          -- its kind and columns
  publication_row   text NOT NULL,          -- oid and xmin of what publishes it; '' if nothing does
  columns           text NOT NULL DEFAULT '',  -- JSON: numbers, names, types, hashes; no values
  types             text NOT NULL DEFAULT '',  -- JSON: user types they lead to, with their parts
  links             text NOT NULL DEFAULT '',  -- oid and xmin of a partition's links up to its root
  PRIMARY KEY (stream, relation_id));
ALTER TABLE switchyard.capture_table ADD COLUMN IF NOT EXISTS columns text NOT NULL DEFAULT '';
ALTER TABLE switchyard.capture_table ADD COLUMN IF NOT EXISTS types text NOT NULL DEFAULT '';
ALTER TABLE switchyard.capture_table ADD COLUMN IF NOT EXISTS links text NOT NULL DEFAULT '';

-- Progress of the copy of each table.
CREATE TABLE IF NOT EXISTS switchyard.capture_copy (
  stream            text NOT NULL REFERENCES switchyard.capture_stream ON DELETE CASCADE,
  relation_id       oid NOT NULL,
  schema_name       text NOT NULL,
  table_name        text NOT NULL,
  generation        bigint NOT NULL,        -- counts the copies of this table
  recopy            boolean NOT NULL DEFAULT false,
  lsn               pg_lsn,                 -- the copy holds the commits below it
  -- gone: of a partition that left; kept for its generation, which is never given out twice
  state             text NOT NULL CHECK (state IN ('pending', 'copying', 'done', 'gone')),
  rows              bigint NOT NULL,        -- estimates; -1 unknown
  bytes             bigint NOT NULL,
  rows_done         bigint NOT NULL DEFAULT 0,
  bytes_done        bigint NOT NULL DEFAULT 0,
  started_at        timestamptz,
  finished_at       timestamptz,
  error             text,                   -- why the last attempt failed; NULL when it did not
  PRIMARY KEY (stream, relation_id));
-- Of a database set up before there was 'gone'.
ALTER TABLE switchyard.capture_copy DROP CONSTRAINT capture_copy_state_check;
ALTER TABLE switchyard.capture_copy ADD CONSTRAINT capture_copy_state_check
  CHECK (state IN ('pending', 'copying', 'done', 'gone'));

-- Tables that changed in a way the stream can't show. Suspect until the target has a copy of the
-- table that is as of seen_lsn or later (there: switchyard.copy and switchyard.request), or until
-- cleared_at is set: the table has its name again, or no mapping names it any more.
CREATE TABLE IF NOT EXISTS switchyard.capture_suspect (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream            text NOT NULL REFERENCES switchyard.capture_stream ON DELETE CASCADE,
  relation_id       oid NOT NULL,
  schema_name       text NOT NULL,
  table_name        text NOT NULL,
  reason            text NOT NULL,
  next_step         text NOT NULL,
  seen_lsn          pg_lsn NOT NULL,        -- it happened before this point
  seen_at           timestamptz NOT NULL DEFAULT now(),
  cleared_at        timestamptz);
CREATE UNIQUE INDEX IF NOT EXISTS capture_suspect_open
  ON switchyard.capture_suspect (stream, relation_id, reason) WHERE cleared_at IS NULL;

-- What a person asks of a running capture.
CREATE TABLE IF NOT EXISTS switchyard.capture_request (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream            text NOT NULL REFERENCES switchyard.capture_stream ON DELETE CASCADE,
  kind              text NOT NULL CHECK (kind IN ('recopy')),
  relation_id       oid NOT NULL,           -- a partitioned table stands for all its leaves
  requested_at      timestamptz NOT NULL DEFAULT now(),
  taken_at          timestamptz);

-- What Switchyard itself writes here, for the other direction, begins with a row of this table. The
-- same table stands on both sides: see deploy/sql/target.sql.
CREATE TABLE IF NOT EXISTS switchyard.mark (
  migration text NOT NULL,
  stream text NOT NULL,
  writer text NOT NULL,
  owner_epoch bigint NOT NULL,
  xid bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (migration, stream, writer)
) WITH (fillfactor = 50);

-- Whether the application may write here, one row per migration: the fence of the source compares
-- with it. The target's switchyard.ownership decides; what is decided_ here is a copy of it, for the
-- night when the target comes back from a backup.
CREATE TABLE IF NOT EXISTS switchyard.old_side (
  migration            text PRIMARY KEY,
  state                text NOT NULL CHECK (state IN ('open', 'closed')),
  epoch                bigint NOT NULL,     -- of the driver that moved it last
  owner_epoch          bigint NOT NULL,     -- of the one that opened or closed it last
  changed_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The target's server as that driver saw it: on another one its decision may be lost.
  new_system           text NOT NULL DEFAULT '',
  new_timeline         bigint NOT NULL DEFAULT 0,
  decided_owner        text,
  decided_epoch        bigint,
  decided_owner_epoch  bigint,
  decided_driver       text,
  decided_driver_since timestamptz,
  decided_at_work      boolean,
  decided_old_lsn      pg_lsn,
  decided_new_lsn      pg_lsn,
  decided_old_system   text,
  decided_old_timeline bigint,
  decided_new_system   text,
  decided_new_timeline bigint,
  decided_changed_at   timestamptz);
