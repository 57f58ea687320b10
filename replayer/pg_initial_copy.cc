#include "replayer/pg_initial_copy.h"

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/base/finding.h"
#include "replayer/copy/derive_copy.h"
#include "replayer/loop/drain.h"
#include "replayer/loop/trim_schedule.h"
#include "replayer/target/doubt.h"

namespace switchyard::replayer {
namespace {

constexpr absl::Duration kCopyWait = absl::Milliseconds(100);

}  // namespace

PgInitialCopy::PgInitialCopy(InitialCopyOptions options, PgTarget& target,
                             const mapping::Plan& plan, eventlog::EventLog& log,
                             const Cancel& cancel)
    : options_(std::move(options)), target_(target), plan_(plan), log_(log), cancel_(cancel) {}

// Capture writes to the copy topic before it does to the other.
absl::Status PgInitialCopy::RefuseLost(const records::StreamState& state) {
  ASSIGN_OR_RETURN(const eventlog::TopicInfo changes, log_.Describe(options_.change_topic));
  if (changes.next <= state.position.next_offset) return absl::OkStatus();
  const absl::StatusOr<eventlog::TopicInfo> copy = log_.Describe(options_.copy_topic);
  if (!absl::IsNotFound(copy.status())) RETURN_IF_ERROR(copy.status());
  if (copy.ok() && copy->next > 0) return absl::OkStatus();
  return Lost(absl::StrFormat("topic %s %s, though %s has records: it was deleted, and with it the "
                              "copy of OLD's tables",
                              options_.copy_topic, copy.ok() ? "is empty" : "is gone",
                              options_.change_topic),
              kCopyAllAnew);
}

absl::Status PgInitialCopy::Load(const records::StreamState& state, Drain& drain,
                                 TrimSchedule& trims) {
  RETURN_IF_ERROR(RefuseLost(state));
  RETURN_IF_ERROR(log_.CreateTopic(options_.copy_topic));
  CopyLoader loader(target_, plan_, {.stream = options_.stream, .workers = options_.workers});
  RETURN_IF_ERROR(LoadDoubts(target_.session(), plan_, options_.stream).status());
  RETURN_IF_ERROR(loader.Start());
  ASSIGN_OR_RETURN(const auto reader, log_.OpenReader(options_.copy_topic, loader.first_offset()));
  while (!loader.complete()) {
    RETURN_IF_ERROR(cancel_.status());
    bool idle = false;
    RETURN_IF_ERROR(Read(*reader, &loader, &idle));
    if (idle && drain.asked()) RETURN_IF_ERROR(loader.DrainLanes());
    RETURN_IF_ERROR(drain.EndIfDrained(idle));
    if (trims.IsDue()) RETURN_IF_ERROR(trims.Trim({.copy = loader.committed_offset()}));
  }
  return loader.Finish();
}

absl::Status PgInitialCopy::Read(eventlog::LogReader& reader, CopyLoader* loader, bool* idle) {
  RETURN_IF_ERROR(reader.Read(kCopyWait, &records_));
  event::v1::Event event;
  for (const eventlog::LogRecord& record : records_) {
    if (!event.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size()))) {
      return Lost(absl::StrFormat("offset %d of the copy topic is no event", record.offset),
                  kCopyAllAnew);
    }
    RETURN_IF_ERROR(loader->Add(event, record.offset));
  }
  *idle = records_.empty();
  if (!*idle) return absl::OkStatus();
  RETURN_IF_ERROR(loader->Commit());
  return RefuseUnreadable(*loader);
}

// A younger copy of such a table leads out; somebody is to ask for it.
absl::Status PgInitialCopy::RefuseUnreadable(const CopyLoader& loader) {
  for (const changes::Batch::Unreadable& table : loader.unreadable()) {
    RETURN_IF_ERROR(StoreDoubts(target_.session(), plan_, options_.stream,
                                changes::Batch{.unreadable = table}));
  }
  if (loader.unreadable().empty()) return absl::OkStatus();
  return LoadDoubts(target_.session(), plan_, options_.stream).status();
}

absl::StatusOr<Lsn> PgInitialCopy::LastPoint() {
  ASSIGN_OR_RETURN(const records::CopyPoints points,
                   records::Copies(target_.session(), options_.stream).Range());
  return points.last;
}

absl::Status PgInitialCopy::BeginRollForward() {
  return replayer::BeginRollForward(target_, plan_);
}

absl::Status PgInitialCopy::Derive(Lsn last) {
  RETURN_IF_ERROR(DeriveCopy(target_, plan_, options_.stream, last, options_.after_copy));
  return target_.LoadOrder();
}

}  // namespace switchyard::replayer
