#include "replayer/copy/derive_copy.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "common/base/fault.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/install/analyze.h"
#include "common/mapping/install/install.h"
#include "replayer/copy/held_copy.h"
#include "replayer/copy/schema_steps.h"

namespace switchyard::replayer {
namespace {

// A row that a step refuses is none that could wait in quarantine.
absl::Status AsStop(const absl::Status& step) {
  if (!IsRefusedRow(step)) return step;
  return Refuse(
      StdSv(step.message()),
      "mend these rows in OLD, or the step, and start replay again: it first applies what the log "
      "holds by then. Rows in quarantine are missing, too: switchyard quarantine FILE list");
}

}  // namespace

absl::Status BeginRollForward(PgTarget& target, const mapping::Plan& plan) {
  ASSIGN_OR_RETURN(const auto tables, HeldTables(target.session(), plan));
  std::map<mapping::MappingIndex, mapping::TableWrite> held;
  for (const auto& [m, table] : tables) {
    RETURN_IF_ERROR(IndexHeld(target.session(), plan, m));
    held[m] = HeldWrite(plan, m);
  }
  return target.BeginRollForward(std::move(held));
}

absl::Status DeriveCopy(PgTarget& target, const mapping::Plan& plan, const std::string& stream,
                        Lsn last,
                        const std::vector<std::pair<std::string, std::string>>& after_copy) {
  pg::Session& session = target.session();
  RETURN_IF_ERROR(target.stream().SetDoing("makes the indexes of the mirror"));
  RETURN_IF_ERROR(mapping::BuildMirrorIndexes(session, plan));
  if (!plan.mirror_only) {
    RETURN_IF_ERROR(target.stream().SetDoing("fills NEW's tables from what was copied"));
  }
  ASSIGN_OR_RETURN(const auto held, HeldTables(session, plan));
  std::vector<std::string> tables;
  for (const mapping::MappingPlan& mapping : plan.mappings) {
    if (!plan.mirror_only) tables.push_back(mapping.target);
  }
  ASSIGN_OR_RETURN(mapping::Analyzer analyzer, mapping::Analyzer::Make(session, tables));
  const auto filled = [&](mapping::MappingIndex mapping) -> absl::Status {
    SY_FAULT_POINT("replayer.deriving");
    return analyzer.Analyze(plan.mappings[mapping].target);
  };
  RETURN_IF_ERROR(target.FillAll(held, filled, [&]() -> absl::Status {
    RETURN_IF_ERROR(DropHeld(session, plan));
    RETURN_IF_ERROR(AsStop(RunSchemaSteps(session, plan, stream, after_copy)));
    RETURN_IF_ERROR(target.stream().EndCopy(last));
    SY_FAULT_POINT("replayer.before_copy_end");
    return absl::OkStatus();
  }));
  SY_FAULT_POINT("replayer.after_copy_end");
  RETURN_IF_ERROR(target.stream().SetDoing(""));
  LogInfo("replayer", "copy finished",
          {{"stream", stream}, {"lsn", target.position().lsn.ToString()}});
  return absl::OkStatus();
}

}  // namespace switchyard::replayer
