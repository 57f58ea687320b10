// Asks both databases and the log what a stream is doing. Works with no role running; changes
// nothing.
//
//   StreamGatherer gatherer(file, records::ForwardOf(file), cancel);
//   operate::StreamFacts facts = gatherer.Gather();   // again and again
//
// A database that can't be asked leaves its part of the facts unknown and says why. Keeps its
// connections, and makes them again when they are lost. Thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/wait/cancel.h"
#include "common/catalog/catalog.h"
#include "common/pg/session.h"
#include "common/records/source/capture_suspects.h"
#include "common/records/stream/stream.h"
#include "common/spec/migration_file.h"
#include "operate/report/status.h"
#include "operate/status/log_look.h"
#include "operate/status/suspects.h"

namespace switchyard::operate {

// Position in StreamFacts::copy by OLD's oid of the table.
using CopyIndex = std::map<int64_t, size_t>;

class StreamGatherer {
 public:
  // `file` and `cancel` must outlive it.
  StreamGatherer(const spec::MigrationFile& file, records::Stream stream, const Cancel& cancel)
      : file_(file),
        stream_(std::move(stream)),
        cancel_(cancel),
        log_(file, stream_.change_topic, cancel) {}

  operate::StreamFacts Gather();
  // Of the same look. Nullopt: the file has one stream only, or NEW could not be asked.
  std::optional<operate::OwnerFacts> AskOwner();

 private:
  absl::Status AskSource(CopyIndex* index, operate::StreamFacts* facts);
  absl::Status AskTarget(CopyIndex* index, operate::StreamFacts* facts);
  bool forward() const { return stream_.direction == records::Direction::kForward; }
  // "old", "new"
  const char* source_side() const { return forward() ? "old" : "new"; }
  const char* target_side() const { return forward() ? "new" : "old"; }
  // What both have to be asked for: columns of the source that came since the mapping was compiled.
  absl::Status AskNewColumns(operate::StreamFacts* facts);
  absl::StatusOr<bool> IsMissed(const catalog::Table& table, const std::string& column);
  absl::Status LoadCompiled(const std::string& stream);

  const spec::MigrationFile& file_;
  const records::Stream stream_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> source_;
  std::unique_ptr<pg::Session> target_;
  std::vector<records::OpenSuspect> suspects_;  // of this look
  LogLook log_;
  catalog::Catalog compiled_;  // the source's, as the mapping knows it
  std::string compiled_digest_;
};

}  // namespace switchyard::operate
