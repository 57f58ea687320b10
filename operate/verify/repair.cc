#include "operate/verify/repair.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/quarantine_entries.h"
#include "common/records/requests.h"
#include "operate/mend/recopy_request.h"
#include "operate/request.h"
#include "verify/repair.h"

namespace switchyard::operate {
namespace {

using records::ParityTable;

// More would come near the limit at which the quarantine stops the stream.
constexpr int64_t kScopesMax = 500;
constexpr absl::Duration kWait = absl::Seconds(60);

class Repairs {
 public:
  Repairs(const RepairInput& input, const Cancel& cancel) : input_(input), cancel_(cancel) {}

  absl::StatusOr<std::vector<std::string>> Run() {
    for (const ParityTable& table : input_.tables) {
      if (table.verdict != records::Verdict::kDifferent) continue;
      RETURN_IF_ERROR(Add(table));
    }
    for (const auto& [schema, name] : copied_again_) {
      ASSIGN_OR_RETURN(const int64_t request,
                       RequestRecopy(input_.old_session, input_.new_session, input_.stream,
                                     {.schema = schema, .name = name}));
      lines_.push_back(
          absl::StrFormat("%s.%s of OLD is copied again (request %d)", schema, name, request));
    }
    if (scopes_ > 0) RETURN_IF_ERROR(Recompute());
    return lines_;
  }

 private:
  void CopyAgain(const mapping::SourcePlan& source) {
    copied_again_.emplace(source.schema, source.name);
  }

  absl::Status Add(const ParityTable& table) {
    for (const mapping::SourcePlan& source : input_.plan.sources) {
      if (source.mirrored && source.mirror.display == table.table) CopyAgain(source);
    }
    for (const mapping::MappingPlan& mapping : input_.plan.mappings) {
      if (mapping.display != table.table || mapping.owns != table.owns) continue;
      if (mapping.row_local) {
        CopyAgain(input_.plan.sources[mapping.source]);
      } else if (mapping.keyed.patch.on) {
        lines_.push_back(TextOf(
            {mapping.display + " is patched (mode: patch): nobody knows which side is right, so no "
                               "row of it is made good",
             "look at them with: switchyard verify FILE --show " + mapping.display +
                 ", and give those that are wrong their values by hand"}));
      } else {
        RETURN_IF_ERROR(AddScopes(table, mapping));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddScopes(const ParityTable& table, const mapping::MappingPlan& mapping) {
    records::ParityResults results(input_.control, input_.stream.name);
    ASSIGN_OR_RETURN(const auto differences, results.Differences(table.table, 2 * kScopesMax));
    const auto scopes = verify::ScopesOf(differences, mapping.keyed.scope_columns);
    const int64_t found = table.missing + table.different + table.extra;
    if (found > kScopesMax || scopes_ + static_cast<int64_t>(scopes.size()) > kScopesMax) {
      lines_.push_back(TextOf(
          {absl::StrFormat("%s: %d rows differ, too many to be computed again one by one",
                           table.table, found),
           absl::StrCat("copy what it is made of again, as in: switchyard recopy FILE ",
                        mapping.reads_sources.empty() ? "TABLE" : mapping.reads_sources.front())}));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(input_.control.InTransaction([&](pg::ControlTransaction& tx) -> absl::Status {
      records::QuarantineEntries entries(tx, input_.stream.name);
      for (const std::string& scope : scopes) {
        RETURN_IF_ERROR(entries.AskRecompute(mapping::QuarantineTarget(mapping), scope, table.lsn,
                                             "verify found that it differs"));
      }
      return absl::OkStatus();
    }));
    scopes_ += static_cast<int64_t>(scopes.size());
    lines_.push_back(
        absl::StrFormat("%s: %d scopes are computed again", table.table, scopes.size()));
    return absl::OkStatus();
  }

  absl::Status Recompute() {
    records::Requests requests(input_.control, input_.stream.name);
    ASSIGN_OR_RETURN(const int64_t request,
                     requests.Submit(records::RequestKind::kQuarantineRetry, ""));
    ASSIGN_OR_RETURN(const std::string answer, AwaitAnswer(requests, request, kWait, cancel_));
    lines_.push_back(absl::StrCat("the replayer says: ", answer));
    return absl::OkStatus();
  }

  const RepairInput& input_;
  const Cancel& cancel_;
  std::set<std::pair<std::string, std::string>> copied_again_;  // schema and name in OLD
  int64_t scopes_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> Repair(const RepairInput& input, const Cancel& cancel) {
  return Repairs(input, cancel).Run();
}

}  // namespace switchyard::operate
