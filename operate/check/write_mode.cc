#include "operate/check/write_mode.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/mapping/install/hindrances.h"
#include "common/mapping/install/target_setup.h"
#include "common/mapping/install/write_order.h"
#include "common/mapping/temporary_tables.h"

namespace switchyard::operate {
namespace {

constexpr size_t kNamedMax = 20;

std::string Named(const std::string& what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  const auto end = names.begin() + static_cast<std::ptrdiff_t>(std::min(kNamedMax, names.size()));
  const std::string more =
      end == names.end() ? "" : absl::StrFormat(" and %d more", names.end() - end);
  return absl::StrCat("; ", what, ": ", absl::StrJoin(names.begin(), end, ", "), more);
}

// Those that are looked at when a table of the plan is written.
std::vector<std::string> Keys(const mapping::TargetRules& rules) {
  std::vector<std::string> names;
  for (const mapping::Reference& key : rules.references) {
    names.push_back(absl::StrCat(key.child, ": ", key.name));
  }
  return names;
}

void ReportSilent(const mapping::TargetRules& rules, operate::CheckReport* report) {
  std::vector<std::string> silent;
  for (const std::string& trigger : rules.triggers) {
    if (std::ranges::count(rules.replica_triggers, trigger) == 0) silent.push_back(trigger);
  }
  report->facts.push_back(
      absl::StrCat("NEW: written with session_replication_role = replica",
                   Named("foreign keys that are not looked at", Keys(rules)),
                   Named("triggers that do not fire", silent),
                   Named("triggers that fire all the same", rules.replica_triggers)));
}

void ReportOrder(const mapping::Plan& plan, const mapping::TargetRules& rules,
                 operate::CheckReport* report) {
  const mapping::WriteOrder order = mapping::OrderWrites(plan, rules);
  std::vector<std::string> tables;
  for (const mapping::MappingIndex mapping : order.order)
    tables.push_back(plan.mappings[mapping].display);
  report->facts.push_back(absl::StrCat(
      "NEW: written in the order of its foreign keys, since this role may not set "
      "session_replication_role: ",
      absl::StrJoin(tables, ", "), "; what goes, the other way round",
      Named("foreign keys that hold", Keys(rules)), Named("triggers that fire", rules.triggers)));
  for (const Finding& problem : order.problems) {
    report->faults.push_back({.where = operate::CheckFault::Where::kNew,
                              .message = problem.what,
                              .remedy = problem.next});
  }
  for (const std::string& warning : order.warnings) report->warnings.push_back(warning);
}

absl::Status ReportHindrances(const mapping::Plan& plan, pg::Session& session, bool silent,
                              CheckReport* report) {
  using mapping::Hindrances;
  const Hindrances::Role role = silent ? Hindrances::Role::kReplica : Hindrances::Role::kOrigin;
  ASSIGN_OR_RETURN(const Hindrances there, Hindrances::Load(session, plan, role));
  for (const mapping::Hindrance& one : there.all()) {
    if (!one.refusal.empty()) {
      report->faults.push_back({.where = CheckFault::Where::kNew,
                                .message = absl::StrCat(one.what, " ", one.refusal),
                                .remedy = one.remedy});
      continue;
    }
    report->warnings.push_back(absl::StrCat(
        "NEW: ", one.what,
        " fires for what Switchyard writes. Each row is looked at once it is "
        "written, and the first that the trigger left out or changed stops the stream, or fails "
        "its re-copy. To be rid of it until the application moves: ",
        one.remedy));
  }
  for (const mapping::Hindrance& one : there.beside()) {
    report->warnings.push_back(mapping::MayWriteBeside(one));
  }
  return absl::OkStatus();
}

// A session that ends, or the next one after it, removes all its temporary tables at once.
absl::Status WarnOfLocks(const mapping::Plan& plan, pg::Session& session, CheckReport* report) {
  constexpr int64_t kLocksPerTable = 3;  // with its TOAST table and that one's index
  ASSIGN_OR_RETURN(const pg::Result row, session.Query(R"(
    SELECT current_setting('max_locks_per_transaction')::bigint,
           current_setting('max_connections')::bigint
             + current_setting('max_prepared_transactions')::bigint)"));
  const int64_t tables = static_cast<int64_t>(mapping::TemporaryTablesOf(plan).ddl.size());
  const int64_t locks = tables * kLocksPerTable;
  const int64_t room = row.i64(0, 0) * row.i64(0, 1);
  if (locks <= room) return absl::OkStatus();
  report->warnings.push_back(absl::StrFormat(
      "NEW: replay makes %d temporary tables, %d locks at the end of its session, and "
      "max_locks_per_transaction = %d leaves room for %d: set it to %d and restart NEW's server",
      tables, locks, row.i64(0, 0), room, locks * 5 / 4 / row.i64(0, 1) + 1));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckWriteMode(const mapping::Plan& plan, pg::Session& session,
                            operate::CheckReport* report) {
  ASSIGN_OR_RETURN(const mapping::TargetRules rules, mapping::LoadTargetRules(session, plan));
  ASSIGN_OR_RETURN(const bool silent, mapping::MaySilence(session));
  if (silent) {
    ReportSilent(rules, report);
  } else {
    ReportOrder(plan, rules, report);
  }
  RETURN_IF_ERROR(ReportHindrances(plan, session, silent, report));
  return WarnOfLocks(plan, session, report);
}

}  // namespace switchyard::operate
