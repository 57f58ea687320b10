#include "cutover/sight.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace switchyard::cutover {
namespace {

std::string Text(const History& history) {
  return absl::StrFormat("system %s, timeline %d", history.system_identifier, history.timeline);
}

// NEW's row was changed after OLD's was last moved. A NEW that failed over may count epochs anew.
bool DecidedSince(const Ownership& row, const OldRow& old_row) {
  return std::pair(row.new_history.timeline, row.owner_epoch) >
         std::pair(old_row.new_history.timeline, old_row.epoch);
}

std::string Contradiction(const Ownership& row, const OldRow& old_row, const History& new_now) {
  if (old_row.told_owner_epoch > row.owner_epoch) {
    return absl::StrFormat(
        "OLD was told that %s owns since epoch %d, but NEW's row knows no later change of owner "
        "than "
        "that of epoch %d: NEW lost it, by a restore or a failover",
        std::string(Name(old_row.told_owner)), old_row.told_owner_epoch, row.owner_epoch);
  }
  if (row.owner == Side::kNew && !old_row.fenced) {
    return absl::StrFormat(
        "NEW owns since epoch %d, but OLD's row (epoch %d) is not fenced: both may accept writes",
        row.owner_epoch, old_row.epoch);
  }
  if (row.owner == Side::kOld && old_row.fenced && !DecidedSince(row, old_row) &&
      old_row.new_history != new_now) {
    return absl::StrFormat(
        "OLD was fenced by epoch %d beside %s as NEW, which is %s now: it may have lost that it "
        "owns",
        old_row.epoch, Text(old_row.new_history), Text(new_now));
  }
  return "";
}

}  // namespace

Sight SightOf(const Ownership& row) {
  return {.epoch = row.epoch,
          .owner = row.owner,
          .at_work = row.at_work && row.silence < kSilenceMax,
          .abandoned = row.at_work && row.silence >= kSilenceMax};
}

absl::StatusOr<Judgement> Judge(const Facts& facts) {
  const Ownership& row = facts.ownership;
  Judgement judgement{.sight = SightOf(row)};
  if (!facts.old_row.has_value()) {
    if (row.owner == Side::kNew) return judgement;
    return absl::UnavailableError("OLD owns, and does not answer");
  }
  judgement.why = Contradiction(row, *facts.old_row, facts.new_now);
  judgement.sight.ambiguous = !judgement.why.empty();
  judgement.sight.old_closed =
      row.owner == Side::kOld && facts.old_row->fenced && DecidedSince(row, *facts.old_row);
  return judgement;
}

}  // namespace switchyard::cutover
