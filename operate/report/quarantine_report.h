// What `quarantine list`, `show` and `retry` show. Pure.
//
// Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace switchyard::operate {

struct QuarantineEntry {
  int64_t id = 0;
  std::string table;      // NEW's
  std::string scope;      // key of the row, or the scope that could not be recomputed: JSON
  std::string operation;  // insert, update, delete, recompute
  std::string lsn;        // of the newest change folded in
  std::string sqlstate;
  std::string error;
  int64_t events = 0;  // changes folded in
  absl::Time first_seen;
  absl::Time last_seen;
  // Of `show` only: OLD's row, the key of the row before; JSON. What Postgres says of the values.
  std::string image, before, detail;
  // Likewise, of a scope of a mapping with mode: patch, arrays of rows: as the mapping gave them
  // before the first change that was refused, as it gives them now, and those of the target.
  std::string rows_before, rows_after, rows_there;
};

struct QuarantineReport {
  std::string stream;
  int64_t total = 0;  // entries there are; `entries` may be the first of them only
  std::vector<QuarantineEntry> entries;
};

// Each entry ends with what to do.
std::string QuarantineText(const QuarantineReport& report);
// The words of message Quarantine in proto/control.proto.
std::string QuarantineJson(const QuarantineReport& report);

struct QuarantineRetryReport {
  std::string stream;
  int64_t request = 0;  // its number in NEW
  std::string answer;   // the replayer's: "3 applied, 0 left"
  bool nothing_left = false;
};

std::string QuarantineRetryText(const QuarantineRetryReport& report);
// The words of message RequestResult in proto/control.proto.
std::string QuarantineRetryJson(const QuarantineRetryReport& report);

}  // namespace switchyard::operate
