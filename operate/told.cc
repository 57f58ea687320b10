#include "operate/told.h"

#include "common/pg/error.h"

namespace switchyard::operate {

absl::Status AsTold(const absl::Status& status) { return pg::WithNextStepFor(status); }

}  // namespace switchyard::operate
