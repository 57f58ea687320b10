// Status plumbing: RETURN_IF_ERROR, ASSIGN_OR_RETURN and Annotate.
//
//   ASSIGN_OR_RETURN(Lsn lsn, Lsn::Parse(text));
//   RETURN_IF_ERROR(Annotate(session.Execute(sql), "stream shop"));
//
// The code says what the caller does next: Unavailable back off and retry; Aborted rerun the
// transaction; FailedPrecondition stop, a person acts; InvalidArgument a mistake in what was
// given; DataLoss stop the stream, skip nothing; Unknown outcome in doubt, re-read the position;
// Cancelled shutting down.
#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace switchyard {

// `status` with "context: " put before its message, payloads kept; OK stays OK.
absl::Status Annotate(const absl::Status& status, std::string_view context);

}  // namespace switchyard

#define RETURN_IF_ERROR(expr)                               \
  do {                                                      \
    if (absl::Status sy_status = (expr); !sy_status.ok()) { \
      return sy_status;                                     \
    }                                                       \
  } while (false)

#define SY_CONCAT_INNER(a, b) a##b
#define SY_CONCAT(a, b) SY_CONCAT_INNER(a, b)
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_IMPL(SY_CONCAT(sy_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr)    \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)
