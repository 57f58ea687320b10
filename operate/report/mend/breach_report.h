// What `breach list` and `breach apply` show. Pure.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace switchyard::operate {

struct BreachEntry {
  std::string id;         // "forward-3": of which stream, and its number there
  std::string side;       // OLD, NEW: which was written to, and did not own
  std::string table;      // of that side
  std::string operation;  // insert, update, delete, truncate
  std::string lsn;
  std::string key, before, after;  // JSON; empty: not known, or there is none
  absl::Time seen;
};

struct BreachReport {
  std::string migration;
  int64_t total = 0;  // that are open; `entries` may be the first of them only
  std::vector<BreachEntry> entries;
};

std::string BreachText(const BreachReport& report);
// The words of message Breaches in proto/control.proto.
std::string BreachJson(const BreachReport& report);

struct BreachApplied {
  std::string stream;
  int64_t request = 0;  // its number in the stream's target
  std::string answer;
};

std::string BreachAppliedText(const BreachApplied& applied);
// The words of message RequestResult in proto/control.proto.
std::string BreachAppliedJson(const BreachApplied& applied);

}  // namespace switchyard::operate
