// What NEW must hold, found without the program under test: OLD's tables are dumped into a
// scratch database beside NEW, the mappings of the file are run over them as plain INSERT ...
// SELECT, and each table they fill is compared with NEW's row by row, in text form, both ways.
//
//   const OracleOptions what{.old_dsn = o, .new_dsn = n, .file = file};
//   ASSERT_OK_AND_ASSIGN(auto tables, CompareWithMapping(what));
//   for (const TableComparison& table : tables) EXPECT_TRUE(table.equal()) << table.ToString();
//
// Nothing may write to OLD meanwhile, and NEW must have caught up: compare when the application
// and the stream are at rest. Needs pg_dump and psql in PATH, and a role that may create a database
// on NEW's server. Shares the migration file's reader with the program, nothing else of the
// mapping.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/spec/migration_file.h"

namespace switchyard::testing {

struct OracleOptions {
  std::string old_dsn;
  std::string new_dsn;
  spec::MigrationFile file;
  // Rows to give per table that differs.
  int examples_max = 3;
  // NEW's schema comes from the file's `setup` scripts instead of a dump of NEW. Chosen by itself
  // where pg_dump is older than NEW's server.
  bool schema_from_setup = false;
};

struct TableComparison {
  std::string table;
  int64_t rows_in_new = 0;
  int64_t rows_expected = 0;
  int64_t missing = 0;                // expected, and not in NEW as they should be
  int64_t extra = 0;                  // in NEW, and not expected like that
  std::vector<std::string> examples;  // "missing: (...)", "extra: (...)"

  bool equal() const { return missing == 0 && extra == 0; }
  // "public.users  59413 rows in NEW, 59413 expected, 0 missing, 0 extra: OK"
  std::string ToString() const;
};

// One entry per mapping of the forward direction, in the order of the file; then one per rule under
// `ids`: rows of OLD without a pair are missing, pairs with an id of another one are extra. The ids
// themselves are taken from NEW.
// InvalidArgument: the mappings read each other in a circle. Otherwise what the databases say.
absl::StatusOr<std::vector<TableComparison>> CompareWithMapping(const OracleOptions& options,
                                                                const Cancel& cancel = Cancel());

}  // namespace switchyard::testing
