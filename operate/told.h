// How a command or a role that failed is told to a person.
#pragma once

#include "common/base/status.h"

namespace switchyard::operate {

// `status` with the next step that whoever reads it takes: its own, or the one that goes with the
// SQLSTATE it carries. What mends itself keeps none.
absl::Status AsTold(const absl::Status& status);

}  // namespace switchyard::operate
