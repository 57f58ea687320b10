#include "common/records/stream/progress.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/strings.h"

namespace switchyard::records {
namespace {

constexpr char kStep[] = "switchyard step ";
constexpr char kOf[] = " of ";
constexpr char kRowByRow[] = ", row by row";

}  // namespace

absl::Status ShowStep(pg::Session& session, const Step& step) {
  return session
      .Query("SELECT set_config('application_name', $1, true)",
             {absl::StrCat(kStep, step.step, kOf, step.steps, " ", step.work)})
      .status();
}

absl::Status ShowRowByRow(pg::Session& session) {
  return session
      .Query(
          "SELECT set_config('application_name', overlay(name PLACING $1 FROM "
          "least(length(name), 63 - length($1)) + 1), true) "
          "FROM current_setting('application_name') AS name WHERE name NOT LIKE '%' || $1",
          {kRowByRow})
      .status();
}

std::optional<Step> StepIn(std::string_view application_name) {
  // "switchyard step 3 of 7 derives public.users"
  absl::string_view rest = Sv(application_name);
  if (!absl::ConsumePrefix(&rest, kStep)) return std::nullopt;
  const std::pair<absl::string_view, absl::string_view> step =
      absl::StrSplit(rest, absl::MaxSplits(kOf, 1));
  const std::pair<absl::string_view, absl::string_view> steps =
      absl::StrSplit(step.second, absl::MaxSplits(' ', 1));
  Step shown = {.work = std::string(steps.second)};
  if (!absl::SimpleAtoi(step.first, &shown.step) || !absl::SimpleAtoi(steps.first, &shown.steps)) {
    return std::nullopt;
  }
  return shown;
}

}  // namespace switchyard::records
