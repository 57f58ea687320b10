// Statistics of tables that were just filled: without them the plans of everything that follows are
// guesses, up to a nested loop over whole tables.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::mapping {

class Analyzer {
 public:
  // Of these tables (quoted). Those that the session's role may not analyze are named in one line
  // of the log, with what to do: Postgres would but warn.
  static absl::StatusOr<Analyzer> Make(pg::Session& session,
                                       const std::vector<std::string>& tables);

  // Nothing for a table that it may not analyze.
  absl::Status Analyze(const std::string& table);

 private:
  Analyzer(pg::Session& session, std::vector<std::string> forbidden)
      : session_(session), forbidden_(std::move(forbidden)) {}

  pg::Session& session_;
  std::vector<std::string> forbidden_;
};

// What to know before a copy of those that it may not analyze; empty: it may all of them.
absl::StatusOr<std::string> AnalyzeNote(pg::Session& session,
                                        const std::vector<std::string>& tables);

}  // namespace switchyard::mapping
