#include "replayer/write/savepoint.h"

#include "absl/strings/str_cat.h"

namespace switchyard::replayer {

absl::Status InSavepoint(pg::Session& session, const std::string& name,
                         absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(session.Execute("SAVEPOINT " + name));
  const absl::Status status = body();
  if (status.ok()) return session.Execute("RELEASE SAVEPOINT " + name);
  if (session.alive()) {
    RETURN_IF_ERROR(session.Execute(
        absl::StrCat("ROLLBACK TO SAVEPOINT ", name, "; RELEASE SAVEPOINT ", name)));
  }
  return status;
}

}  // namespace switchyard::replayer
