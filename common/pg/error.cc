#include "common/pg/error.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::pg {
namespace {

constexpr char kPayloadUrl[] = "switchyard/postgres-error";
// NUL can't occur in any field: libpq hands them out as C strings.
constexpr char kSeparator = '\0';

// One order for writing and reading the payload.
template <typename Fields>
auto Members(Fields& f) {
  return std::array{&f.sqlstate, &f.schema,          &f.table,    &f.column, &f.constraint,
                    &f.detail,   &f.primary,         &f.datatype, &f.hint,   &f.context,
                    &f.severity, &f.source_function, &f.position};
}

bool InList(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

absl::StatusCode CodeFor(std::string_view state, bool fatal) {
  const std::string_view group = state.substr(0, 2);
  if (state == "08P01" && !fatal) return absl::StatusCode::kInvalidArgument;
  if (state == "40003") return absl::StatusCode::kUnknown;
  if (InList(state, {"57P01", "57P02", "57P03", "57P05"})) return absl::StatusCode::kUnavailable;
  if (InList(state, {"55P03", "57014"})) return absl::StatusCode::kAborted;
  if (InList(state, {"XX001", "XX002"})) return absl::StatusCode::kDataLoss;
  if (InList(state, {"53400", "42501"})) return absl::StatusCode::kFailedPrecondition;
  if (group == "08" || group == "53") return absl::StatusCode::kUnavailable;
  if (group == "40") return absl::StatusCode::kAborted;
  if (group == "42") return absl::StatusCode::kInvalidArgument;
  return absl::StatusCode::kFailedPrecondition;
}

// Classes whose DETAIL quotes rows, or comes from the user's own code.
bool DetailMayHoldRows(std::string_view group) {
  return InList(group, {"22", "23", "44", "P0", "38", "39", "HV", "XX"});
}

// What a person does about an error of that SQLSTATE, where nobody knows better.
std::string_view StepFor(std::string_view state) {
  static constexpr std::pair<std::string_view, std::string_view> kSteps[] = {
      {"42501",
       "switchyard check FILE prints the grants that are missing: run them, and start again"},
      {"25006",
       "lead the connection string to the primary, or have its owner run: ALTER DATABASE "
       "... SET default_transaction_read_only = off"},
      {"53400", "raise the limit it names in that server's postgresql.conf"},
      {"55006", "end who uses it (SELECT * FROM pg_stat_activity shows who), and start again"},
      {"54001", "raise max_stack_depth of that server"},
      {"XX001",
       "that server's data is damaged: stop its writers, and restore it or repair it "
       "(REINDEX, extension amcheck) before anything is started again"},
      {"XX002", "an index of that server is damaged: REINDEX it, and start again"},
      {"21",
       "mend the mapping, which gives one row more than once, then run: switchyard resume FILE"},
      {"22", "mend that value in OLD, or the mapping (then: switchyard resume FILE)"},
      {"23", "mend that row in OLD, or the mapping (then: switchyard resume FILE)"},
      {"28", "correct user and password of the connection string, or pg_hba.conf of that server"},
      {"3D", "correct dbname of the connection string, or create that database"},
      {"42", "switchyard check FILE names what the databases lack"},
      {"54", "make that row or statement smaller: it is beyond what Postgres can hold"},
      {"55", "switchyard check FILE names what that server lacks"},
  };
  for (const auto& [prefix, step] : kSteps) {
    if (state.starts_with(prefix)) return step;
  }
  return "that server's log says more at this time: mend what it names, and start again";
}

}  // namespace

// A class 22 message often quotes the value: invalid input syntax for type integer: "abc", value
// "300" is out of range. What a function raises by itself may hold anything.
std::string TextWithoutValues(const ErrorFields& fields) {
  const std::string_view group = std::string_view(fields.sqlstate).substr(0, 2);
  if (group == "SY") return fields.primary;  // of our own (deploy/sql/fence.sql)
  if (group == "P0" || fields.source_function == "exec_stmt_raise") {
    return "a function of the database raised an error, whose text stands in the server's log";
  }
  if (group != "22") return fields.primary;
  std::string text = fields.primary.substr(0, fields.primary.find(": \""));
  const size_t open = text.find('"');
  if (open == std::string::npos) return text;
  return text.replace(open, text.rfind('"') + 1 - open, "...");
}

ErrorFields StatusErrorFields(const absl::Status& status) {
  ErrorFields fields;
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return fields;
  const std::vector<std::string> parts =
      absl::StrSplit(std::string(*payload), absl::ByChar(kSeparator));
  const auto members = Members(fields);
  for (size_t i = 0; i < members.size() && i < parts.size(); ++i) *members[i] = parts[i];
  return fields;
}

std::string StatusSqlState(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return "";
  const std::string text(*payload);
  return text.substr(0, text.find(kSeparator));
}

bool IsRowRefused(const absl::Status& status) {
  const std::string state = StatusSqlState(status);
  return InList(std::string_view(state).substr(0, 2), {"22", "23"});
}

absl::Status WithNextStepFor(const absl::Status& status) {
  const std::string state = StatusSqlState(status);
  const bool acts = absl::IsFailedPrecondition(status) || absl::IsDataLoss(status);
  if (!acts && (state.empty() || !absl::IsInvalidArgument(status))) return status;
  if (!state.empty()) return WithNextStep(status, StepFor(state));
  return WithNextStep(status,
                      absl::IsDataLoss(status)
                          ? std::string_view(kCopyAllAnew)
                          : "switchyard check FILE names what is missing; then start again");
}

absl::Status RefusedRow(std::string_view text, const ErrorFields& fields) {
  return WithErrorFields(absl::FailedPreconditionError(Sv(text)), fields);
}

absl::Status WithErrorFields(absl::Status status, const ErrorFields& fields) {
  std::string payload;
  for (const std::string* member : Members(fields)) {
    if (member != &fields.sqlstate) payload += kSeparator;
    payload += *member;
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

absl::Status StatusFromFields(const ErrorFields& fields) {
  const std::string_view group = std::string_view(fields.sqlstate).substr(0, 2);
  const bool fatal = fields.severity == "FATAL" || fields.severity == "PANIC";
  std::string text = absl::StrCat(TextWithoutValues(fields), " (SQLSTATE ", fields.sqlstate, ")");
  if (!fields.detail.empty() && !DetailMayHoldRows(group)) {
    absl::StrAppend(&text, ": ", fields.detail);
  }
  // Class 42 hints name the column or function that was meant.
  if (group == "42" && !fields.hint.empty()) absl::StrAppend(&text, ". ", fields.hint);
  const absl::Status status =
      WithErrorFields(absl::Status(CodeFor(fields.sqlstate, fatal), text), fields);
  if (fields.hint.find("max_locks_per_transaction") == std::string::npos) return status;
  return WithNextStep(status, "raise max_locks_per_transaction there and restart that server");
}

}  // namespace switchyard::pg
