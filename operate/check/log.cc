#include "operate/check/log.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/eventlog/check_log.h"
#include "common/pg/error.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "operate/connect.h"
#include "operate/log_options.h"
#include "operate/request.h"

namespace switchyard::operate {
namespace {

using Kind = CheckFault::Kind;

void AddFault(const absl::Status& fault, bool is_kafka, CheckReport* report) {
  const bool no_broker = absl::IsUnavailable(fault) && is_kafka;
  Finding finding = FindingOf(pg::WithNextStepFor(fault), no_broker ? kStartTheBroker : "");
  report->faults.push_back({.where = CheckFault::Where::kLog,
                            .message = std::move(finding.what),
                            .remedy = std::move(finding.next),
                            .kind = absl::IsInvalidArgument(fault) ? Kind::kMistake
                                    : absl::IsUnavailable(fault)   ? Kind::kUnreachable
                                                                   : Kind::kNotReady});
}

// Where NEW goes on reading.
struct Place {
  std::string topic;
  int64_t offset = 0;
};

// Empty: nothing was begun, or NEW can't be asked, which is told elsewhere.
std::vector<Place> PlacesOfNew(const spec::MigrationFile& file, const records::Stream& stream,
                               const Cancel& cancel) {
  const auto session = ConnectControl(file.new_db, "new", cancel);
  if (!session.ok() || !RequireStream(**session, stream.name).ok()) return {};
  records::StreamStore store(**session, stream.name);
  const absl::StatusOr<bool> installed = store.IsInstalled();
  const auto state = store.Find();
  if (!installed.ok() || !*installed || !state.ok() || !state->has_value()) return {};
  std::vector<Place> places = {
      {.topic = stream.change_topic, .offset = (*state)->position.next_offset}};
  if ((*state)->phase == records::Phase::kCopying) {
    places.push_back({.topic = stream.copy_topic, .offset = (*state)->copy_offset});
  }
  return places;
}

absl::Status CheckPlace(eventlog::EventLog& log, const Place& place) {
  const absl::StatusOr<eventlog::TopicInfo> info = log.Describe(place.topic);
  if (absl::IsNotFound(info.status())) {
    if (place.offset == 0) return absl::OkStatus();  // it is to be made yet
    return Lost(absl::StrFormat("topic %s is gone, and NEW needs it from record %d on", place.topic,
                                place.offset),
                kCopyAllAnew);
  }
  RETURN_IF_ERROR(info.status());
  if (info->first <= place.offset && place.offset <= info->next) return absl::OkStatus();
  return Lost(absl::StrFormat("NEW goes on at record %d of topic %s, which holds %d to %d: what it "
                              "needs is not there any more",
                              place.offset, place.topic, info->first, info->next),
              kCopyAllAnew);
}

absl::Status CheckReach(const spec::MigrationFile& file, const records::Stream& stream,
                        const Cancel& cancel) {
  const std::vector<Place> places = PlacesOfNew(file, stream, cancel);
  if (places.empty()) return absl::OkStatus();
  const std::string& path = file.log.sqlite_path;
  if (!path.empty() && !std::filesystem::exists(path)) {
    if (places[0].offset == 0) return absl::OkStatus();
    return Lost(absl::StrFormat("%s is gone, and NEW needs the log from record %d on", path,
                                places[0].offset),
                "bring it back, or end every role and run: switchyard recopy FILE --all");
  }
  ASSIGN_OR_RETURN(const auto log, OpenLog(file, cancel));
  for (const Place& place : places) RETURN_IF_ERROR(CheckPlace(*log, place));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLog(const spec::MigrationFile& file, const Cancel& cancel, CheckReport* report) {
  const spec::LogSection& log = file.log;
  const bool is_kafka = !log.kafka.empty();
  if (file.name.empty() || (log.sqlite_path.empty() && !is_kafka)) return absl::OkStatus();
  const absl::StatusOr<eventlog::LogOptions> options = LogOptionsOf(file);
  if (!options.ok()) {
    AddFault(options.status(), is_kafka, report);
    return absl::OkStatus();
  }
  const records::Stream stream = records::ForwardOf(file);
  const std::vector<absl::Status> faults =
      eventlog::CheckEventLog(*options, {stream.change_topic, stream.copy_topic}, cancel);
  RETURN_IF_ERROR(cancel.status());
  for (const absl::Status& fault : faults) AddFault(fault, is_kafka, report);
  if (!faults.empty()) return absl::OkStatus();
  const absl::Status reach = CheckReach(file, stream, cancel);
  RETURN_IF_ERROR(cancel.status());
  if (!reach.ok()) AddFault(reach, is_kafka, report);
  return absl::OkStatus();
}

}  // namespace switchyard::operate
