#include "cutover/postgres/answers.h"

#include <string>

#include "common/base/finding.h"
#include "common/pg/error.h"

namespace switchyard::cutover {

bool IsLockNotHad(const absl::Status& status) {
  const std::string code = pg::StatusSqlState(status);
  return code == "55P03" || code == "40P01" || code == "57014";
}

bool IsEndedByServer(const absl::Status& status) {
  const std::string code = pg::StatusSqlState(status);
  return code == "25P03" || code == "25P04" || code.rfind("57P", 0) == 0;
}

absl::Status LockNotHadIsLate(const absl::Status& status) {
  return IsLockNotHad(status) ? WithCode(absl::StatusCode::kDeadlineExceeded, status) : status;
}

absl::Status CommitAnswer(const absl::Status& status) {
  const bool said_no = !pg::StatusSqlState(status).empty() && !IsEndedByServer(status) &&
                       pg::StatusSqlState(status) != "57014";
  return status.ok() || said_no ? status : WithCode(absl::StatusCode::kUnknown, status);
}

}  // namespace switchyard::cutover
