// The migration file (YAML) as typed structs. Every fault is reported at once.
//
//   ASSIGN_OR_RETURN(MigrationFile file, LoadMigrationFile("shop/migration.yaml"));
//
// docs/migration-file.md is the reference of every key. Thread safety: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/pg/connection_string.h"
#include "common/spec/position.h"

namespace switchyard::spec {

// A table as written, names exactly as in the catalogue; schema empty when unqualified.
struct TableName {
  std::string schema;
  std::string name;
  std::string ToString() const;  // quoted only where needed
  friend auto operator<=>(const TableName&, const TableName&) = default;
};

// Connection of one side. The secret itself comes from the environment or a file.
struct Endpoint {
  std::string dsn_env;   // name of the environment variable that holds the DSN
  std::string dsn_file;  // or a file that holds it; resolved against the migration file's folder
  // The DSN. FailedPrecondition names the variable or file when it is not there.
  absl::StatusOr<std::string> Dsn() const;
  // The same, read again for every connection.
  pg::ConnectionString Connection() const;
};

struct LogSection {
  // Resolved against the migration file's folder. Empty when the log is Kafka.
  std::string sqlite_path;
  std::vector<std::pair<std::string, std::string>> kafka;  // librdkafka properties
  // Properties whose values come from the environment: {"sasl.password", "KAFKA_PASSWORD"}.
  std::vector<std::pair<std::string, std::string>> kafka_env;
  bool single_broker = false;
};

// One `from` entry: for a changed row of `table`, the values of the scope it touches.
struct FromRule {
  TableName table;      // unqualified: OLD's table (or alias); qualified: a table of NEW
  std::string touches;  // SQL over the changed row: an expression, or a query ("SELECT ...")
  Position at;
  Place place;  // of `touches`
};

// How a mapping keeps its table. kDerive: as its query says, wholly. kPatch: what changed in the
// query's rows is changed in the table's, and nothing else.
enum class MappingMode { kDerive, kPatch };
// kPatch: what becomes of the table's row whose query's row went.
enum class Vanished { kDelete, kLeave };

// One mapping: fills one table of NEW.
struct Mapping {
  TableName target;  // NEW's table, schema-qualified
  Position at;
  // Form 1, `copy`: columns by name from one table of OLD.
  std::optional<TableName> copy;
  std::vector<std::pair<std::string, std::string>> set;     // NEW column -> SQL expression
  std::vector<std::pair<std::string, std::string>> rename;  // OLD column -> NEW column
  std::vector<std::string> drop;                            // OLD columns not carried
  std::string where;                                        // SQL condition over OLD's row
  // Form 2, `select`.
  std::string select;              // the SQL itself (a file's content, or inline), no semicolon
  std::string select_path;         // file it came from, for messages; empty when inline
  std::vector<TableName> reads;    // the tables its select names
  std::vector<FromRule> from;      // for those without, rules are derived
  std::vector<std::string> scope;  // columns of NEW; empty: its primary key
  std::vector<TableName> static_tables;  // tables a select may read that never change
  std::string owns;  // SQL condition over NEW's rows this mapping owns; empty: all
  MappingMode mode = MappingMode::kDerive;
  // Of kPatch. `lossy`: columns whose value in the table may be another than the query says.
  Vanished vanished = Vanished::kDelete;
  std::vector<std::string> lossy;
  // Of the values above: "table", "copy", "where", "select", "owns", "mode", and with a part's
  // name "set.COLUMN", "rename.COLUMN", "drop.COLUMN", "scope.COLUMN", "lossy.COLUMN",
  // "static.TABLE" (ToString()).
  std::map<std::string, Place> places;
};

// A further index of a mirrored table.
struct MirrorIndex {
  TableName table;
  std::string sql;  // expression over its columns
  Place place;      // of `sql`
};

// Ids allotted before the selects run: id_map(kind, old_id, new_id). Of `forward` the old id is the
// row's key and the new one is given to it; of `reverse` it is the other way round.
struct IdMapRule {
  std::string kind;
  TableName table;         // of the source: whose rows need an id
  std::string old_id;      // SQL expression over its row, text
  std::string new_id;      // SQL expression giving a uuid
  bool gives_old = false;  // `reverse`: of a new pair old_id may be random; else new_id
  bool many = false;       // several old ids may have one new id
  Position at;
  Place old_place, new_place;  // of the two expressions
};

// switchyard.id_map, of whichever side.
TableName IdMapTable();

// A column whose values no line, report or error shows; nor those computed from it.
struct SensitiveColumn {
  TableName table;  // unqualified: OLD's table (or alias); qualified: a table of NEW
  std::string column;
  Position at;
};

struct Direction {
  std::vector<Mapping> mappings;
  std::vector<IdMapRule> id_maps;
  // The other direction allots ids, or this one: pairs of the source's switchyard.id_map are taken
  // over before any is allotted.
  bool takes_pairs = false;
  // OLD tables and columns ("table" or "table.column") that are knowingly not carried.
  std::vector<std::string> ignore;
  std::vector<SensitiveColumn> sensitive;
  // For queries under `from` and selects to look up by.
  std::vector<MirrorIndex> mirror_indexes;
  // Alias -> OLD's schema-qualified table, where two OLD schemas share a name.
  std::map<std::string, TableName> aliases;
};

struct CaptureSettings {
  int copy_workers = 2;                           // 1..32
  int64_t copy_range_bytes = int64_t{256} << 20;  // big tables are split into ctid ranges
  absl::Duration heartbeat_interval = absl::Seconds(10);
  absl::Duration drift_check_interval = absl::Seconds(5);
  std::optional<bool> failover;  // whether standbys may keep the slot; unset: as it is
};

struct ReplaySettings {
  int64_t batch_rows_max = 50'000;
  int64_t batch_bytes_max = int64_t{16} << 20;
  int64_t quarantine_max = 1'000;
  int copy_workers = 2;  // 1..32
};

// SQL that run executes on NEW when the copy is loaded: secondary indexes, foreign keys.
struct SchemaStep {
  std::string path;
  std::string sql;
};

struct MigrationFile {
  std::string path;
  std::string name;  // "shop": [a-z][a-z0-9_]{0,39}; names slots, publications, topics
  Endpoint old_db;
  Endpoint new_db;
  LogSection log;
  std::vector<std::string> schemas;  // OLD schemas that unqualified names mean; default public
  // NEW schemas in which functions, operators and types named without one are looked for, behind
  // pg_catalog; default public.
  std::vector<std::string> new_schemas;
  std::vector<std::string> setup;  // SQL files run on NEW, in order, by a person (not by run)
  std::vector<SchemaStep> after_copy;
  Direction forward;
  std::optional<Direction> reverse;  // from NEW to OLD; same shape
  CaptureSettings capture;
  ReplaySettings replay;
};

// One fault: "shop.yaml:12:7: unknown key \"cpoy\"; did you mean \"copy\"?"
struct Fault {
  Position at;
  std::string file;
  std::string message;
  std::string ToString() const;
};

// The file, or all of its faults. `faults` is filled on InvalidArgument (the status message joins
// them by newlines), and `partial` then with what could be read all the same. NotFound when the
// file is not there.
absl::StatusOr<MigrationFile> LoadMigrationFile(const std::string& path,
                                                std::vector<Fault>* faults = nullptr,
                                                MigrationFile* partial = nullptr);
// The same from memory; `path` is used for messages and to find select files.
absl::StatusOr<MigrationFile> ParseMigrationFile(const std::string& text, const std::string& path,
                                                 std::vector<Fault>* faults = nullptr,
                                                 MigrationFile* partial = nullptr);

}  // namespace switchyard::spec
