#include "capture/source/source_setup.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "capture/source/failover.h"
#include "capture/source/mark_publication.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/role_sql.h"
#include "common/pg/server_version.h"
#include "common/records/cutover/fence_sql.h"
#include "common/records/cutover/ownership.h"
#include "common/records/mark.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_messages.h"
#include "common/records/source/capture_requests.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/capture_suspects.h"
#include "common/records/source/captured_tables.h"
#include "deploy/sql/source.sql.h"
#include "deploy/sql/source_before_14.sql.h"

namespace switchyard::capture {
namespace {

using catalog::Table;

constexpr int kVersionMin = 120000;  // pg_partition_root, generated columns

constexpr const char* kTables[] = {records::CaptureStreams::kTable, records::CapturedTables::kTable,
                                   records::CaptureCopies::kTable, records::CaptureSuspects::kTable,
                                   records::CaptureRequests::kTable};

bool HasMessageTable(int server_version) { return server_version < pg::kSendsMessages; }

// Of schema switchyard.
std::vector<std::string> OwnTables(int server_version) {
  std::vector<std::string> tables(std::begin(kTables), std::end(kTables));
  if (HasMessageTable(server_version)) tables.emplace_back(records::kMessageTableName);
  return tables;
}

// The table to name in GRANT-like statements about publishing: a leaf is published by its root,
// where a root can be.
const Table& Published(const catalog::Catalog& catalog, const Table& table) {
  if (catalog.server_version < pg::kPublishesRoots) return table;
  const Table* root = table.root_oid == 0 ? nullptr : catalog.FindOid(table.root_oid);
  return root == nullptr ? table : *root;
}

bool IsSystemTable(const Table& table) {
  return table.schema == "pg_catalog" || table.schema == "information_schema";
}

// Tables that hold rows and can be published: neither the partitioned ones nor views.
std::vector<const Table*> RowTables(const catalog::Catalog& catalog) {
  std::vector<const Table*> tables;
  for (const Table& table : catalog.tables) {
    if (table.kind == 'r' && !IsSystemTable(table)) tables.push_back(&table);
  }
  return tables;
}

std::string TableList(const std::vector<const Table*>& tables) {
  std::vector<std::string> names;
  names.reserve(tables.size());
  for (const Table* table : tables) names.push_back(table->Quoted());
  return absl::StrJoin(names, ",\n  ");
}

std::string MarkName() { return absl::StrCat(records::kMarkSchema, ".", records::kMarkTable); }

// Of the source: what says who owns it.
std::string SideName(const records::Stream& stream) {
  return absl::StrCat(records::kMarkSchema, ".", stream.side_table);
}

// What the publication names.
std::string PublishedList(const records::Stream& stream, const catalog::Catalog& catalog) {
  std::set<uint32_t> seen;
  std::vector<const Table*> tables;
  for (const Table& table : catalog.tables) {
    const Table& published = Published(catalog, table);
    const bool roots = catalog.server_version >= pg::kPublishesRoots;
    const bool may = published.kind == 'r' || (published.kind == 'p' && roots);
    if (may && !IsSystemTable(published) && seen.insert(published.oid).second)
      tables.push_back(&published);
  }
  std::string list = TableList(tables);
  absl::StrAppend(&list, list.empty() ? "" : ",\n  ", MarkName(), ",\n  ", SideName(stream));
  if (HasMessageTable(catalog.server_version))
    absl::StrAppend(&list, ",\n  ", records::kMessageTable);
  return list;
}

SourceFault IdentityFault(const Table& table) {
  const bool deferrable = table.replica_identity == 'd' && !table.primary_key.empty();
  const char* why = table.replica_identity == 'n'   ? "replica identity NOTHING"
                    : table.replica_identity == 'i' ? "a replica identity index that is gone"
                    : deferrable                    ? "a primary key that is deferrable"
                                                    : "no primary key and no replica identity";
  return {table.oid,
          {absl::StrFormat("table %s has %s: once it is published, its UPDATEs and DELETEs fail on "
                           "the source",
                           table.Display(), why),
           deferrable
               ? "drop it and add it again as NOT DEFERRABLE"
               : absl::StrFormat("add a primary key, or run: ALTER TABLE %s REPLICA IDENTITY FULL;",
                                 table.Quoted())}};
}

void CheckTable(const Table& table, std::vector<SourceFault>* faults) {
  if (table.kind != 'r' && table.kind != 'p') {
    const char* kind = table.kind == 'v'   ? "a view"
                       : table.kind == 'm' ? "a materialized view"
                                           : "a foreign table";
    faults->push_back({table.oid,
                       {absl::StrFormat("%s is %s: changes of it are not in the write-ahead log",
                                        table.Display(), kind),
                        "map the tables it is made of"}});
    return;
  }
  if (table.kind == 'p') return;  // only its leaves hold rows
  if (IsSystemTable(table)) {
    faults->push_back(
        {table.oid,
         {absl::StrFormat("%s is a system table: it can't be published", table.Display()),
          "take it out of the migration file"}});
    return;
  }
  if (table.persistence != 'p') {
    faults->push_back(
        {table.oid,
         {absl::StrFormat("table %s is %s: its changes are not in the write-ahead log",
                          table.Display(), table.persistence == 'u' ? "unlogged" : "temporary"),
          absl::StrFormat("run: ALTER TABLE %s SET LOGGED;", table.Quoted())}});
  }
  if (table.inherited_from) {
    faults->push_back({table.oid,
                       {absl::StrFormat("table %s has children by INHERITS: their rows show in "
                                        "queries of it, but are not its own",
                                        table.Display()),
                        "map the tables that hold the rows: each child as a table of its own, and "
                        "the parent not at all (move its own rows, if any, into a child first); or "
                        "make them partitions of it"}});
  }
  if (table.replica_identity != 'f' && table.identity_columns.empty()) {
    faults->push_back(IdentityFault(table));
  }
}

// Verifies one source; collects the faults.
class Verifier {
 public:
  Verifier(pg::Session& session, const SourceOptions& options, const catalog::Catalog& catalog,
           std::vector<SourceFault>* faults)
      : session_(session), options_(options), catalog_(catalog), faults_(faults) {}

  absl::Status CheckServer(bool slot_exists);
  absl::Status CheckOwnTables();
  absl::Status CheckPublication();
  absl::Status CheckPublishedTables();
  absl::Status CheckMessageTable(const std::set<int64_t>& published);
  absl::Status CheckTableRights();
  absl::Status CheckLargeObjects();

 private:
  void Add(std::string problem, std::string remedy, uint32_t relation_id = 0) {
    faults_->push_back({relation_id, {std::move(problem), std::move(remedy)}, relation_id != 0});
  }

  pg::Session& session_;
  const SourceOptions& options_;
  const catalog::Catalog& catalog_;
  std::vector<SourceFault>* const faults_;
  std::string role_;  // quoted
};

absl::Status Verifier::CheckServer(bool slot_exists) {
  ASSIGN_OR_RETURN(const pg::Result row, session_.Query(R"(
    SELECT current_user, r.rolreplication OR r.rolsuper, pg_is_in_recovery(),
           current_setting('wal_level'), pg_encoding_to_char(d.encoding),
           current_setting('max_replication_slots')::int
             - (SELECT count(*) FROM pg_replication_slots),
           current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)
    FROM pg_roles r, pg_database d
    WHERE r.rolname = current_user AND d.datname = current_database())"));
  role_ = QuoteIdentifier(row.text(0, 0));
  if (session_.server_version() < kVersionMin) {
    Add(absl::StrFormat("the source is PostgreSQL %d; capture needs 12 or newer",
                        session_.server_version() / 10000),
        "upgrade the source");
  }
  if (options_.failover && session_.server_version() < pg::kFailoverSlots) {
    Add(absl::StrFormat("the migration file has capture.failover, and the source is PostgreSQL %d: "
                        "before 17 no standby keeps a slot",
                        session_.server_version() / 10000),
        "take failover: true out of the migration file; after a promotion everything is copied "
        "again");
  }
  if (!row.boolean(0, 1)) {
    Add(absl::StrFormat("role %s may not replicate", role_),
        absl::StrFormat("ALTER ROLE %s REPLICATION;", role_));
  }
  if (row.boolean(0, 2)) {
    Add("the source is a standby", "connect to its primary");
  }
  if (row.text(0, 3) != "logical") {
    Add(absl::StrFormat("wal_level is %s; capture needs logical", row.text(0, 3)),
        "ALTER SYSTEM SET wal_level = 'logical'; then restart the server");
  }
  if (row.text(0, 4) == "SQL_ASCII") {
    Add("the database's encoding is SQL_ASCII: what its bytes mean is not known",
        "dump it and restore it into a database with an encoding, UTF8 for one");
  }
  // A stream under way has what it needs, and waits where a sender that is gone is not yet
  // forgotten.
  if (slot_exists) return absl::OkStatus();
  // One for the short-lived slot of a copy, and a sender for each.
  if (row.i64(0, 5) < 2) {
    Add(absl::StrFormat("%d replication slots are free; capture needs 2", row.i64(0, 5)),
        "raise max_replication_slots and restart the server, or drop slots nobody uses");
  }
  if (row.i64(0, 6) < 2) {
    Add(absl::StrFormat("%d of max_wal_senders are free; capture needs 2", row.i64(0, 6)),
        "raise max_wal_senders and restart the server");
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckOwnTables() {
  ASSIGN_OR_RETURN(const pg::Result rows, session_.Query(R"(
    SELECT c.relname,
           has_schema_privilege(s.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
             AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
             AND has_table_privilege(c.oid, 'DELETE')
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = 'switchyard' AND c.relname LIKE 'capture_%' AND c.relkind = 'r')"));
  std::set<std::string, std::less<>> there;
  std::vector<std::string> closed;
  for (int i = 0; i < rows.rows(); ++i) {
    there.insert(rows.str(i, 0));
    if (!rows.boolean(i, 1)) closed.push_back("switchyard." + rows.str(i, 0));
  }
  std::vector<std::string> missing;
  for (const std::string& table : OwnTables(session_.server_version())) {
    if (!there.contains(table)) missing.push_back("switchyard." + table);
  }
  if (!missing.empty()) {
    Add(absl::StrFormat("the source has no %s", absl::StrJoin(missing, ", ")),
        "run, as its owner, what `switchyard check --print-setup FILE` prints");
  }
  if (!closed.empty()) {
    Add(absl::StrFormat("role %s may not use %s", role_, absl::StrJoin(closed, ", ")),
        absl::StrFormat("GRANT USAGE ON SCHEMA switchyard TO %1$s; GRANT SELECT, INSERT, UPDATE, "
                        "DELETE ON %2$s TO %1$s;",
                        role_, absl::StrJoin(closed, ", ")));
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckPublication() {
  const std::string name = QuoteIdentifier(options_.stream.publication);
  const int version = session_.server_version();
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session_.Query(absl::StrFormat(R"(
    SELECT puballtables, %s, %s
    FROM pg_publication WHERE pubname = $1)",
                                     version >= pg::kPublishesRoots ? "pubviaroot" : "false",
                                     version >= 180000 ? "pubgencols <> 'n'" : "false"),
                     {options_.stream.publication}));
  if (row.rows() == 0) {
    Add(absl::StrFormat("there is no publication %s", name),
        options_.whole && !RowTables(catalog_).empty()
            ? absl::StrFormat("CREATE PUBLICATION %s FOR TABLE %s;", name,
                              PublishedList(options_.stream, catalog_))
            : "run, as its owner, what `switchyard check --print-setup FILE` prints");
    return absl::OkStatus();
  }
  if (row.boolean(0, 0)) {
    Add(absl::StrFormat("publication %s is FOR ALL TABLES: a table without a key could not be "
                        "updated any more",
                        name),
        absl::StrFormat("DROP PUBLICATION %s; and make it for the mapped tables only", name));
  }
  if (row.boolean(0, 1)) {
    Add(absl::StrFormat("publication %s publishes partitions as their root", name),
        absl::StrFormat("ALTER PUBLICATION %s SET (publish_via_partition_root = false);", name));
  }
  if (row.boolean(0, 2)) {
    Add(absl::StrFormat("publication %s publishes generated columns", name),
        absl::StrFormat("ALTER PUBLICATION %s SET (publish_generated_columns = none);", name));
  }
  return CheckPublishedTables();
}

absl::Status Verifier::CheckPublishedTables() {
  const std::string name = QuoteIdentifier(options_.stream.publication);
  const std::string narrowed =
      session_.server_version() >= 150000
          ? "EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid "
            "WHERE p.pubname = $1 AND (r.prrelid = t.relid OR r.prrelid IN "
            "(SELECT a.relid FROM pg_partition_ancestors(t.relid) a)) "
            "AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL))"
          : "false";
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session_.Query(
          absl::StrFormat("SELECT t.relid::oid, %s FROM pg_get_publication_tables($1) t", narrowed),
          {options_.stream.publication}));
  std::set<int64_t> published;
  std::set<int64_t> filtered;
  for (int i = 0; i < rows.rows(); ++i) {
    published.insert(rows.i64(i, 0));
    if (rows.boolean(i, 1)) filtered.insert(rows.i64(i, 0));
  }
  ASSIGN_OR_RETURN(const auto of_mark, FindMarkFaults(session_, options_.stream));
  faults_->insert(faults_->end(), of_mark.begin(), of_mark.end());
  if (HasMessageTable(session_.server_version())) {
    RETURN_IF_ERROR(CheckMessageTable(published));
  }
  for (const Table* table : RowTables(catalog_)) {
    const Table& named = Published(catalog_, *table);
    if (!published.contains(table->oid)) {
      Add(absl::StrFormat("publication %s lacks table %s", name, table->Display()),
          absl::StrFormat("ALTER PUBLICATION %s ADD TABLE %s;", name, named.Quoted()), table->oid);
    } else if (filtered.contains(table->oid)) {
      Add(absl::StrFormat("publication %s has a row filter or column list for %s", name,
                          table->Display()),
          absl::StrFormat("ALTER PUBLICATION %1$s DROP TABLE %2$s; ALTER PUBLICATION %1$s ADD "
                          "TABLE %2$s;  -- what was left out is lost: copy the table again",
                          name, named.Quoted()),
          table->oid);
    }
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckMessageTable(const std::set<int64_t>& published) {
  ASSIGN_OR_RETURN(const pg::Result row, session_.Query(R"(
    SELECT c.oid FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname || '.' || c.relname = $1)",
                                                        {records::kMessageTable}));
  if (row.rows() == 0 || published.contains(row.i64(0, 0))) return absl::OkStatus();
  const std::string name = QuoteIdentifier(options_.stream.publication);
  Add(absl::StrFormat("publication %s lacks table %s, by which a stream of an idle database goes "
                      "on before Postgres 14",
                      name, records::kMessageTable),
      absl::StrFormat("ALTER PUBLICATION %s ADD TABLE %s;", name, records::kMessageTable));
  return absl::OkStatus();
}

absl::Status Verifier::CheckTableRights() {
  std::vector<uint32_t> oids;
  for (const Table* table : RowTables(catalog_)) oids.push_back(table->oid);
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session_.Query(R"(
    SELECT c.oid, has_schema_privilege(s.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT'),
           row_security_active(c.oid), quote_ident(s.nspname)
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE c.oid = ANY($1::oid[]) ORDER BY s.nspname, c.relname)",
                                  {absl::StrCat("{", absl::StrJoin(oids, ","), "}")}));
  std::set<std::string> schemas;
  for (int i = 0; i < rows.rows(); ++i) {
    const Table& table = *catalog_.FindOid(static_cast<uint32_t>(rows.i64(i, 0)));
    if (!rows.boolean(i, 1) && schemas.insert(rows.str(i, 4)).second) {
      Add(absl::StrFormat("role %s may not use schema %s", role_, rows.text(i, 4)),
          absl::StrFormat("GRANT USAGE ON SCHEMA %s TO %s;", rows.text(i, 4), role_));
    }
    if (!rows.boolean(i, 2)) {
      Add(absl::StrFormat("role %s may not read table %s", role_, table.Display()),
          absl::StrFormat("GRANT SELECT ON %s TO %s;", table.Quoted(), role_), table.oid);
    }
    if (rows.boolean(i, 3)) {
      Add(absl::StrFormat("row-level security hides rows of %s from role %s", table.Display(),
                          role_),
          absl::StrFormat("ALTER ROLE %s BYPASSRLS;", role_), table.oid);
    }
  }
  return absl::OkStatus();
}

// A column that refers to one would arrive, and what it refers to would not. Looks through whole
// tables, so a stream that is begun is not asked again each time it connects.
absl::Status Verifier::CheckLargeObjects() {
  std::vector<uint32_t> oids;
  for (const Table* table : RowTables(catalog_)) oids.push_back(table->oid);
  ASSIGN_OR_RETURN(const pg::Result columns,
                   session_.Query(R"(
    SELECT a.attrelid::bigint, a.attname
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND 'oid'::regtype IN (t.oid, t.typbasetype)
      AND has_table_privilege(a.attrelid, 'SELECT')
      AND EXISTS (SELECT FROM pg_largeobject_metadata) ORDER BY 1, a.attnum)",
                                  {absl::StrCat("{", absl::StrJoin(oids, ","), "}")}));
  for (int i = 0; i < columns.rows(); ++i) {
    const Table& table = *catalog_.FindOid(static_cast<uint32_t>(columns.i64(i, 0)));
    const std::string column = QuoteIdentifier(columns.text(i, 1));
    ASSIGN_OR_RETURN(const pg::Result refers,
                     session_.Query(absl::StrFormat(
                         "SELECT EXISTS (SELECT FROM ONLY %s t JOIN pg_largeobject_metadata m ON "
                         "m.oid = t.%s)",
                         table.Quoted(), column)));
    if (!refers.boolean(0, 0)) continue;
    Add(absl::StrFormat("column %s of table %s refers to large objects: their contents are not in "
                        "the changes of any table",
                        column, table.Display()),
        absl::StrFormat(
            "keep them in a column: ALTER TABLE %s ADD COLUMN contents bytea; UPDATE %s "
            "SET contents = lo_get(%s); then drop column %s",
            table.Quoted(), table.Quoted(), column, column),
        table.oid);
  }
  return absl::OkStatus();
}

// A partition is read under its own rights when it is copied again, and its maker thinks of the
// application only.
std::string FutureGrantsSql(const std::string& role, const catalog::Catalog& catalog) {
  std::vector<const Table*> partitioned;
  for (const Table& table : catalog.tables) {
    if (table.kind == 'p') partitioned.push_back(&table);
  }
  if (partitioned.empty()) return "";
  const std::string body = absl::StrFormat(
      R"(DECLARE t record;
BEGIN
  FOR t IN SELECT DISTINCT pg_get_userbyid(c.relowner) AS maker, c.relnamespace::regnamespace AS place
           FROM pg_class c WHERE c.oid = ANY(ARRAY[
  %s]::regclass[]::oid[]) LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %%I IN SCHEMA %%s GRANT SELECT ON TABLES TO %%s',
                   t.maker, t.place, %s);
  END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
  NULL;  -- then each new partition is granted by hand, as switchyard check says
END)",
      absl::StrJoin(partitioned, ",\n  ",
                    [](std::string* out, const Table* table) {
                      absl::StrAppend(out, QuoteLiteral(table->Quoted()));
                    }),
      QuoteLiteral(role));
  return absl::StrFormat(R"(
-- And read partitions to come: what their owners make in these schemas from now on. Without it each
-- needs a GRANT before its table can be copied again; its changes stream all the same.
DO %s;
)",
                         QuoteLiteral(body));
}

std::string GrantsSql(const SourceOptions& options, const catalog::Catalog& catalog) {
  const std::string role = QuoteIdentifier(options.role);
  std::set<std::string> schemas;
  for (const Table& table : catalog.tables) schemas.insert(QuoteIdentifier(table.schema));
  std::vector<std::string> tables = OwnTables(catalog.server_version);
  tables.insert(tables.end(), {records::kMarkTable, records::kOldSideTable});
  for (std::string& table : tables) table.insert(0, "switchyard.");
  const std::vector<const Table*> rows = RowTables(catalog);  // none: no partition is made yet
  const std::string read =
      rows.empty() ? ""
                   : absl::StrFormat("GRANT SELECT ON\n  %s\n  TO %s;\n", TableList(rows), role);
  return absl::StrFormat(R"(
-- What it may do.
GRANT CONNECT ON DATABASE %2$s TO %1$s;
GRANT USAGE ON SCHEMA switchyard, %3$s TO %1$s;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  %4$s
  TO %1$s;
%5$s%6$s)",
                         role, QuoteIdentifier(catalog.database), absl::StrJoin(schemas, ", "),
                         absl::StrJoin(tables, ",\n  "), read, FutureGrantsSql(role, catalog));
}

std::string PublicationSql(const SourceOptions& options, const catalog::Catalog& catalog) {
  const std::string name = QuoteIdentifier(options.stream.publication);
  const std::string create = absl::StrFormat(
      "BEGIN\n  IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = %s) THEN\n"
      "    CREATE PUBLICATION %s WITH (publish = 'insert, update, delete, truncate'%s);\n"
      "  END IF;\nEND",
      QuoteLiteral(options.stream.publication), name,
      catalog.server_version >= pg::kPublishesRoots ? ",\n      publish_via_partition_root = false"
                                                    : "");
  return absl::StrFormat(R"(
-- What is captured. Tables that are in it already are not touched by SET TABLE.
DO %1$s;
ALTER PUBLICATION %2$s SET TABLE
  %3$s;
)",
                         QuoteLiteral(create), name, PublishedList(options.stream, catalog));
}

// Its tables are those that nothing else of it is above.
records::FenceSetup FenceOf(const SourceOptions& options, const catalog::Catalog& catalog) {
  records::FenceSetup fence = {.migration = std::string(records::MigrationOf(options.stream.name)),
                               .role = options.role};
  for (const Table& table : catalog.tables) {
    const bool written = table.kind == 'r' || table.kind == 'p';
    const bool below = table.root_oid != 0 && table.root_oid != table.oid &&
                       catalog.FindOid(table.root_oid) != nullptr;
    if (written && !below && !IsSystemTable(table)) fence.tables.push_back(table.Quoted());
  }
  return fence;
}

}  // namespace

std::vector<SourceFault> CheckTables(const catalog::Catalog& catalog) {
  std::vector<SourceFault> faults;
  for (const spec::TableName& name : catalog.missing) {
    faults.push_back(
        {.finding = {absl::StrFormat("there is no table %s%s%s in database %s", name.schema,
                                     name.schema.empty() ? "" : ".", name.name, catalog.database),
                     "correct its name, or the schemas, in the migration file"}});
  }
  for (const Table& table : catalog.tables) CheckTable(table, &faults);
  for (SourceFault& fault : faults) fault.of_table = true;
  return faults;
}

std::vector<std::string> VersionNotes(const catalog::Catalog& catalog) {
  std::vector<std::string> notes;
  if (catalog.server_version < pg::kSendsMessages) {
    notes.push_back(
        absl::StrFormat("before Postgres 14 logical replication shows no messages: while OLD is "
                        "idle capture writes its row of %s instead, which is in the publication",
                        records::kMessageTable));
  }
  if (catalog.server_version < pg::kReadsCtidRanges) {
    notes.emplace_back(
        "before Postgres 14 no part of a table can be read alone: each is copied over one "
        "connection, however large it is");
  }
  const bool partitions =
      std::ranges::any_of(catalog.tables, [](const Table& table) { return table.kind == 'p'; });
  if (catalog.server_version < pg::kPublishesRoots && partitions) {
    notes.emplace_back(
        "before Postgres 13 a partitioned table can't be published: each partition is, by itself. "
        "Of one made later nothing is captured, and its table is suspect, until OLD's owner runs "
        "again what `switchyard check --print-setup FILE` prints and the table is copied again: "
        "switchyard recopy FILE TABLE");
  }
  return notes;
}

absl::StatusOr<std::string> SourceSetupSql(const SourceOptions& options,
                                           const catalog::Catalog& catalog) {
  RETURN_IF_ERROR(FaultsToStatus(CheckTables(catalog)));
  if (catalog.tables.empty())
    return Refuse("no tables are mapped", "name them in the migration file, under forward");
  const records::FenceSetup fence = FenceOf(options, catalog);
  // The publication waits for whoever vacuums a table, who waits in turn for the rights of that
  // table once they have been granted: so those come last.
  return absl::StrFormat(
      R"(SET client_encoding = 'UTF8';
-- Makes a database ready to be the source of stream %s.
-- Run it as the owner of the tables, with CREATE on the database; it may be run again:
--   psql -v ON_ERROR_STOP=1 -f THIS_FILE
-- Only the role itself may need somebody else: a superuser (from Postgres 16 on one with
-- CREATEROLE and REPLICATION), who runs CREATE ROLE ... REPLICATION as it stands below.
-- The server must have wal_level = logical. If SHOW wal_level says otherwise, a superuser runs
-- ALTER SYSTEM SET wal_level = 'logical', and the server is restarted.
%sBEGIN;
SET LOCAL client_min_messages = warning;
-- "canceling statement due to lock timeout" means that DDL or a VACUUM holds one of the tables:
-- nothing has changed then; run it again.
SET LOCAL lock_timeout = '10s';

%s
%s%s%s%s%s
COMMIT;
%s)",
      options.stream.name, options.failover ? kFailoverNeeds : "",
      catalog::CreateRoleSql(options.role, "LOGIN REPLICATION"), kSourceSql,
      HasMessageTable(catalog.server_version) ? absl::StrCat("\n", kSourceBefore14Sql) : "",
      PublicationSql(options, catalog), GrantsSql(options, catalog), records::FenceSetupSql(fence),
      records::FenceTablesSql(fence));
}

absl::StatusOr<std::vector<SourceFault>> VerifySource(pg::Session& session,
                                                      const SourceOptions& options,
                                                      const catalog::Catalog& catalog,
                                                      bool slot_exists) {
  std::vector<SourceFault> faults = CheckTables(catalog);
  Verifier verifier(session, options, catalog, &faults);
  RETURN_IF_ERROR(verifier.CheckServer(slot_exists));
  RETURN_IF_ERROR(verifier.CheckOwnTables());
  if (!options.stream.publication.empty()) RETURN_IF_ERROR(verifier.CheckPublication());
  RETURN_IF_ERROR(verifier.CheckTableRights());
  if (options.rows) RETURN_IF_ERROR(verifier.CheckLargeObjects());
  return faults;
}

absl::Status FaultsToStatus(const std::vector<SourceFault>& faults) {
  std::vector<Finding> findings;
  for (const SourceFault& fault : faults) findings.push_back(fault.finding);
  return RefuseAll(
      faults.size() == 1 ? "" : absl::StrFormat("%d things are missing:", faults.size()), findings);
}

}  // namespace switchyard::capture
