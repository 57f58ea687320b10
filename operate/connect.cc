#include "operate/connect.h"

#include <string>

#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/pg/error.h"

namespace switchyard::operate {
namespace {

constexpr char kName[] = "switchyard cli";

}  // namespace

absl::Status RequireDsn(const spec::Endpoint& endpoint, std::string_view side) {
  const absl::StatusOr<std::string> dsn = endpoint.Dsn();
  if (dsn.ok()) return absl::OkStatus();
  return WithCode(absl::StatusCode::kInvalidArgument, Annotate(dsn.status(), side));
}

absl::StatusOr<std::unique_ptr<pg::Session>> OpenSession(const spec::Endpoint& endpoint,
                                                         std::string_view side,
                                                         const Cancel& cancel) {
  RETURN_IF_ERROR(RequireDsn(endpoint, side));
  const absl::StatusOr<std::string> dsn = endpoint.Dsn();
  auto session = pg::Session::Connect({.dsn = *dsn, .application_name = kName}, cancel);
  if (!session.ok()) return Annotate(session.status(), side);
  return session;
}

absl::StatusOr<std::unique_ptr<pg::Session>> ConnectTo(const spec::Endpoint& endpoint,
                                                       std::string_view side,
                                                       const Cancel& cancel) {
  auto session = OpenSession(endpoint, side, cancel);
  if (!absl::IsFailedPrecondition(session.status())) return session;
  return WithCode(absl::StatusCode::kUnavailable, session.status());
}

absl::StatusOr<std::unique_ptr<pg::ControlSession>> ConnectControl(const spec::Endpoint& endpoint,
                                                                   std::string_view side,
                                                                   const Cancel& cancel) {
  RETURN_IF_ERROR(RequireDsn(endpoint, side));
  const absl::StatusOr<std::string> dsn = endpoint.Dsn();
  auto session = pg::ControlSession::Connect({.dsn = *dsn, .application_name = kName}, cancel);
  if (session.ok()) return session;
  if (!absl::IsFailedPrecondition(session.status())) return Annotate(session.status(), side);
  return WithCode(absl::StatusCode::kUnavailable, Annotate(session.status(), side));
}

bool IsLoginRefused(const absl::Status& status) {
  // FATAL is how a server refuses it.
  return absl::IsFailedPrecondition(status) && pg::StatusErrorFields(status).severity == "FATAL";
}

}  // namespace switchyard::operate
