// The oracle's scratch database: OLD's tables with their rows, found through search_path(), and
// NEW's tables without rows where they belong. Dropped with the object.
//
// Thread-compatible.
#pragma once

#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"
#include "tests/support/oracle/oracle.h"

namespace switchyard::testing {

class OracleScratch {
 public:
  // `options` and `cancel` must outlive it.
  static absl::StatusOr<std::unique_ptr<OracleScratch>> Make(const OracleOptions& options,
                                                             const Cancel& cancel);
  ~OracleScratch();
  OracleScratch(const OracleScratch&) = delete;
  OracleScratch& operator=(const OracleScratch&) = delete;

  pg::Session& session() { return *session_; }  // in the scratch database
  // Finds OLD's tables by the names the migration file calls them.
  std::string search_path() const;
  pg::Session& new_db() { return *new_session_; }  // in NEW, one read-only snapshot

 private:
  OracleScratch(const OracleOptions& options, const Cancel& cancel)
      : options_(options), cancel_(cancel) {}
  absl::Status Create();
  absl::Status LoadOld();
  absl::Status AddPrimaryKeys(pg::Session& source);
  absl::Status MoveOldTables();
  absl::Status LoadNewSchema();
  absl::Status CopyHelpers();
  absl::Status CopyTable(const std::string& table);
  absl::Status Shell(const std::string& script) const;

  const OracleOptions& options_;
  const Cancel& cancel_;
  std::string name_;
  std::string dsn_;
  std::unique_ptr<pg::Session> admin_;
  std::unique_ptr<pg::Session> session_;
  std::unique_ptr<pg::Session> new_session_;
};

}  // namespace switchyard::testing
