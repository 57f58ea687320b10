// A session of the control plane to one side that is made again when it was lost, between calls
// only: every call is one transaction, and answers as cutover/ports.h says.
//
//   ControlLink link({.dsn = dsn}, cancel);
//   RETURN_IF_ERROR(link.Run(limit, [&](pg::ControlTransaction& tx) { return tx.Execute(sql); }));
//
// Thread-compatible. The Cancel must outlive it.
#pragma once

#include <memory>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/control_session.h"

namespace switchyard::cutover {

class ControlLink {
 public:
  ControlLink(pg::SessionOptions options, const Cancel& cancel)
      : options_(std::move(options)), cancel_(cancel) {}

  // Committed, and durable here, when `body` returns OK. Its locks and statements end at `limit`:
  // DeadlineExceeded, nothing was done. Unknown: COMMIT was sent, and not answered.
  absl::Status Run(absl::Duration limit,
                   absl::FunctionRef<absl::Status(pg::ControlTransaction&)> body);
  // The session that the next call uses.
  absl::StatusOr<pg::ControlSession*> Session();

 private:
  const pg::SessionOptions options_;
  const Cancel& cancel_;
  std::unique_ptr<pg::ControlSession> session_;
};

}  // namespace switchyard::cutover
