// The plans kept under tests/golden/plans, a folder each: old.json and new.json (catalogues),
// answers.jsonl (what a server said while it was compiled), plan.sql.
//
// SWITCHYARD_UPDATE_GOLDEN=1 has plan_recording_test write the first three anew, and then
// plan_golden_test the last.
#pragma once

#include <cstdlib>
#include <string>

#include "common/base/strings.h"

namespace switchyard::testing {

struct GoldenPlan {
  std::string name;
  std::string migration_file;
  std::string path(const std::string& file) const {
    return std::string(SY_SOURCE_DIR "/tests/golden/plans/") + name + "/" + file;
  }
};

inline GoldenPlan StudioBookings() {
  return {.name = "studio-bookings",
          .migration_file = SY_SOURCE_DIR "/examples/studio-bookings/migration.yaml"};
}
inline GoldenPlan FourTables() {
  return {.name = "four-tables",
          .migration_file = SY_SOURCE_DIR "/tests/golden/plans/four-tables/migration.yaml"};
}

inline bool UpdatesGolden() { return std::getenv("SWITCHYARD_UPDATE_GOLDEN") != nullptr; }

}  // namespace switchyard::testing
