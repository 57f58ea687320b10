// What check --rehearse last found, for each mapping it was tried on: switchyard.rehearsal. One row
// for a stream and the fingerprint of its mapping; a newer one takes its place.
//
// Thread safety: functions over a session, which is thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

struct KeptRehearsal {
  std::string fingerprint;  // of the mapping (mapping::Plan)
  std::string verdict;      // clean, faults, inconclusive
  int64_t batches = 0;
  int64_t faults = 0;
  int64_t seed = 0;
  absl::Time finished;  // by the target's clock; set by KeepRehearsal
  absl::Duration age;   // as it is read
};

// Whether the target has the table, and the session's role may write it.
absl::StatusOr<bool> MayKeepRehearsals(const pg::Sql& sql);
absl::Status KeepRehearsal(const pg::Sql& sql, const std::string& stream,
                           const KeptRehearsal& rehearsal);
// The newest first. None in a target that an older program set up.
absl::StatusOr<std::vector<KeptRehearsal>> LoadRehearsals(const pg::Sql& sql,
                                                          const std::string& stream);

}  // namespace switchyard::records
