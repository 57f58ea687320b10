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

namespace switchyard::mapping {

struct Column {
  std::string name;
  uint32_t type_oid = 0;
  int32_t type_modifier = -1;
  std::string type;       // format_type(): "character varying(40)", "public.mood", "citext"
  bool user_type = false; // enum, domain, composite or range (or array of one) outside pg_catalog and extensions
  std::string collation;  // schema-qualified and quoted; empty when the type's default
  bool not_null = false;
  bool has_default = false;
  bool generated = false;      // GENERATED ALWAYS AS (...) STORED: never captured, never written
  char identity = 0;           // 'a' always, 'd' by default, 0 none
  bool toastable = false;      // attstorage <> 'p'
  bool in_identity = false;    // part of the replica identity (every column when FULL)
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
  char kind = 'r';              // 'r' plain, 'p' partitioned
  char persistence = 'p';       // 'p', 'u' unlogged, 't'
  char replica_identity = 'd';  // 'd', 'n', 'f', 'i'
  uint32_t root_oid = 0;        // topmost partitioned parent; 0 when none
  std::vector<uint32_t> leaves; // of a partitioned table: every leaf
  std::vector<Column> columns;  // in attnum order, without dropped ones
  std::vector<std::string> primary_key;       // in key order
  std::vector<std::string> identity_columns;  // of the replica identity, in attnum order
  std::vector<UniqueIndex> unique_indexes;
  std::vector<ForeignKey> foreign_keys;
  bool row_security = false;
  int64_t rows_estimate = -1;
  int64_t bytes = 0;            // heap and TOAST, without indexes

  const Column* FindColumn(std::string_view column) const;
  std::string Quoted() const;   // "schema"."name"
  std::string Display() const;  // schema.name, for people
};

// A type of the source that a mirror needs on the target.
struct UserType {
  std::string schema, name;
  char kind = 'e';           // 'e' enum, 'd' domain, 'c' composite, 'r' range
  std::string create_sql;    // with %s standing for the schema to make it in
};

struct Catalog {
  std::string database;
  uint64_t system_identifier = 0;
  uint32_t timeline = 0;
  int server_version = 0;
  std::vector<Table> tables;       // roots, plain tables and leaves
  std::vector<UserType> types;     // in the order they can be created
  // Names asked for that are not there.
  std::vector<spec::TableName> missing;

  const Table* Find(std::string_view schema, std::string_view name) const;
  const Table* FindOid(uint32_t oid) const;
};

struct CatalogOptions {
  std::vector<std::string> schemas = {"public"};  // what unqualified names mean, first match wins
};

// The tables named, and the leaves of those that are partitioned. In one snapshot.
absl::StatusOr<Catalog> LoadCatalog(pg::Session& session,
                                    const std::vector<spec::TableName>& names,
                                    const CatalogOptions& options);

// As written in the file (aliases and unqualified names resolved): every OLD table a direction
// reads, each once, in order of first use.
std::vector<spec::TableName> SourceTables(const spec::Direction& direction);
// Every NEW table it fills.
std::vector<spec::TableName> TargetTables(const spec::Direction& direction);

std::string CatalogToJson(const Catalog& catalog);
absl::StatusOr<Catalog> CatalogFromJson(std::string_view json);

}  // namespace switchyard::mapping
