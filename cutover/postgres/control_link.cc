#include "cutover/postgres/control_link.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cutover/postgres/answers.h"

namespace switchyard::cutover {
namespace {

// Of the client, above that of the server, whose word is the better one.
constexpr absl::Duration kAnswerTime = absl::Milliseconds(100);

}  // namespace

absl::StatusOr<pg::ControlSession*> ControlLink::Session() {
  if (session_ == nullptr || !session_->alive()) {
    session_.reset();
    ASSIGN_OR_RETURN(session_, pg::ControlSession::Connect(options_, cancel_));
  }
  return session_.get();
}

absl::Status ControlLink::Run(absl::Duration limit,
                              absl::FunctionRef<absl::Status(pg::ControlTransaction&)> body) {
  ASSIGN_OR_RETURN(pg::ControlSession * session, Session());
  const std::string limit_ms =
      absl::StrCat(std::max<int64_t>(1, absl::ToInt64Milliseconds(limit)), "ms");
  bool committing = false;
  const absl::Status status = session->InTransaction(
      [&](pg::ControlTransaction& tx) -> absl::Status {
        RETURN_IF_ERROR(tx.Execute(
            "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $1, "
            "true), set_config('synchronous_commit', 'on', true)",
            {limit_ms}));
        RETURN_IF_ERROR(body(tx));
        committing = true;
        return absl::OkStatus();
      },
      {.statement_timeout = limit + kAnswerTime});
  return committing ? CommitAnswer(status) : LockNotHadIsLate(status);
}

}  // namespace switchyard::cutover
