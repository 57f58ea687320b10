// What a rehearsal tried and found, as data, and how it is shown. Pure.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::operate {

// A change of a table of which a mapping misses a scope.
struct RehearsalFault {
  // Of the rule under `from`; of the mapping, where the rule was told from its select.
  std::string file;
  int line = 0;
  int column = 0;
  std::string mapping;   // table of NEW
  std::string table;     // whose rule lacks it: of OLD, or of NEW with its schema
  std::string changed;   // "customers.email"; "customers" where a row came or went
  std::string mutation;  // the smallest batch: "a row of customers went {"id": "7"}"
  std::string scope;     // JSON object; empty where values are not to be shown
  bool stayed = false;   // rows of the scope stayed that were to go; else some did not come
  std::string rule;      // SQL to add under `from`; empty where none is known
  bool derived = false;  // the rule was told from the select: a fault of Switchyard
};

// A look-up of a rule that no batch needed: without it no scope would have been missed. It may be
// superfluous, or was not met.
struct UnneededLookUp {
  std::string mapping;  // table of NEW
  std::string table;    // whose rule it is of
  std::string sql;
  auto operator<=>(const UnneededLookUp&) const = default;
};

struct RehearsalReport {
  enum class Verdict { kClean, kFaults, kInconclusive };
  std::string migration;
  std::string path;
  Verdict verdict = Verdict::kInconclusive;
  std::string why;  // inconclusive
  std::string fingerprint;
  uint64_t seed = 0;
  int64_t batches = 0;  // applied and compared
  int64_t refused = 0;  // that NEW would have refused; not counted above
  double seconds = 0;
  std::vector<std::string> tables;         // of OLD, whose changes were tried
  std::vector<std::string> columns;        // "table.column": a change of it alone changed NEW
  std::vector<std::string> not_rehearsed;  // a change of it alone never did
  int64_t look_ups = 0;                    // that declared rules consist of; without any, all rules
  std::vector<UnneededLookUp> unneeded;    // of these
  std::vector<RehearsalFault> faults;
  std::vector<std::string> notes;
  bool kept = false;  // in NEW; false where that is not set up yet
};

std::string_view VerdictWord(RehearsalReport::Verdict verdict);
std::string RehearsalText(const RehearsalReport& report);
// The words of message Rehearsal in proto/control.proto.
std::string RehearsalJson(const RehearsalReport& report);

}  // namespace switchyard::operate
