// What a Postgres error means to the caller: its Status code, and the fields that ride along.
//
//   if (pg::StatusSqlState(status) == "55006") ...
//   pg::ErrorFields fields = pg::StatusErrorFields(status);   // fields.constraint == "users_pkey"
//
// Codes, by SQLSTATE:
//   Unavailable         08, 53 (but 53400), 57P01..57P03, 57P05, lost connections: back off, retry
//   Aborted             40, 55P03 (lock time-out), 57014 (cancelled by someone else): rerun
//   Unknown             40003, and whatever ends the connection during COMMIT: re-read
//   InvalidArgument     42 (syntax, missing objects, types), 08P01 inside a session: the SQL given
//                       does not fit this database
//   DataLoss            XX001, XX002 (corruption)
//   FailedPrecondition  everything else: 22 and 23 (a value the database refuses), 28, 3D, 42501
//                       (a missing grant), 55, 58, P0, XX000 ...: a person acts
//
// Messages hold no connection strings and no row values: DETAIL is left out where it quotes rows,
// and the value that a class 22 message ends with is cut. The fields hold everything; they are
// for storing (quarantine), not for logging: so log status.message(), never status.ToString(),
// which prints the fields too. All functions are pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/status.h"

namespace switchyard::pg {

// The step where an answer is none that a Postgres gives.
inline constexpr char kAskTheServerItself[] =
    "let the connection string lead to the Postgres server itself, not to what stands before it";

// The fields of the server's error report, "" when absent. May hold row values.
struct ErrorFields {
  std::string sqlstate, schema, table, column, constraint, detail, primary;
  std::string datatype, hint, context;
  std::string position;         // 1-based character of the statement, for syntax and name errors
  std::string severity;         // ERROR, FATAL, PANIC: never translated
  std::string source_function;  // the server's C function, for the few cases SQLSTATE can't tell
};

// The five-character SQLSTATE a Session error carries, or "" (connection errors, other statuses).
std::string StatusSqlState(const absl::Status& status);
// All of them; empty when the status does not come from a server's error.
ErrorFields StatusErrorFields(const absl::Status& status);

// What the server says, without a value that it may quote.
std::string TextWithoutValues(const ErrorFields& fields);

// True for SQLSTATE classes 22 and 23: this row is refused, others may pass.
bool IsRowRefused(const absl::Status& status);

// `status` with a step for whoever meets it, by its SQLSTATE, where it asks for one
// (FailedPrecondition, DataLoss, InvalidArgument of a server) and has none. To be called where a
// status leaves for a log, a record or a terminal.
absl::Status WithNextStepFor(const absl::Status& status);

// The status for an error the server reported while a session runs, fields attached.
absl::Status StatusFromFields(const ErrorFields& fields);

// FailedPrecondition for a row that was found to break a rule before the server said so, which
// waits in quarantine as one that it refuses. No step: the entry has its own.
absl::Status RefusedRow(std::string_view text, const ErrorFields& fields);

// `fields` attached to a status of the caller's own making.
absl::Status WithErrorFields(absl::Status status, const ErrorFields& fields);

}  // namespace switchyard::pg
