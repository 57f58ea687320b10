// Asks both databases and the log what a migration's streams are doing. Works with no role
// running; changes nothing.
//
//   StatusGatherer gatherer(file, cancel);
//   std::vector<operate::StreamFacts> facts = gatherer.Gather();   // again and again
//
// A database that can't be asked leaves its part of the facts unknown and says why. Keeps its
// connections, and makes them again when they are lost. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/wait/cancel.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "common/records/source/capture_suspects.h"
#include "common/spec/migration_file.h"
#include "operate/report/status.h"
#include "operate/status/log_look.h"
#include "operate/status/suspects.h"

namespace switchyard::operate {

// Position in StreamFacts::copy by OLD's oid of the table.
using CopyIndex = std::map<int64_t, size_t>;

class StatusGatherer {
 public:
  // Both must outlive it.
  StatusGatherer(const spec::MigrationFile& file, const Cancel& cancel)
      : file_(file), cancel_(cancel), log_(file, cancel) {}

  // One entry for each stream of the file.
  std::vector<operate::StreamFacts> Gather();

 private:
  absl::Status AskSource(CopyIndex* index, operate::StreamFacts* facts);
  absl::Status AskTarget(CopyIndex* index, operate::StreamFacts* facts);
  // What both have to be asked for: columns of OLD that came since the mapping was compiled.
  absl::Status AskNewColumns(operate::StreamFacts* facts);
  absl::StatusOr<bool> IsMissed(const catalog::Table& table, const std::string& column);
  absl::Status LoadCompiled(const std::string& stream);

  const spec::MigrationFile& file_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> source_;
  std::unique_ptr<pg::Session> target_;
  std::vector<records::OpenSuspect> suspects_;  // of this look
  LogLook log_;
  catalog::Catalog compiled_;  // OLD's, as the mapping knows it
  std::string compiled_digest_;
};

}  // namespace switchyard::operate
