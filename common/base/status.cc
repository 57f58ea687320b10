#include "common/base/status.h"

#include <string>

#include "common/base/strings.h"

namespace switchyard {

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(Sv(context), ": ", status.message()));
}

}  // namespace switchyard
