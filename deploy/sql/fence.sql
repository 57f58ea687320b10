-- The fence: on every mapped table triggers that let no write of the application pass while the other
-- side owns. All of it belongs to the owner of the tables, who runs this; of what runs as the owner,
-- the roles of Switchyard are granted fence_lock, fence_close, fence_open and fence_rest only.
--
-- What a migration has here: function fence_M, which decides; sequence fence_refused_M, which counts
-- what it refused; and on each table _switchyard_fence_M_row (every row that is written, by whatever
-- way) and _switchyard_fence_M (TRUNCATE; and other statements, where rows of a role in
-- session_replication_role = replica are not to pay). On the side that owns they are DISABLED.

-- The tables of a fence: those that have its trigger, and all of their partitions.
CREATE OR REPLACE FUNCTION switchyard.fence_tables(migration text) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fence$
  SELECT m.relation FROM pg_trigger t
  CROSS JOIN LATERAL (
    SELECT t.tgrelid UNION SELECT p.relid::oid FROM pg_partition_tree(t.tgrelid) p) AS m (relation)
  WHERE t.tgname = ('_switchyard_fence_' || $1)::name
  GROUP BY 1 ORDER BY 1
$fence$;

-- What decides, of which the first line says: whether it is open, since which epoch, for which roles.
CREATE OR REPLACE FUNCTION switchyard.fence_state(migration text, OUT open boolean, OUT epoch bigint,
                                                  OUT passes text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fence$
  SELECT line[1] = 'open', line[2]::bigint, line[3] FROM pg_proc p
  CROSS JOIN LATERAL regexp_match(p.prosrc, '^-- (open|closed) ([0-9]+) ([^\n]*)') AS line
  WHERE p.proname = ('fence_' || $1)::name AND p.pronargs = 0
    AND p.pronamespace = 'switchyard'::regnamespace
$fence$;

-- It is replaced by one that says otherwise. `passes`: an array of roles; they pass in a transaction
-- that carries a mark of this epoch. `told`: where the data lives now. It is called under the path of
-- whoever writes, so it names all it uses with its schema; it goes by session_user, as every caller's
-- current_user is the owner there.
CREATE OR REPLACE FUNCTION switchyard.fence_decide(migration text, open boolean, epoch bigint,
                                                   passes text, told text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  pass constant text := $pass$IF TG_LEVEL OPERATOR(pg_catalog.=) 'STATEMENT' THEN
    RETURN NULL;
  ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
    RETURN OLD;
  END IF;
  RETURN NEW;$pass$;
  body text;
BEGIN
  IF open THEN
    body := format(E'-- open %s %s\nBEGIN\n  %s\nEND', epoch, passes, pass);
  ELSE
    body := format($body$-- closed %1$s %2$s
BEGIN
  IF NOT (session_user OPERATOR(pg_catalog.=) ANY (%2$L::pg_catalog.name[]) AND EXISTS (
      SELECT FROM switchyard.mark m WHERE m.migration OPERATOR(pg_catalog.=) %3$L::pg_catalog.text
      AND m.owner_epoch OPERATOR(pg_catalog.=) %1$s::pg_catalog.int8
      AND m.xid OPERATOR(pg_catalog.=) pg_catalog.txid_current())) THEN
    PERFORM pg_catalog.nextval(%5$L);
    RAISE EXCEPTION USING ERRCODE = 'SY001',
      MESSAGE = pg_catalog.format('table %%I.%%I may not be written: %%s',
                                  TG_TABLE_SCHEMA, TG_TABLE_NAME, %6$L::pg_catalog.text),
      HINT = %7$L;
  END IF;
  %4$s
END$body$, epoch, passes, migration, pass, format('switchyard.%I', 'fence_refused_' || migration),
      told, format('Switchyard, migration %s, epoch %s. Connect again; nothing of this transaction '
                   'was written.', migration, epoch));
  END IF;
  EXECUTE format('CREATE OR REPLACE FUNCTION switchyard.%I() RETURNS trigger LANGUAGE plpgsql '
                 'SECURITY DEFINER AS %L', 'fence_' || migration, body);
END
$fence$;

-- One table and its partitions get what they lack, DISABLED. Waits for their writers: to be called in
-- a transaction of its own for each, under a lock_timeout, as an application that takes its locks in
-- another order dies of a deadlock otherwise.
CREATE OR REPLACE FUNCTION switchyard.fence_table(migration text, root oid, statements boolean)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  by_statement constant name := '_switchyard_fence_' || migration;
  by_row constant name := by_statement || '_row';
  -- Before Postgres 13 a partitioned table has no such trigger: each of its partitions has its own.
  rows_of constant text := CASE WHEN current_setting('server_version_num')::int < 130000
                                THEN 'r' ELSE 'rp' END;
  part record;
BEGIN
  FOR part IN
    SELECT c.oid, c.relkind, c.oid::regclass AS known FROM (
      SELECT root UNION SELECT p.relid::oid FROM pg_partition_tree(root) p) AS m (oid)
    JOIN pg_class c ON c.oid = m.oid ORDER BY c.oid <> root, c.oid
  LOOP
    -- A partition has that of its root by now.
    IF strpos(rows_of, part.relkind::text) > 0 AND
       NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = part.oid AND tgname = by_row) THEN
      EXECUTE format('CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
                     'EXECUTE FUNCTION switchyard.%I()', by_row, part.known, 'fence_' || migration);
      PERFORM switchyard.fence_enable(migration, part.oid, 'D', 'D');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = part.oid AND tgname = by_statement) THEN
      EXECUTE format('CREATE TRIGGER %I BEFORE %s ON %s FOR EACH STATEMENT '
                     'EXECUTE FUNCTION switchyard.%I()', by_statement,
                     CASE WHEN statements THEN 'INSERT OR UPDATE OR DELETE OR ' ELSE '' END ||
                     'TRUNCATE', part.known, 'fence_' || migration);
      PERFORM switchyard.fence_enable(migration, part.oid, 'D', 'D');
    END IF;
  END LOOP;
  -- Sequences of its columns are read, and set ahead of those of the other side.
  FOR part IN
    SELECT d.objid::regclass AS known, passing.role FROM (
      SELECT root UNION SELECT p.relid::oid FROM pg_partition_tree(root) p) AS m (oid)
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = m.oid
      AND d.refobjsubid > 0 AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    CROSS JOIN (SELECT unnest(s.passes::name[]) FROM switchyard.fence_state(migration) s)
      AS passing (role)
  LOOP
    EXECUTE format('GRANT SELECT, UPDATE ON SEQUENCE %s TO %I', part.known, part.role);
  END LOOP;
END
$fence$;

-- Sets the triggers of one table to what pg_trigger.tgenabled says of them: A (always), O (not for
-- session_replication_role = replica) or D (disabled).
CREATE OR REPLACE FUNCTION switchyard.fence_enable(migration text, relation oid, by_row "char",
                                                   by_statement "char")
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  changes text;
BEGIN
  SELECT string_agg(format('%s TRIGGER %I', CASE wanted WHEN 'A' THEN 'ENABLE ALWAYS'
                           WHEN 'O' THEN 'ENABLE' ELSE 'DISABLE' END, tgname), ', ')
  INTO changes FROM (
    SELECT tgname, tgenabled, CASE WHEN tgtype & 1 = 1 THEN by_row ELSE by_statement END AS wanted
    FROM pg_trigger WHERE tgrelid = relation AND tgname IN (
      ('_switchyard_fence_' || migration)::name, ('_switchyard_fence_' || migration || '_row')::name)
  ) AS t WHERE tgenabled <> wanted;
  IF changes IS NOT NULL THEN
    EXECUTE format('ALTER TABLE %s %s', relation::regclass, changes);
  END IF;
END
$fence$;

-- The owner's part: to begin with, and again whenever a role is added. `passes`: roles by which
-- Switchyard writes here, beside those that it knows already.
CREATE OR REPLACE FUNCTION switchyard.fence_begin(migration text, passes text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  was record;
BEGIN
  EXECUTE format('CREATE SEQUENCE IF NOT EXISTS switchyard.%I MINVALUE 0 START 0',
                 'fence_refused_' || migration);
  SELECT * INTO was FROM switchyard.fence_state(migration);
  IF passes <@ coalesce(was.passes, '{}')::text[] THEN
    RETURN;
  ELSIF NOT was.open THEN
    RAISE EXCEPTION 'the fence of migration % is closed: to its roles % none of % can be added now',
      migration, was.passes, passes;
  END IF;
  SELECT array_agg(DISTINCT role) INTO passes
  FROM unnest(passes || coalesce(was.passes, '{}')::text[]) AS roles (role);
  PERFORM switchyard.fence_decide(migration, true, coalesce(was.epoch, 0), passes::text, '');
END
$fence$;

-- Removes all of it. Waits for the writers of every table, one after another: "canceling statement due
-- to lock timeout" means that nothing has changed; run it again.
CREATE OR REPLACE FUNCTION switchyard.fence_remove(migration text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $fence$
BEGIN
  EXECUTE format('DROP FUNCTION IF EXISTS switchyard.%I() CASCADE', 'fence_' || migration);
  EXECUTE format('DROP SEQUENCE IF EXISTS switchyard.%I', 'fence_refused_' || migration);
END
$fence$;

-- From here on what roles of Switchyard may call. It runs as the owner of the tables.

-- The provisional fence: until the transaction ends nobody writes any of the tables, and whoever did
-- has ended. How many there are; those that are made meanwhile are among them.
CREATE OR REPLACE FUNCTION switchyard.fence_lock(migration text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  locked oid[] := '{}';
  wanted oid[];
BEGIN
  LOOP
    SELECT array_agg(relation) INTO wanted FROM switchyard.fence_tables(migration) AS f (relation)
    WHERE relation <> ALL (locked);
    EXIT WHEN wanted IS NULL;
    EXECUTE (SELECT 'LOCK TABLE ONLY ' || string_agg(c.oid::regclass::text, ', ONLY ' ORDER BY c.oid)
                    || ' IN SHARE ROW EXCLUSIVE MODE' FROM pg_class c WHERE c.oid = ANY (wanted));
    locked := locked || wanted;
  END LOOP;
  RETURN cardinality(locked);
END
$fence$;

-- The permanent fence, in the transaction that holds the locks and has moved the row that decides.
-- How many tables it is on.
CREATE OR REPLACE FUNCTION switchyard.fence_close(migration text, epoch bigint, told text)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fence$
#variable_conflict use_variable
DECLARE
  was record;
  statements boolean;
  part record;
  tables bigint := 0;
BEGIN
  SELECT * INTO was FROM switchyard.fence_state(migration);
  IF was.open IS NULL OR was.epoch > epoch THEN
    RAISE EXCEPTION USING ERRCODE = 'SY002', MESSAGE = format(
      'the fence of migration %s stands under epoch %s, not before %s', migration, was.epoch, epoch);
  END IF;
  SELECT bool_or(t.tgtype & 4 = 4) INTO statements FROM pg_trigger t
  WHERE t.tgname = ('_switchyard_fence_' || migration)::name;
  FOR part IN
    SELECT f.relation, count(t.oid) AS triggers, c.relkind
    FROM switchyard.fence_tables(migration) AS f (relation)
    JOIN pg_class c ON c.oid = f.relation
    LEFT JOIN pg_trigger t ON t.tgrelid = f.relation AND t.tgname IN (
      ('_switchyard_fence_' || migration)::name, ('_switchyard_fence_' || migration || '_row')::name)
    GROUP BY f.relation, c.relkind ORDER BY f.relation
  LOOP
    IF part.triggers < 2 THEN  -- a partition that was made since
      PERFORM switchyard.fence_table(migration, part.relation, statements);
    END IF;
    PERFORM switchyard.fence_enable(migration, part.relation, 'A', 'A');
    tables := tables + 1;
  END LOOP;
  PERFORM switchyard.fence_decide(migration, false, epoch, was.passes, told);
  RETURN tables;
END
$fence$;

-- Opens the side, in the transaction that has moved the row that decides. No table is waited for.
CREATE OR REPLACE FUNCTION switchyard.fence_open(migration text, epoch bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fence$
#variable_conflict use_variable
DECLARE
  was record;
BEGIN
  SELECT * INTO was FROM switchyard.fence_state(migration);
  IF was.open IS NULL OR was.epoch > epoch THEN
    RAISE EXCEPTION USING ERRCODE = 'SY002', MESSAGE = format(
      'the fence of migration %s stands under epoch %s, not before %s', migration, was.epoch, epoch);
  END IF;
  PERFORM switchyard.fence_decide(migration, true, epoch, was.passes, '');
END
$fence$;

-- Takes what costs off one table of a side: all, of the side that is open; of a closed one the
-- triggers of rows from those who write in session_replication_role = replica, where statements have
-- theirs. Waits for the table's writers: under a short lock_timeout.
CREATE OR REPLACE FUNCTION switchyard.fence_rest(migration text, relation oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $fence$
DECLARE
  was record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = relation
                 AND t.tgname = ('_switchyard_fence_' || migration)::name) THEN
    RETURN;
  END IF;
  EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', relation::regclass);
  -- Whoever closes the side holds that lock until it is closed.
  SELECT * INTO was FROM switchyard.fence_state(migration);
  IF was.open THEN
    PERFORM switchyard.fence_enable(migration, relation, 'D', 'D');
  ELSIF (SELECT bool_and(t.tgtype & 28 = 28) FROM pg_trigger t WHERE t.tgrelid = relation
         AND t.tgname = ('_switchyard_fence_' || migration)::name) THEN
    PERFORM switchyard.fence_enable(migration, relation, 'O', 'A');
  END IF;
END
$fence$;

REVOKE EXECUTE ON FUNCTION switchyard.fence_lock(text), switchyard.fence_close(text, bigint, text),
  switchyard.fence_open(text, bigint), switchyard.fence_rest(text, oid) FROM PUBLIC;
