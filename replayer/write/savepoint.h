// A part of a transaction that can fail by itself.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

// Undoes what `body` did when it fails, and returns its status. `name`: of the savepoint, an
// identifier that needs no quotes.
absl::Status InSavepoint(pg::Session& session, const std::string& name,
                         absl::FunctionRef<absl::Status()> body);

}  // namespace switchyard::replayer
