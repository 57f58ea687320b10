#include "cutover/gates.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/finding.h"

namespace switchyard::cutover {
namespace {

const Gate* Find(const std::vector<Gate>& gates, const std::string& name) {
  const auto found =
      std::find_if(gates.begin(), gates.end(), [&](const Gate& gate) { return gate.name == name; });
  return found == gates.end() ? nullptr : &*found;
}

bool Accepted(const Gate& gate, const std::vector<Acceptance>& accepted) {
  return gate.acceptable &&
         std::any_of(accepted.begin(), accepted.end(), [&](const Acceptance& acceptance) {
           return acceptance.gate == gate.name && !acceptance.reason.empty();
         });
}

Finding Fault(const Gate& gate) {
  const std::string limit = gate.limit.empty() ? "" : absl::StrCat(", limit ", gate.limit);
  return {.what = absl::StrFormat("gate %s is %s: %s%s", gate.name, std::string(Name(gate.verdict)),
                                  gate.observed, limit),
          .next = gate.remedy};
}

// What is wrong with an acceptance; empty where it may count.
Finding Fault(const Acceptance& acceptance, const std::vector<Gate>& gates) {
  const Gate* gate = Find(gates, acceptance.gate);
  if (gate == nullptr) {
    return {.what = absl::StrFormat("there is no gate \"%s\" to accept", acceptance.gate),
            .next = "take its name from the list of gates"};
  }
  if (acceptance.reason.empty()) {
    return {.what = absl::StrFormat("gate %s is accepted without a reason", gate->name),
            .next = "add: --reason TEXT"};
  }
  if (!gate->acceptable && gate->verdict != Verdict::kGreen) {
    return {.what = absl::StrFormat("gate %s protects data: no reason makes up for it", gate->name),
            .next = gate->remedy};
  }
  return {};
}

}  // namespace

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGreen:
      return "green";
    case Verdict::kRed:
      return "red";
    case Verdict::kInconclusive:
      return "inconclusive";
  }
  return "";
}

absl::Status Pass(const std::vector<Gate>& gates, const std::vector<Acceptance>& accepted) {
  if (gates.empty()) {
    return Refuse("no gate was evaluated", "look at the facts with: switchyard status FILE");
  }
  std::vector<Finding> findings;
  for (const Acceptance& acceptance : accepted) {
    Finding finding = Fault(acceptance, gates);
    if (!finding.empty()) findings.push_back(std::move(finding));
  }
  for (const Gate& gate : gates) {
    if (gate.verdict != Verdict::kGreen && !Accepted(gate, accepted)) {
      findings.push_back(Fault(gate));
    }
  }
  return RefuseAll("not all gates are green:", findings);
}

}  // namespace switchyard::cutover
