// Connections of the commands that ask and end; roles make their own and retry.
#pragma once

#include <memory>
#include <string_view>

#include "common/base/wait/cancel.h"
#include "common/pg/control_session.h"
#include "common/pg/session.h"
#include "common/spec/migration_file.h"

namespace switchyard::operate {

// InvalidArgument when the environment or file that `endpoint` names does not hold it.
absl::Status RequireDsn(const spec::Endpoint& endpoint, std::string_view side);

// `side` is "old" or "new", for messages. InvalidArgument: no connection string, or a malformed
// one. Unavailable: no answer. FailedPrecondition: the login is refused, which waiting won't mend.
absl::StatusOr<std::unique_ptr<pg::Session>> OpenSession(const spec::Endpoint& endpoint,
                                                         std::string_view side,
                                                         const Cancel& cancel);

// The same for commands that only ask: Unavailable too when the login is refused.
absl::StatusOr<std::unique_ptr<pg::Session>> ConnectTo(const spec::Endpoint& endpoint,
                                                       std::string_view side, const Cancel& cancel);

// ConnectTo for SQL of the control plane.
absl::StatusOr<std::unique_ptr<pg::ControlSession>> ConnectControl(const spec::Endpoint& endpoint,
                                                                   std::string_view side,
                                                                   const Cancel& cancel);

// Whether it is a server's refusal to let the login in.
bool IsLoginRefused(const absl::Status& status);

}  // namespace switchyard::operate
