// Which of many rows a table refuses. Rows stand in each other's way: one that is refused alone may
// pass with another, or once another is gone. Pure; what is tried is up to the caller.
//
//   ASSIGN_OR_RETURN(std::vector<Refusal> refusals, WriteWhatFits(numbers, {write, fits}));
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/finding.h"
#include "common/base/status.h"

namespace switchyard::replayer {

using Numbers = std::vector<int64_t>;  // of rows, ascending

struct Refusal {
  int64_t number = 0;
  absl::Status error;  // one for which IsRefusedRow holds
};

// SQLSTATE 21000, 54000 and classes 22 and 23, or a value of regclass or its kin that names nothing
// here: the row is at fault, not the system.
bool IsRefusedRow(const absl::Status& status);
// What may be logged of it: a name that is a row's value is left out.
std::string RefusalText(const absl::Status& refusal);
// The same with the step it carries; `otherwise` where it carries none.
Finding FindingOfRefusal(const absl::Status& refusal, std::string_view otherwise);
// With what a person does about one that ends the stream and does not say.
absl::Status WithHowToMend(const absl::Status& status);
inline constexpr char kMendAndStart[] =
    "mend what it names and start the replayer again; nothing was skipped";
// Starting over from the stored position can mend it. A topic that is not found went after it was
// made or seen: the next look says what is lost with it, if anything.
bool MayPass(const absl::Status& status);
// One for which another row is in the way, or was: of unique and exclusion constraints.
bool IsClash(const absl::Status& status);

struct Attempts {
  // Writes these rows, all or none. IsRefusedRow: the table refuses one of them.
  absl::FunctionRef<absl::Status(const Numbers& rows)> write;
  // The same with the others of `among` out of the way; writes nothing in any case.
  absl::FunctionRef<absl::Status(const Numbers& rows, const Numbers& among)> fits;
};

// Writes what the table takes, in whatever order; gives what it refuses. Takes the first error
// that is no refusal for its own.
absl::StatusOr<std::vector<Refusal>> WriteWhatFits(const Numbers& rows, const Attempts& attempts);
// The same where rows only wait for each other, and none has to move together with another.
absl::StatusOr<std::vector<Refusal>> WriteWhatFits(
    const Numbers& rows, absl::FunctionRef<absl::Status(const Numbers& rows)> write);
// The first one for the rows 1 to `count` but those of `without` (ascending), at most `piece_max`
// of them in one attempt. A later piece may make room for rows of an earlier one: what is refused
// is tried again after the last, together. From a thousand refused rows on, when values must be
// going round among most, refused pieces are not looked into but tried as a whole at the end.
absl::StatusOr<std::vector<Refusal>> WriteInPieces(int64_t count, const Numbers& without,
                                                   int64_t piece_max, const Attempts& attempts);

// Numbers that follow each other, as [from, to).
std::vector<std::pair<int64_t, int64_t>> ContiguousRuns(const Numbers& numbers);
// SQL condition: `column` is one of them.
std::string IsOneOf(std::string_view column, const Numbers& numbers);

}  // namespace switchyard::replayer
