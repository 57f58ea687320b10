// What has to be true before a cutover or rollback may begin. Every gate is evaluated and shown,
// with what was observed, its limit and what to do about it.
//
// Pure; no I/O. The facts come through GateSource (ports.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace switchyard::cutover {

enum class Verdict {
  kGreen,
  kRed,
  kInconclusive,  // could not be looked at: counts as red
};

// "green", "red", "inconclusive": the words of --json.
std::string_view Name(Verdict verdict);

struct Gate {
  std::string name;  // "lag", "parity": stable, in --json, metrics and the journal
  Verdict verdict = Verdict::kInconclusive;
  std::string observed;  // "4.2 s, oldest change in public.orders"
  std::string limit;     // "1 s"
  std::string remedy;    // what to do next; empty where it is green
  // False where a red gate means that data may be lost or doubled: no reason given by a person
  // makes that true.
  bool acceptable = false;
};

// A gate that an operator goes past, and why. Journalled.
struct Acceptance {
  std::string gate;
  std::string reason;
};

// OK: all are green, or red and accepted. FailedPrecondition otherwise, with every red gate on a
// line of its own, an acceptance of a gate that protects data, of one that there is not, and one
// without a reason. No gate at all is never OK.
absl::Status Pass(const std::vector<Gate>& gates, const std::vector<Acceptance>& accepted);

}  // namespace switchyard::cutover
