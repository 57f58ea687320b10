#include "replayer/pg_target_port.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/records/copies.h"
#include "common/records/relations.h"
#include "common/records/requests.h"
#include "replayer/target/doubt.h"
#include "replayer/write/table_writer.h"

namespace switchyard::replayer {
namespace {

// As of when each table was copied: a partition without a point of its own went before that. One
// that joined the others later has a later point.
std::map<mapping::SourceIndex, Lsn> CopiedBefore(
    const mapping::Plan& plan, const std::map<uint32_t, Lsn>& points,
    const std::vector<event::v1::Relation>& relations) {
  std::map<uint32_t, uint32_t> roots;
  for (const event::v1::Relation& relation : relations) {
    roots[relation.relation_id()] = relation.root_relation_id();
  }
  std::map<mapping::SourceIndex, Lsn> before;
  for (const auto& [id, lsn] : points) {
    const mapping::SourcePlan* source = plan.FindRelation(id, roots[id]);
    if (source == nullptr) continue;
    const auto [at, is_new] = before.emplace(plan.IndexOf(*source), lsn);
    if (!is_new) at->second = std::min(at->second, lsn);
  }
  return before;
}

}  // namespace

PgTargetPort::PgTargetPort(std::string stream, PgTarget& target, const mapping::Plan& plan,
                           std::function<absl::StatusOr<bool>()> learn_values)
    : stream_(std::move(stream)),
      target_(target),
      plan_(plan),
      learn_values_(std::move(learn_values)) {}

// The connection may be what failed. Inside a transaction that goes with it, as the copy has one
// open, nobody would ever read it.
void PgTargetPort::Stop(const absl::Status& cause, const std::string& reason) {
  if (!target_.connected()) return;
  target_.session().Rollback();
  [[maybe_unused]] absl::Status stored = DoubtUnreadable(cause, reason);
  stored = target_.stream().Stop(reason);
}

// By the time somebody asks, OLD's type may be as the mapping knows it again: what the log holds of
// the table from in between can be read by nobody, and only a copy leads past it.
absl::Status PgTargetPort::DoubtUnreadable(const absl::Status& cause, const std::string& reason) {
  const std::string table = TypeChangedIn(cause);
  if (table.empty() || !target_.position().lsn.valid()) return absl::OkStatus();
  return records::Requests(target_.session(), stream_).Doubt(table, reason);
}

absl::StatusOr<Reading> PgTargetPort::LoadReading(const records::StreamState& state) {
  ASSIGN_OR_RETURN(Doubts doubts, LoadDoubts(target_.session(), plan_, stream_));
  Reading reading{.position = state.position};
  reading.batcher.copied_again = std::move(doubts.copied_again);
  reading.batcher.in_doubt = std::move(doubts.in_doubt);
  reading.batcher.hold_lsn = state.hold_lsn;
  reading.batcher.source_owns = state.source_owns;
  ASSIGN_OR_RETURN(reading.relations, records::Relations(target_.session(), stream_).All());
  ASSIGN_OR_RETURN(reading.batcher.copy_points,
                   records::Copies(target_.session(), stream_).Points());
  reading.batcher.copied_before =
      CopiedBefore(plan_, reading.batcher.copy_points, reading.relations);
  return reading;
}

// What came with the answer to another statement is not on the socket any more.
absl::StatusOr<bool> PgTargetPort::AwaitNotified(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    ASSIGN_OR_RETURN(const auto streams, target_.session().TakeNotifications());
    if (std::ranges::count(streams, stream_) > 0) return true;
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    RETURN_IF_ERROR(target_.session().AwaitMessage(left));
  }
}

// A value that an enum of the source gained needs no person.
bool PgTargetPort::LearnsFrom(const absl::Status& failed) {
  if (TypeChangedIn(failed).empty() || !learn_values_) return false;
  const absl::StatusOr<bool> learnt = learn_values_();
  if (learnt.ok() && *learnt) {
    LogInfo("replayer", "the mirror's types have learnt values of the source's",
            {{"stream", stream_}});
    return true;
  }
  if (!learnt.ok()) {
    LogWarn("replayer", "the source's types could not be looked at",
            {{"stream", stream_}, {"error", std::string(StdSv(learnt.status().message()))}});
  }
  return false;
}

}  // namespace switchyard::replayer
