-- Switchyard's own tables in the database that is written to. An owner runs this once; it can be
-- run again. The roles that replay need the grants that `switchyard check --print-setup-new` adds.

CREATE SCHEMA IF NOT EXISTS switchyard;

COMMENT ON SCHEMA switchyard IS 'Switchyard: positions, quarantine, ids and compiled mappings';

-- One row per stream applied here. Every transaction of the replayer begins by moving it.
CREATE TABLE IF NOT EXISTS switchyard.stream (
  name text PRIMARY KEY,
  -- new, copying, catching_up (tables of a copy that was cut are brought to one point; or some are
  -- copied or derived again), streaming, stopped
  state text NOT NULL DEFAULT 'new',
  stop_reason text,
  -- Every commit of the source with LSN <= lsn, published in an epoch <= epoch, is applied.
  epoch bigint NOT NULL DEFAULT 0,
  -- 0/0: some table is still to be loaded.
  lsn pg_lsn NOT NULL DEFAULT '0/0',
  -- The log up to covered_lsn has been read: end of that commit, or a later heartbeat.
  covered_lsn pg_lsn NOT NULL DEFAULT '0/0',
  log_offset bigint NOT NULL DEFAULT 0,   -- next record of the change topic
  copy_offset bigint NOT NULL DEFAULT 0,  -- of the copy topic: behind the last event but chunks
  copy_lsn pg_lsn NOT NULL DEFAULT '0/0', -- the largest copy point; 0/0: nothing is derived
  hold_lsn pg_lsn,                        -- apply no commit with LSN >= this
  hold_until timestamptz,                 -- from then on hold_lsn counts no more; NULL: it does
  -- = hold_lsn: every commit below it is applied, none at or above it, and none below it is to come
  held_at pg_lsn,
  doing text NOT NULL DEFAULT '',         -- long work that a running replayer is at
  commit_time timestamptz,                -- the source's clock when covered_lsn was its newest
  source_owns boolean,                    -- its application does, from lsn on; NULL: OLD does
  transactions bigint NOT NULL DEFAULT 0, -- applied since the copy
  rows bigint NOT NULL DEFAULT 0,
  fingerprint text NOT NULL DEFAULT '',   -- of the compiled mapping
  parts text NOT NULL DEFAULT '',         -- fingerprint of each source table and mapping, one a line
  catalog text NOT NULL DEFAULT '',       -- the source's catalogue it was compiled against, JSON
  after_copy text NOT NULL DEFAULT '',    -- fingerprint of each step run after a copy, one a line
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
ALTER TABLE switchyard.stream ADD COLUMN IF NOT EXISTS parts text NOT NULL DEFAULT '';
ALTER TABLE switchyard.stream ADD COLUMN IF NOT EXISTS after_copy text NOT NULL DEFAULT '';
ALTER TABLE switchyard.stream ADD COLUMN IF NOT EXISTS held_at pg_lsn;
ALTER TABLE switchyard.stream ADD COLUMN IF NOT EXISTS hold_until timestamptz;
ALTER TABLE switchyard.stream ADD COLUMN IF NOT EXISTS doing text NOT NULL DEFAULT '';
ALTER TABLE switchyard.stream ADD COLUMN IF NOT EXISTS source_owns boolean;

-- One row per writer of a stream. The first statement of every transaction of ours that writes a
-- mapped table, a mirror or the id map sets xid to its own: nobody writes under an owner_epoch that
-- has passed, and whoever captures this database knows what is ours. Moved with ownership only.
CREATE TABLE IF NOT EXISTS switchyard.mark (
  migration text NOT NULL,
  stream text NOT NULL,
  writer text NOT NULL,
  owner_epoch bigint NOT NULL,
  xid bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (migration, stream, writer)
) WITH (fillfactor = 50);

-- Which side of a migration the application may write to: this row decides (OLD's is old_side). The
-- functions of the fence obey it, and every driver of a cutover takes the next epoch here first.
CREATE TABLE IF NOT EXISTS switchyard.ownership (
  migration text PRIMARY KEY,
  owner text NOT NULL CHECK (owner IN ('old', 'new')),
  epoch bigint NOT NULL,                -- of the driver that acts, or acted last
  owner_epoch bigint NOT NULL,          -- of the driver that made this side the owner
  driver text NOT NULL DEFAULT '',      -- who took `epoch`, for people
  driver_since timestamptz NOT NULL DEFAULT clock_timestamp(),
  at_work boolean NOT NULL DEFAULT false,  -- since then, until it says that it rests
  -- The last change of owner: where in both logs, and on which servers and timelines.
  old_lsn pg_lsn NOT NULL DEFAULT '0/0',
  new_lsn pg_lsn NOT NULL DEFAULT '0/0',
  old_system text NOT NULL DEFAULT '',
  old_timeline bigint NOT NULL DEFAULT 0,
  new_system text NOT NULL DEFAULT '',
  new_timeline bigint NOT NULL DEFAULT 0,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What drivers of a cutover do, each step before it is done. Never changed but to say how it ended.
CREATE TABLE IF NOT EXISTS switchyard.journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  migration text NOT NULL,
  epoch bigint NOT NULL,                -- of the driver
  step text NOT NULL,
  operator text NOT NULL,
  figures text NOT NULL DEFAULT '',     -- key=value; no row values
  predicted interval,                   -- how long it was said to take; NULL: nothing was said
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,                 -- NULL: it is not known how it ended
  outcome text NOT NULL DEFAULT ''      -- done, or what went wrong
);
CREATE INDEX IF NOT EXISTS journal_of_epoch ON switchyard.journal (migration, epoch, id);

-- Who is at a cutover, for whoever else would be. A courtesy: what protects data is ownership.epoch.
CREATE TABLE IF NOT EXISTS switchyard.lease (
  migration text PRIMARY KEY,
  holder text NOT NULL,                 -- who, where, doing what
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  released_at timestamptz,              -- NULL: held, or its session died
  abort_epoch bigint NOT NULL DEFAULT 0,  -- the driver of this epoch, or of an older one, is to undo
  abort_by text NOT NULL DEFAULT '',
  abort_at timestamptz
);

-- The last Relation event of each table, so that reading can begin anywhere in the log.
CREATE TABLE IF NOT EXISTS switchyard.relation (
  stream text NOT NULL,
  relation_id oid NOT NULL,
  definition bytea NOT NULL,  -- switchyard.event.v1.Relation
  PRIMARY KEY (stream, relation_id)
);

-- Progress of the copy, one row per table (per leaf of a partitioned one).
CREATE TABLE IF NOT EXISTS switchyard.copy (
  stream text NOT NULL,
  relation_id oid NOT NULL,
  table_name text NOT NULL,
  generation bigint NOT NULL,
  lsn pg_lsn NOT NULL,
  done boolean NOT NULL DEFAULT false,
  rows bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  rows_estimate bigint NOT NULL DEFAULT -1,
  bytes_estimate bigint NOT NULL DEFAULT -1,
  started_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  gone boolean NOT NULL DEFAULT false,  -- a partition that a newer copy of its table did not find
  copied_at timestamptz,                -- the source's clock at lsn
  worked interval NOT NULL DEFAULT '0', -- for how long rows of it were being loaded
  worked_until timestamptz,             -- which is counted up to here
  PRIMARY KEY (stream, relation_id)
);
ALTER TABLE switchyard.copy ADD COLUMN IF NOT EXISTS gone boolean NOT NULL DEFAULT false;
ALTER TABLE switchyard.copy ADD COLUMN IF NOT EXISTS copied_at timestamptz;
ALTER TABLE switchyard.copy ADD COLUMN IF NOT EXISTS worked interval NOT NULL DEFAULT '0';
ALTER TABLE switchyard.copy ADD COLUMN IF NOT EXISTS worked_until timestamptz;

-- Chunk k of the copy topic belongs to lane k modulo the number of lanes; those of this lane with an
-- offset below next_offset are loaded. Only while the initial copy is under way.
CREATE TABLE IF NOT EXISTS switchyard.copy_lane (
  stream text NOT NULL,
  lane int NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (stream, lane)
) WITH (fillfactor = 50);

-- Rows that this database refused. `scope` is the key of the source row (row-local mappings) or
-- the scope that could not be recomputed (keyed ones), as a JSON object of text values; `before`
-- the key under which this database still has the row, NULL if it has none. A row that is to be
-- deleted has no key on the source any more: its `scope` is `before`, which another row may have
-- taken. `image` is the folded state to apply: the source columns known; NULL for keyed mappings
-- and deletes.
CREATE TABLE IF NOT EXISTS switchyard.quarantine (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  target text NOT NULL,       -- schema.name, with "where" and what `owns` says, if anything
  scope jsonb NOT NULL,
  before jsonb,               -- key before the change; of a patched scope its rows before, an array
  operation text NOT NULL,    -- insert, update, delete, recompute
  image jsonb,                -- the row; of a patched scope its rows as they are to be, an array
  lsn pg_lsn NOT NULL,        -- of the newest change folded in
  sqlstate text NOT NULL,
  error text NOT NULL,
  events bigint NOT NULL DEFAULT 1,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  detail text NOT NULL DEFAULT '', -- Postgres' own; may quote the row
  there jsonb                      -- of a patched scope: what the target has instead, an array
);
ALTER TABLE switchyard.quarantine ADD COLUMN IF NOT EXISTS detail text NOT NULL DEFAULT '';
ALTER TABLE switchyard.quarantine ADD COLUMN IF NOT EXISTS there jsonb;
ALTER TABLE switchyard.quarantine DROP CONSTRAINT IF EXISTS quarantine_stream_target_scope_key;
-- By a hash: a key may be larger than an index takes.
DROP INDEX IF EXISTS switchyard.quarantine_scope;
CREATE UNIQUE INDEX IF NOT EXISTS quarantine_row ON switchyard.quarantine
  (stream, target, jsonb_hash_extended(scope, 0), jsonb_hash_extended(scope, 1),
   (operation = 'delete'));

-- Rows of a source table that were to be changed or deleted in `target` (a table of this database
-- or of the mirror) and were not there. Until the table is copied again.
CREATE TABLE IF NOT EXISTS switchyard.missed_rows (
  stream text NOT NULL,
  source text NOT NULL,       -- schema.name there
  target text NOT NULL,       -- schema.name here
  rows bigint NOT NULL,
  first_lsn pg_lsn NOT NULL,  -- the commit, or the first of those applied together
  last_lsn pg_lsn NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stream, source, target)
);

-- Rows of the source that somebody changed while that side did not own them. The mirror has taken
-- the change; what is computed of it was withheld, until a person says which side is right.
CREATE TABLE IF NOT EXISTS switchyard.breach (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  lsn pg_lsn NOT NULL,        -- the commit, or the last of those that were read together
  source text NOT NULL,       -- schema.name there
  operation text NOT NULL,    -- insert, update, delete, truncate
  key jsonb,                  -- under which the row was known; of an insert, is
  before jsonb,               -- as the mirror had it; NULL where there is none
  after jsonb,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  state text NOT NULL DEFAULT 'open',  -- open, applied, undone
  closed_at timestamptz
);
CREATE INDEX IF NOT EXISTS breach_open ON switchyard.breach (stream, id) WHERE state = 'open';

-- The last pass that compared both databases. One that was cut short is gone on with.
CREATE TABLE IF NOT EXISTS switchyard.parity_pass (
  stream text PRIMARY KEY,
  pass bigint NOT NULL,                  -- counts them
  fingerprint text NOT NULL,             -- of the mapping
  tables int NOT NULL,                   -- that it compares
  begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,               -- NULL: under way, or cut short
  verdict text NOT NULL DEFAULT '',      -- clean, different, inconclusive
  reason text NOT NULL DEFAULT ''        -- of inconclusive
);

-- What the last comparison of each table found: as of lsn both sides showed the same moment.
CREATE TABLE IF NOT EXISTS switchyard.parity_table (
  stream text NOT NULL,
  table_name text NOT NULL,              -- schema.name here
  owns text NOT NULL,                    -- which of its rows; '': all
  pass bigint NOT NULL,
  fingerprint text NOT NULL,
  sources text[] NOT NULL,               -- schema.name of the tables of the source it was held against
  lsn pg_lsn NOT NULL,
  verdict text NOT NULL,
  reason text NOT NULL,
  rows bigint NOT NULL,                  -- compared
  missing bigint NOT NULL,
  different bigint NOT NULL,
  extra bigint NOT NULL,
  compared_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stream, table_name, owns)
);

-- The rows that it found: texts by column, as they should be and as they are.
CREATE TABLE IF NOT EXISTS switchyard.parity_difference (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  table_name text NOT NULL,
  owns text NOT NULL,
  kind text NOT NULL,                    -- missing, different, extra
  key jsonb NOT NULL,
  expected jsonb,
  actual jsonb
);
CREATE INDEX IF NOT EXISTS parity_difference_table ON switchyard.parity_difference
  (stream, table_name, owns);

-- What `switchyard check --rehearse` found last, for each mapping it was tried on.
CREATE TABLE IF NOT EXISTS switchyard.rehearsal (
  stream text NOT NULL,
  fingerprint text NOT NULL,  -- of the compiled mapping
  verdict text NOT NULL,      -- clean, faults, inconclusive
  batches bigint NOT NULL,    -- applied and compared
  faults bigint NOT NULL,
  seed bigint NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (stream, fingerprint)
);

-- What people ask of the running roles.
CREATE TABLE IF NOT EXISTS switchyard.request (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  kind text NOT NULL,         -- recopy, quarantine_retry, breach_apply, resume; in_doubt: a table to be copied
  argument text NOT NULL DEFAULT '',
  state text NOT NULL DEFAULT 'open',  -- open, done, failed
  result text NOT NULL DEFAULT '',
  -- Where the stream stood: a re-copy is rolled forward from there, so the log is kept that far.
  epoch bigint NOT NULL DEFAULT 0,
  lsn pg_lsn NOT NULL DEFAULT '0/0',
  log_offset bigint NOT NULL DEFAULT 0,
  source_lsn pg_lsn NOT NULL DEFAULT '0/0',  -- a copy as of an earlier point does not answer it
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  copied_lsn pg_lsn           -- of a re-copy that is done: the table was swapped in as of this point
);
ALTER TABLE switchyard.request ADD COLUMN IF NOT EXISTS source_lsn pg_lsn NOT NULL DEFAULT '0/0';
ALTER TABLE switchyard.request ADD COLUMN IF NOT EXISTS copied_lsn pg_lsn;

-- A replayer waits for what is asked of it, and for holds that come and go, by LISTEN.
CREATE OR REPLACE FUNCTION switchyard.notify_roles() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM pg_notify('switchyard_request', to_jsonb(NEW) ->> TG_ARGV[0]);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER asked AFTER INSERT ON switchyard.request
  FOR EACH ROW EXECUTE FUNCTION switchyard.notify_roles('stream');
CREATE OR REPLACE TRIGGER held AFTER UPDATE OF hold_lsn ON switchyard.stream
  FOR EACH ROW WHEN (OLD.hold_lsn IS DISTINCT FROM NEW.hold_lsn)
  EXECUTE FUNCTION switchyard.notify_roles('name');

-- Ids that can't be computed, kept for ever, both ways.
CREATE TABLE IF NOT EXISTS switchyard.id_map (
  kind text NOT NULL,
  old_id text NOT NULL,
  new_id uuid NOT NULL,
  main boolean NOT NULL DEFAULT true,  -- of several old ids with this new one, it stands for this
  by text NOT NULL DEFAULT 'forward',  -- the direction that allotted: forward, reverse
  PRIMARY KEY (kind, old_id)
);
ALTER TABLE switchyard.id_map ADD COLUMN IF NOT EXISTS by text NOT NULL DEFAULT 'forward';
ALTER TABLE switchyard.id_map ADD COLUMN IF NOT EXISTS main boolean NOT NULL DEFAULT true;
CREATE INDEX IF NOT EXISTS id_map_new_id ON switchyard.id_map (kind, new_id);
CREATE UNIQUE INDEX IF NOT EXISTS id_map_main ON switchyard.id_map (kind, new_id) WHERE main;

-- A name-based UUID (version 8): SHA-256 over the length-prefixed kind and the key, in a database
-- whose encoding is UTF8. The same key gives the same id on every server and in any order of
-- arrival. One expression of immutable parts only, so that Postgres can inline it (a third of the
-- time); the cast to bytea reads backslashes as escapes, hence the doubling.
CREATE OR REPLACE FUNCTION switchyard.uuid_of(kind text, old_key text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN overlay(
  overlay(
    left(encode(sha256(replace(octet_length(kind)::text || ':' || kind || old_key,
                               '\', '\\')::bytea), 'hex'), 32)
    PLACING '8' FROM 13)
  PLACING translate(
    substr(encode(sha256(replace(octet_length(kind)::text || ':' || kind || old_key,
                                 '\', '\\')::bytea), 'hex'), 17, 1),
    '0123456789abcdef', '89ab89ab89ab89ab') FROM 17)::uuid;
