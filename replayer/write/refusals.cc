#include "replayer/write/refusals.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/base/wait/retry.h"
#include "common/pg/error.h"

namespace switchyard::replayer {
namespace {

// More would take minutes; so many refusals stop the stream in any case.
constexpr size_t kTogetherMax = 1000;
// More conditions than this for each row cost more than a hash table of the numbers.
constexpr size_t kRunsMax = 16;

// Names of objects that the target does not have, as values of regclass and its kin. Missing
// objects of a statement itself have a place in it; those of a function's statements, its context.
bool NamesNoObject(const absl::Status& status) {
  static constexpr std::string_view kStates[] = {"42P01", "42704", "42883", "42725", "3F000"};
  const pg::ErrorFields fields = pg::StatusErrorFields(status);
  return std::ranges::count(kStates, fields.sqlstate) > 0 && fields.position.empty() &&
         fields.context.find("function") == std::string::npos;
}

using Attempt = absl::FunctionRef<absl::Status(const Numbers& rows)>;

Numbers NumbersOf(const std::vector<Refusal>& refusals) {
  Numbers numbers;
  for (const Refusal& refusal : refusals) numbers.push_back(refusal.number);
  std::ranges::sort(numbers);
  return numbers;
}

void Erase(const Numbers& numbers, std::vector<Refusal>* refusals) {
  std::erase_if(*refusals, [&](const Refusal& refusal) {
    return std::ranges::binary_search(numbers, refusal.number);
  });
}

// With `refusals_max` of them, it is no longer asked which rows are refused: all of the rest.
absl::Status Bisect(const Numbers& rows, Attempt attempt, std::vector<Refusal>* refusals,
                    size_t refusals_max = std::numeric_limits<size_t>::max()) {
  if (rows.empty()) return absl::OkStatus();
  const absl::Status status = attempt(rows);
  if (status.ok() || !IsRefusedRow(status)) return status;
  if (rows.size() == 1 || refusals->size() >= refusals_max) {
    for (const int64_t row : rows) refusals->push_back({row, status});
    return absl::OkStatus();
  }
  const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(rows.size() / 2);
  RETURN_IF_ERROR(Bisect(Numbers(rows.begin(), middle), attempt, refusals, refusals_max));
  return Bisect(Numbers(middle, rows.end()), attempt, refusals, refusals_max);
}

absl::Status TryEach(Attempt write, std::vector<Refusal>* refusals) {
  std::vector<Refusal> still;
  for (const Refusal& refusal : *refusals) {
    const absl::Status status = write({refusal.number});
    if (IsRefusedRow(status)) {
      still.push_back({refusal.number, status});
    } else {
      RETURN_IF_ERROR(status);
    }
  }
  *refusals = std::move(still);
  return absl::OkStatus();
}

// One may have stood in another's way: until nothing moves.
absl::Status TryUntilNoneMoves(Attempt write, std::vector<Refusal>* refusals) {
  for (size_t before = 0; refusals->size() != before && !refusals->empty();) {
    before = refusals->size();
    RETURN_IF_ERROR(TryEach(write, refusals));
  }
  return absl::OkStatus();
}

// Values that go round among rows pass when all of them move at once. Rows that could not be
// written even if all others were gone stay where they are, and with them those that want their
// places.
absl::Status TryTogether(const Attempts& attempts, std::vector<Refusal>* refusals) {
  std::vector<Refusal> clashes;
  std::ranges::copy_if(*refusals, std::back_inserter(clashes),
                       [](const Refusal& refusal) { return IsClash(refusal.error); });
  if (clashes.size() > kTogetherMax) return absl::OkStatus();
  while (clashes.size() > 1) {
    const Numbers together = NumbersOf(clashes);
    const absl::Status status = attempts.write(together);
    if (status.ok()) Erase(together, refusals);
    if (!IsRefusedRow(status)) return status;
    std::vector<Refusal> stuck;
    RETURN_IF_ERROR(Bisect(
        together, [&](const Numbers& rows) { return attempts.fits(rows, together); }, &stuck));
    if (stuck.empty()) break;
    Erase(NumbersOf(stuck), &clashes);
  }
  return absl::OkStatus();
}

}  // namespace

bool IsRefusedRow(const absl::Status& status) {
  // 21000: the select gave one key twice. 54000: too large, for an index or for a page.
  const std::string state = pg::StatusSqlState(status);
  return pg::IsRowRefused(status) || state == "21000" || state == "54000" || NamesNoObject(status);
}

std::string RefusalText(const absl::Status& refusal) {
  if (!NamesNoObject(refusal)) return std::string(StdSv(refusal.message()));
  return absl::StrCat("a value of regclass or its kin names nothing in this database (SQLSTATE ",
                      pg::StatusSqlState(refusal), ")");
}

Finding FindingOfRefusal(const absl::Status& refusal, std::string_view otherwise) {
  Finding finding = FindingOf(refusal, otherwise);
  if (NamesNoObject(refusal)) finding.what = RefusalText(refusal);
  return finding;
}

// A trigger may raise for any reason, not only for the row: it is not for quarantine to judge.
absl::Status WithHowToMend(const absl::Status& status) {
  if (pg::StatusSqlState(status) != "P0001") return pg::WithNextStepFor(status);
  return WithNextStep(
      status,
      "see in NEW's log which trigger or function raised it, mend that or disable it "
      "(ALTER TABLE ... DISABLE TRIGGER ...), and start the replayer again; nothing "
      "was skipped");
}

bool MayPass(const absl::Status& status) {
  return IsRetryable(status) || absl::IsUnknown(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsNotFound(status);
}

bool IsClash(const absl::Status& status) {
  const std::string state = pg::StatusSqlState(status);
  return state == "23505" || state == "23P01";
}

absl::StatusOr<std::vector<Refusal>> WriteWhatFits(const Numbers& rows, Attempt write) {
  std::vector<Refusal> refusals;
  RETURN_IF_ERROR(Bisect(rows, write, &refusals));
  RETURN_IF_ERROR(TryUntilNoneMoves(write, &refusals));
  return refusals;
}

absl::StatusOr<std::vector<Refusal>> WriteWhatFits(const Numbers& rows, const Attempts& attempts) {
  std::vector<Refusal> refusals;
  RETURN_IF_ERROR(Bisect(rows, attempts.write, &refusals));
  for (size_t before = 0; refusals.size() != before && !refusals.empty();) {
    RETURN_IF_ERROR(TryUntilNoneMoves(attempts.write, &refusals));
    before = refusals.size();
    RETURN_IF_ERROR(TryTogether(attempts, &refusals));
  }
  return refusals;
}

absl::StatusOr<std::vector<Refusal>> WriteInPieces(int64_t count, const Numbers& without,
                                                   int64_t piece_max, const Attempts& attempts) {
  std::vector<Refusal> refusals;
  for (int64_t first = 1; first <= count; first += piece_max) {
    Numbers rows;
    for (int64_t row = first; row < first + piece_max && row <= count; ++row) {
      if (!std::ranges::binary_search(without, row)) rows.push_back(row);
    }
    if (count <= piece_max) return WriteWhatFits(rows, attempts);
    RETURN_IF_ERROR(Bisect(rows, attempts.write, &refusals, kTogetherMax));
  }
  return WriteWhatFits(NumbersOf(refusals), attempts);
}

std::vector<std::pair<int64_t, int64_t>> ContiguousRuns(const Numbers& numbers) {
  std::vector<std::pair<int64_t, int64_t>> runs;
  for (const int64_t number : numbers) {
    if (!runs.empty() && runs.back().second == number) {
      ++runs.back().second;
    } else {
      runs.emplace_back(number, number + 1);
    }
  }
  return runs;
}

std::string IsOneOf(std::string_view column, const Numbers& numbers) {
  if (ContiguousRuns(numbers).size() > kRunsMax) {
    return absl::StrCat(Sv(column), " = ANY('{", absl::StrJoin(numbers, ","), "}'::int[])");
  }
  std::vector<std::string> tests = {"false"};
  for (const auto& [from, to] : ContiguousRuns(numbers)) {
    tests.push_back(
        absl::StrCat("(", Sv(column), " >= ", from, " AND ", Sv(column), " < ", to, ")"));
  }
  return absl::StrCat("(", absl::StrJoin(tests, " OR "), ")");
}

}  // namespace switchyard::replayer
