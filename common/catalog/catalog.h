// What a database's catalogue says of the tables a migration touches.
//
//   ASSIGN_OR_RETURN(Catalog old_catalog, LoadCatalog(*session, names, {.schemas = {"public"}}));
//
// Plain values; ToJson/FromJson keep a catalogue across restarts without the database it is of.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/pg/session.h"
#include "common/spec/migration_file.h"

namespace switchyard::catalog {

struct Column {
  std::string name;
  int32_t number = 0;  // attnum: which column it is, whatever it is called
  uint32_t type_oid = 0;
  int32_t type_modifier = -1;
  // format_type(): "character varying(40)", "public.mood"; types of extensions without their
  // schema ("citext"), because the target may have the extension in another one.
  std::string type;
  // The same as a mirror declares it: user types with kSchemaPlaceholder in place of their schema,
  // under their UserType::mirror_name.
  std::string mirror_type;
  // Enum, domain, composite or range (or array of one) outside pg_catalog; or regclass and its kin,
  // which a mirror keeps as text.
  bool user_type = false;
  std::string collation;         // schema-qualified and quoted; empty when the type's default
  std::string mirror_collation;  // as mirror_type
  bool not_null = false;
  bool has_default = false;
  bool generated = false;          // GENERATED ALWAYS AS (...): never captured, never written
  std::string generated_sql = {};  // as what
  char identity = 0;               // 'a' always, 'd' by default, 0 none
  bool toastable = false;          // of variable length: an update may leave it out
  bool in_identity = false;        // part of the replica identity (every column when FULL)
};

struct UniqueIndex {
  std::string name;
  std::vector<std::string> columns;  // empty string for an expression
  bool primary = false;
  bool partial = false;
  bool deferrable = false;
};

struct ForeignKey {
  std::string name;
  std::string referenced_schema, referenced_table;
  bool deferrable = false;
  bool cascades = false;  // ON DELETE or UPDATE CASCADE / SET NULL / SET DEFAULT
};

struct Table {
  uint32_t oid = 0;
  std::string schema, name;
  // 'r' plain, 'p' partitioned; what can't be captured is returned as well, so that the refusal
  // can name it: 'v' view, 'm' materialized view, 'f' foreign table.
  char kind = 'r';
  char persistence = 'p';                     // 'p', 'u' unlogged, 't'
  char replica_identity = 'd';                // 'd', 'n', 'f', 'i'
  uint32_t root_oid = 0;                      // topmost partitioned parent; 0 when none
  std::vector<uint32_t> leaves;               // of a partitioned table: every leaf
  std::vector<Column> columns;                // in attnum order, without dropped ones
  std::vector<std::string> primary_key;       // in key order
  std::vector<std::string> identity_columns;  // of the replica identity, in attnum order
  std::vector<UniqueIndex> unique_indexes;
  std::vector<ForeignKey> foreign_keys;
  bool row_security = false;
  bool inherited_from =
      false;  // has children by INHERITS (not partitions): their rows are not its own
  int64_t rows_estimate = -1;  // -1: never analysed; of a partitioned table the sum of its leaves
  int64_t bytes = 0;           // heap and TOAST, without indexes; summed likewise

  const Column* FindColumn(std::string_view column) const;
  std::string Quoted() const;   // "schema"."name"
  std::string Display() const;  // schema.name, for people
};

// Stands, in create_sql, mirror_type and mirror_collation, for the quoted name of the schema that
// the types are made in: see WithSchema.
inline constexpr std::string_view kSchemaPlaceholder = "{schema}";

// A type or collation of the source that a mirror needs on the target. Domains are made without
// their NOT NULL and CHECKs: the values passed them on the source already (or were there before
// a NOT VALID one), and a CHECK may call functions that only the source has.
struct UserType {
  uint32_t oid = 0;  // on the source
  std::string schema, name;
  std::string mirror_name;          // the name, made unique where two schemas share it
  char kind = 'e';                  // 'e' enum, 'd' domain, 'c' composite, 'r' range, 'l' collation
  std::string create_sql;           // one statement, with kSchemaPlaceholder
  std::vector<std::string> labels;  // of an enum, in its order
};

struct Catalog {
  std::string database;
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  int server_version = 0;
  std::vector<Table> tables;  // roots, plain tables and leaves
  // What the tables' columns need, through any depth of nesting, in the order they can be created.
  // Types of extensions are not in it: the target needs the extension.
  std::vector<UserType> types;
  // Of the columns' types, extensions' among them; pg_catalog is left out.
  std::vector<std::string> type_schemas;
  // Names asked for that are not there.
  std::vector<spec::TableName> missing;

  const Table* Find(std::string_view schema, std::string_view name) const;
  const Table* FindOid(uint32_t oid) const;
};

struct CatalogOptions {
  std::vector<std::string> schemas = {"public"};  // what unqualified names mean, first match wins
};

// `text` with kSchemaPlaceholder replaced by the quoted `schema`.
std::string WithSchema(std::string_view text, std::string_view schema);

// The tables named, and the leaves of those that are partitioned, in one snapshot. A table in the
// middle of a partition tree is not in it. The session must not be in a transaction.
absl::StatusOr<Catalog> LoadCatalog(pg::Session& session, const std::vector<spec::TableName>& names,
                                    const CatalogOptions& options);

// Every OLD table a direction reads, each once, in order of first use: aliases resolved, other
// names as written (unqualified ones are for CatalogOptions::schemas to resolve).
std::vector<spec::TableName> SourceTables(const spec::Direction& direction);
// Every NEW table it fills.
std::vector<spec::TableName> TargetTables(const spec::Direction& direction);

std::string CatalogToJson(const Catalog& catalog);
absl::StatusOr<Catalog> CatalogFromJson(std::string_view json);

}  // namespace switchyard::catalog
