#include "common/catalog/catalog.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/catalog/catalog_types.h"
#include "common/pg/error.h"

namespace switchyard::catalog {
namespace {

template <typename T>
T Unsigned(std::string_view text) {
  T value = 0;
  const auto end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  SY_CHECK(error == std::errc() && at == end);  // only for columns that are numbers by type
  return value;
}

uint32_t Oid(const pg::Result& rows, int row, int column) {
  return Unsigned<uint32_t>(rows.text(row, column));
}

char Char(const pg::Result& rows, int row, int column) {
  const std::string_view text = rows.text(row, column);
  return text.empty() ? '\0' : text[0];
}

absl::Status LoadIdentity(pg::Session& session, Catalog* catalog) {
  // A standby has no insert position; its control file tells the timeline it replays.
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT current_database(), s.system_identifier::text,
           CASE WHEN pg_is_in_recovery()
                THEN (SELECT timeline_id FROM pg_control_checkpoint())::bigint
                ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))
                     ::bit(32)::bigint END
    FROM pg_control_system() s)"));
  catalog->database = rows.str(0, 0);
  catalog->system_identifier = Unsigned<uint64_t>(rows.text(0, 1));
  catalog->timeline = Unsigned<uint32_t>(rows.text(0, 2));
  catalog->server_version = session.server_version();
  return absl::OkStatus();
}

// The oids of the tables named, in the order of the names; those not there go to `missing`.
absl::StatusOr<std::vector<uint32_t>> ResolveNames(pg::Session& session,
                                                   const std::vector<spec::TableName>& names,
                                                   const CatalogOptions& options,
                                                   Catalog* catalog) {
  std::vector<std::string> schemas;
  std::vector<std::string> tables;
  for (const spec::TableName& name : names) {
    schemas.push_back(name.schema);
    tables.push_back(name.name);
  }
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(R"(
    SELECT n.position, found.oid
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n(schema, name, position)
    LEFT JOIN LATERAL (
      SELECT c.oid
      FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
      WHERE c.relname = n.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND CASE WHEN n.schema = '' THEN s.nspname::text = ANY($3::text[])
                 ELSE s.nspname = n.schema END
      ORDER BY array_position($3::text[], s.nspname::text)
      LIMIT 1) found ON true
    ORDER BY n.position)",
                    {ArrayLiteral(schemas), ArrayLiteral(tables), ArrayLiteral(options.schemas)}));
  std::vector<uint32_t> oids;
  for (int i = 0; i < rows.rows(); ++i) {
    if (rows.is_null(i, 1)) {
      catalog->missing.push_back(names[static_cast<size_t>(rows.i64(i, 0)) - 1]);
    } else if (const uint32_t oid = Oid(rows, i, 1); std::ranges::count(oids, oid) == 0) {
      oids.push_back(oid);
    }
  }
  return oids;
}

// The partitioned tables among $1 with all their leaves. pg_partition_tree() would lock the tables
// and look beyond this transaction's snapshot.
constexpr char kLeaves[] = R"(
    WITH RECURSIVE tree(root, oid, kind) AS (
      SELECT c.oid, c.oid, c.relkind FROM pg_class c
      WHERE c.oid = ANY($1::oid[]) AND c.relkind = 'p'
      UNION ALL
      SELECT t.root, c.oid, c.relkind
      FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class c ON c.oid = i.inhrelid
      WHERE t.kind = 'p'),
    leaves AS (SELECT root, oid FROM tree WHERE kind <> 'p'))";

// The tables named and the leaves below them, leaves after their root.
absl::Status LoadTables(pg::Session& session, const std::string& named, Catalog* catalog) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kLeaves, R"(,
    wanted AS (
      SELECT oid, min(position) AS position, bool_and(leaf) AS leaf
      FROM (SELECT oid, position, false AS leaf
            FROM unnest($1::oid[]) WITH ORDINALITY AS n(oid, position)
            UNION ALL
            SELECT l.oid, array_position($1::oid[], l.root), true FROM leaves l) every
      GROUP BY oid)
    SELECT c.oid, s.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
           -- Not pg_partition_root, which would look beyond this transaction's snapshot.
           coalesce((
             WITH RECURSIVE above(id, depth) AS (
               SELECT i.inhparent, 1 FROM pg_inherits i
               WHERE c.relispartition AND i.inhrelid = c.oid
               UNION ALL
               SELECT i.inhparent, a.depth + 1
               FROM above a JOIN pg_class p ON p.oid = a.id AND p.relispartition
               JOIN pg_inherits i ON i.inhrelid = a.id)
             SELECT id FROM above ORDER BY depth DESC LIMIT 1), 0),
           c.relrowsecurity,
           c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
           c.reltuples::bigint,
           -- As of the last ANALYZE; LoadSizes may know better.
           CASE WHEN c.relkind IN ('r', 'm') THEN
             current_setting('block_size')::bigint
               * (c.relpages + coalesce((SELECT t.relpages FROM pg_class t
                                         WHERE t.oid = c.reltoastrelid), 0))
           ELSE 0 END
    FROM wanted w JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace s ON s.oid = c.relnamespace
    ORDER BY w.position, w.leaf, s.nspname, c.relname)"),
                                                        {named}));
  for (int i = 0; i < rows.rows(); ++i) {
    Table table;
    table.oid = Oid(rows, i, 0);
    table.schema = rows.str(i, 1);
    table.name = rows.str(i, 2);
    table.kind = Char(rows, i, 3);
    table.persistence = Char(rows, i, 4);
    table.replica_identity = Char(rows, i, 5);
    table.root_oid = Oid(rows, i, 6);
    table.row_security = rows.boolean(i, 7);
    table.inherited_from = rows.boolean(i, 8);
    table.rows_estimate = rows.i64(i, 9);
    table.bytes = rows.i64(i, 10);
    catalog->tables.push_back(std::move(table));
  }
  return absl::OkStatus();
}

Table* FindTable(Catalog* catalog, uint32_t oid) {
  for (Table& table : catalog->tables) {
    if (table.oid == oid) return &table;
  }
  SY_CHECK(false);  // every later query is restricted to the oids of catalog->tables
  return nullptr;
}

// What is asked for wants a lock, and a stream must not wait for the one table that somebody has
// locked: nullopt then.
absl::StatusOr<std::optional<pg::Result>> QueryUnlessLocked(pg::Session& session,
                                                            std::string_view sql,
                                                            const std::string& oids) {
  RETURN_IF_ERROR(session.Execute("SAVEPOINT unlocked; SET LOCAL lock_timeout = '100ms'"));
  absl::StatusOr<pg::Result> rows = session.Query(sql, {oids});
  if (!rows.ok() && pg::StatusSqlState(rows.status()) != "55P03") return rows.status();
  RETURN_IF_ERROR(session.Execute("ROLLBACK TO SAVEPOINT unlocked"));
  if (!rows.ok()) return std::nullopt;
  return *std::move(rows);
}

absl::Status LoadSizes(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(const auto rows, QueryUnlessLocked(session, R"(
    SELECT c.oid, coalesce(pg_relation_size(c.oid), 0)
                  + CASE WHEN c.reltoastrelid = 0 THEN 0
                         ELSE coalesce(pg_relation_size(c.reltoastrelid), 0) END
    FROM pg_class c WHERE c.oid = ANY($1::oid[]) AND c.relkind IN ('r', 'm'))",
                                                      oids));
  for (int i = 0; rows && i < rows->rows(); ++i) {
    FindTable(catalog, Oid(*rows, i, 0))->bytes = rows->i64(i, 1);
  }
  return absl::OkStatus();
}

// Gives every partitioned table its leaves, with their sizes summed up.
absl::Status LoadLeaves(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(absl::StrCat(kLeaves, R"(
    SELECT l.root, l.oid
    FROM leaves l JOIN pg_class c ON c.oid = l.oid JOIN pg_namespace s ON s.oid = c.relnamespace
    ORDER BY l.root, s.nspname, c.relname)"),
                                                        {oids}));
  for (int i = 0; i < rows.rows(); ++i) {
    Table* root = FindTable(catalog, Oid(rows, i, 0));
    const Table* leaf = FindTable(catalog, Oid(rows, i, 1));
    if (root->leaves.empty()) root->rows_estimate = 0;
    root->leaves.push_back(leaf->oid);
    root->bytes += leaf->bytes;
    const bool known = root->rows_estimate >= 0 && leaf->rows_estimate >= 0;
    root->rows_estimate = known ? root->rows_estimate + leaf->rows_estimate : -1;
  }
  return absl::OkStatus();
}

absl::Status LoadColumns(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(absl::StrCat(R"(
    SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, )",
                                 internal::TypeNameSql("a.atttypid", "a.atttypmod"), R"(,
           CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
                THEN (SELECT quote_ident(s.nspname) || '.' || quote_ident(l.collname)
                      FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace
                      WHERE l.oid = a.attcollation) END,
           a.attnotnull, a.atthasdef AND a.attgenerated = '', a.attgenerated <> '', a.attidentity,
           a.attlen = -1,
           CASE c.relreplident
             WHEN 'f' THEN a.attgenerated = ''
             WHEN 'd' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
                                   AND i.indisprimary AND i.indisvalid AND i.indimmediate
                                   AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1]))
             WHEN 'i' THEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
                                   AND i.indisreplident AND i.indisvalid
                                   AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1]))
             ELSE false END,
           a.attnum
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum)"),
                    {oids}));
  for (int i = 0; i < rows.rows(); ++i) {
    Column column;
    column.name = rows.str(i, 1);
    column.type_oid = Oid(rows, i, 2);
    column.type_modifier = static_cast<int32_t>(rows.i64(i, 3));
    column.type = rows.str(i, 4);
    column.mirror_type = column.type;
    column.collation = rows.str(i, 5);
    column.mirror_collation = column.collation;
    column.not_null = rows.boolean(i, 6);
    column.has_default = rows.boolean(i, 7);
    column.generated = rows.boolean(i, 8);
    column.identity = Char(rows, i, 9);
    column.toastable = rows.boolean(i, 10);
    column.in_identity = rows.boolean(i, 11);
    column.number = static_cast<int32_t>(rows.i64(i, 12));
    Table* table = FindTable(catalog, Oid(rows, i, 0));
    if (column.in_identity) table->identity_columns.push_back(column.name);
    table->columns.push_back(std::move(column));
  }
  return absl::OkStatus();
}

absl::Status LoadExpressions(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(const auto rows, QueryUnlessLocked(session, R"(
    SELECT a.attrelid, a.attname, pg_get_expr(d.adbin, d.adrelid, true)
    FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = ANY($1::oid[]) AND a.attgenerated <> '')",
                                                      oids));
  for (int i = 0; rows && i < rows->rows(); ++i) {
    std::vector<Column>& columns = FindTable(catalog, Oid(*rows, i, 0))->columns;
    std::ranges::find(columns, rows->str(i, 1), &Column::name)->generated_sql = rows->str(i, 2);
  }
  return absl::OkStatus();
}

absl::Status LoadTypeSchemas(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    WITH RECURSIVE used(oid) AS (
      SELECT atttypid FROM pg_attribute
      WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND NOT attisdropped
      UNION
      SELECT x.oid FROM used JOIN pg_type t ON t.oid = used.oid
        CROSS JOIN unnest(ARRAY[t.typelem, t.typbasetype]) AS x(oid) WHERE x.oid <> 0)
    SELECT DISTINCT s.nspname::text COLLATE "C"
    FROM used JOIN pg_type t ON t.oid = used.oid JOIN pg_namespace s ON s.oid = t.typnamespace
    WHERE s.nspname <> 'pg_catalog' ORDER BY 1)",
                                                        {oids}));
  for (int i = 0; i < rows.rows(); ++i) catalog->type_schemas.push_back(rows.str(i, 0));
  return absl::OkStatus();
}

absl::Status LoadUniqueIndexes(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT i.indrelid, x.relname, i.indisprimary, i.indpred IS NOT NULL, NOT i.indimmediate,
           coalesce(a.attname, ''), k.position
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    CROSS JOIN LATERAL unnest(i.indkey[0:i.indnkeyatts - 1]::int2[])
      WITH ORDINALITY AS k(attnum, position)
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
    WHERE i.indrelid = ANY($1::oid[]) AND i.indisunique AND i.indisvalid
    ORDER BY i.indrelid, i.indisprimary DESC, x.relname, k.position)",
                                                        {oids}));
  for (int i = 0; i < rows.rows(); ++i) {
    Table* table = FindTable(catalog, Oid(rows, i, 0));
    if (rows.i64(i, 6) == 1) {
      table->unique_indexes.push_back({.name = rows.str(i, 1),
                                       .primary = rows.boolean(i, 2),
                                       .partial = rows.boolean(i, 3),
                                       .deferrable = rows.boolean(i, 4)});
    }
    UniqueIndex& index = table->unique_indexes.back();
    index.columns.push_back(rows.str(i, 5));
    if (index.primary) table->primary_key.push_back(rows.str(i, 5));
  }
  return absl::OkStatus();
}

absl::Status LoadForeignKeys(pg::Session& session, const std::string& oids, Catalog* catalog) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(R"(
    SELECT f.conrelid, f.conname, s.nspname, c.relname, f.condeferrable,
           f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd')
    FROM pg_constraint f
    JOIN pg_class c ON c.oid = f.confrelid
    JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE f.contype = 'f' AND f.conrelid = ANY($1::oid[])
    ORDER BY f.conrelid, f.conname, s.nspname, c.relname)",
                                                        {oids}));
  for (int i = 0; i < rows.rows(); ++i) {
    FindTable(catalog, Oid(rows, i, 0))
        ->foreign_keys.push_back({.name = rows.str(i, 1),
                                  .referenced_schema = rows.str(i, 2),
                                  .referenced_table = rows.str(i, 3),
                                  .deferrable = rows.boolean(i, 4),
                                  .cascades = rows.boolean(i, 5)});
  }
  return absl::OkStatus();
}

std::string OidArray(const std::vector<uint32_t>& oids) {
  return absl::StrCat("{", absl::StrJoin(oids, ","), "}");
}

absl::Status LoadAll(pg::Session& session, const std::vector<spec::TableName>& names,
                     const CatalogOptions& options, Catalog* catalog) {
  // With nothing else on the path every name outside pg_catalog is printed with its schema.
  RETURN_IF_ERROR(session.Execute("SET LOCAL search_path = pg_catalog"));
  RETURN_IF_ERROR(LoadIdentity(session, catalog));
  ASSIGN_OR_RETURN(const auto named, ResolveNames(session, names, options, catalog));
  RETURN_IF_ERROR(LoadTables(session, OidArray(named), catalog));
  std::vector<uint32_t> loaded;
  for (const Table& table : catalog->tables) loaded.push_back(table.oid);
  const std::string oids = OidArray(loaded);
  RETURN_IF_ERROR(LoadSizes(session, oids, catalog));
  RETURN_IF_ERROR(LoadLeaves(session, oids, catalog));
  RETURN_IF_ERROR(LoadColumns(session, oids, catalog));
  RETURN_IF_ERROR(LoadExpressions(session, oids, catalog));
  RETURN_IF_ERROR(LoadUniqueIndexes(session, oids, catalog));
  RETURN_IF_ERROR(LoadForeignKeys(session, oids, catalog));
  RETURN_IF_ERROR(LoadTypeSchemas(session, oids, catalog));
  return internal::LoadTypes(session, oids, catalog);
}

// Adds each name once, in order of first use.
class NameList {
 public:
  void Add(const spec::TableName& name) {
    if (seen_.insert(name).second) names_.push_back(name);
  }
  std::vector<spec::TableName> Take() { return std::move(names_); }

 private:
  std::set<spec::TableName> seen_;
  std::vector<spec::TableName> names_;
};

}  // namespace

const Column* Table::FindColumn(std::string_view column) const {
  const auto found = std::ranges::find(columns, column, &Column::name);
  return found == columns.end() ? nullptr : &*found;
}

std::string Table::Quoted() const { return QuoteQualified(schema, name); }
std::string Table::Display() const { return schema + "." + name; }

const Table* Catalog::Find(std::string_view schema, std::string_view name) const {
  const auto found = std::ranges::find_if(
      tables, [&](const Table& table) { return table.schema == schema && table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

const Table* Catalog::FindOid(uint32_t oid) const {
  const auto found = std::ranges::find(tables, oid, &Table::oid);
  return found == tables.end() ? nullptr : &*found;
}

absl::StatusOr<Catalog> LoadCatalog(pg::Session& session, const std::vector<spec::TableName>& names,
                                    const CatalogOptions& options) {
  Catalog catalog;
  RETURN_IF_ERROR(session.Begin("ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  const absl::Status loaded = LoadAll(session, names, options, &catalog);
  session.Rollback();  // nothing was written, and the search_path goes back
  RETURN_IF_ERROR(Annotate(loaded, "reading the catalogue"));
  return catalog;
}

std::vector<spec::TableName> SourceTables(const spec::Direction& direction) {
  NameList names;
  const auto add = [&](const spec::TableName& name) {
    const auto alias = direction.aliases.find(name.name);
    names.Add(name.schema.empty() && alias != direction.aliases.end() ? alias->second : name);
  };
  if (direction.takes_pairs) add(spec::IdMapTable());
  for (const spec::IdMapRule& rule : direction.id_maps) add(rule.table);
  for (const spec::Mapping& mapping : direction.mappings) {
    if (mapping.copy) add(*mapping.copy);
    // In a select's lists a qualified name is a table of NEW.
    for (const spec::FromRule& rule : mapping.from) {
      if (rule.table.schema.empty()) add(rule.table);
    }
    for (const auto* list : {&mapping.static_tables, &mapping.reads}) {
      for (const spec::TableName& name : *list) {
        if (name.schema.empty()) add(name);
      }
    }
  }
  return names.Take();
}

std::vector<spec::TableName> TargetTables(const spec::Direction& direction) {
  NameList names;
  for (const spec::Mapping& mapping : direction.mappings) names.Add(mapping.target);
  return names.Take();
}

}  // namespace switchyard::catalog
