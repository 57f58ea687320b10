#include "common/eventlog/remove_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/eventlog/kafka_admin.h"
#include "common/eventlog/kafka_client.h"
#include "common/eventlog/sqlite_db.h"
#include "common/eventlog/sqlite_file.h"

namespace switchyard::eventlog {
namespace {

// The log, what SQLite keeps beside it, and the room that is kept for a full disk.
constexpr const char* kSuffixes[] = {"", "-wal", "-shm", "-journal", "-reserve"};
constexpr absl::Duration kBusyTimeout = absl::Seconds(2);

// A topic that the broker does not know now is gone: whoever runs this can run it again.
absl::StatusOr<std::unique_ptr<KafkaAdmin>> OpenAdmin(const LogOptions& options,
                                                      const Cancel& cancel) {
  RETURN_IF_ERROR(CheckKafkaProperties(options.kafka));
  return KafkaAdmin::Open(options.kafka, options.single_broker, absl::ZeroDuration(), cancel);
}

absl::Status RefuseOtherTopics(const std::string& path, const std::vector<std::string>& topics) {
  RETURN_IF_ERROR(CheckLogPath(path));
  ASSIGN_OR_RETURN(const auto db, SqliteDb::Open(path, kBusyTimeout));
  ASSIGN_OR_RETURN(SqliteStatement all, db->Prepare("SELECT name FROM topics ORDER BY name"));
  std::vector<std::string> others;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, all.Step());
    if (!more) break;
    std::string name(all.ColumnText(0));
    if (std::ranges::count(topics, name) == 0) others.push_back(std::move(name));
  }
  if (others.empty()) return absl::OkStatus();
  return Refuse(absl::StrCat(path, " holds topics of other migrations, too (",
                             absl::StrJoin(others, ", "), ")"),
                "tear those down first, and run this again");
}

}  // namespace

absl::StatusOr<std::vector<LogPart>> FindLogParts(const LogOptions& options,
                                                  const std::vector<std::string>& topics,
                                                  const Cancel& cancel) {
  std::vector<LogPart> parts;
  if (!options.kafka.empty()) {
    ASSIGN_OR_RETURN(const auto admin, OpenAdmin(options, cancel));
    for (const std::string& topic : topics) {
      const absl::Status there = admin->CheckExists(topic);
      if (absl::IsNotFound(there)) continue;
      RETURN_IF_ERROR(there);
      parts.push_back({.name = topic});
    }
    return parts;
  }
  const std::string path = std::filesystem::absolute(options.sqlite_path).lexically_normal();
  if (std::filesystem::exists(path)) RETURN_IF_ERROR(RefuseOtherTopics(path, topics));
  for (const char* suffix : kSuffixes) {
    if (std::filesystem::exists(path + suffix)) {
      parts.push_back({.name = path + suffix, .is_file = true});
    }
  }
  return parts;
}

absl::Status RemoveLogPart(const LogOptions& options, const LogPart& part, const Cancel& cancel) {
  if (part.is_file) {
    if (unlink(part.name.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    return Refuse(absl::StrCat(part.name, ": ", std::strerror(errno)),
                  "remove the file by hand, or run this again as its owner");
  }
  ASSIGN_OR_RETURN(const auto admin, OpenAdmin(options, cancel));
  return admin->DeleteTopic(part.name);
}

}  // namespace switchyard::eventlog
