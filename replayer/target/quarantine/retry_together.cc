#include "replayer/target/quarantine/retry_together.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "replayer/write/savepoint.h"
#include "replayer/write/written.h"

namespace switchyard::replayer {
namespace {

class Together {
 public:
  Together(Stage& stage, const std::vector<TogetherPart>& parts) : stage_(stage), parts_(parts) {}

  // All rows of `among` are taken out of the table; of them `some` are put back as they are to be.
  absl::Status Write(const Numbers& some, const Numbers& among) {
    std::vector<int64_t> missed;
    for (const TogetherPart& part : parts_) {
      RETURN_IF_ERROR(StageRows(part, among));
      ASSIGN_OR_RETURN(missed.emplace_back(), CountMissedBefore(stage_, WriteOf(part)));
      stage_.UseTable(WriteOf(part).taken_table);
      RETURN_IF_ERROR(stage_.Run(WriteOf(part).take_out[0]));
    }
    for (size_t p = 0; p < parts_.size(); ++p) {
      const TogetherPart& part = parts_[p];
      RETURN_IF_ERROR(StageRows(part, some));
      RETURN_IF_ERROR(stage_.session().Execute(
          absl::StrCat("DELETE FROM pg_temp.", QuoteIdentifier(WriteOf(part).taken_table),
                       " WHERE NOT ", IsOneOf("sy__ord", some))));
      RETURN_IF_ERROR(WriteChecked(stage_, WriteOf(part), Gone::kNow, missed[p],
                                   [&] { return PutBack(WriteOf(part)); }));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status PutBack(const mapping::TableWrite& write) {
    for (size_t i = 1; i < write.take_out.size(); ++i) {
      RETURN_IF_ERROR(stage_.Run(write.take_out[i]));
    }
    return absl::OkStatus();
  }
  const mapping::TableWrite& WriteOf(const TogetherPart& part) const {
    return stage_.plan().mappings[part.mapping].write;
  }
  // Several parts may come from one source.
  absl::Status StageRows(const TogetherPart& part, const Numbers& rows) {
    Numbers own;
    std::ranges::set_intersection(rows, part.rows, std::back_inserter(own));
    const mapping::SourceIndex source = stage_.plan().mappings[part.mapping].source;
    const std::string stage = "pg_temp." + QuoteIdentifier(stage_.plan().sources[source].stage);
    stage_.UseStage(source);
    return stage_.session().Execute(
        absl::StrCat("DELETE FROM ", stage, "; INSERT INTO ", stage, " SELECT * FROM pg_temp.",
                     QuoteIdentifier(part.saved), " WHERE ", IsOneOf("sy__ord", own)));
  }

  Stage& stage_;
  const std::vector<TogetherPart>& parts_;
};

}  // namespace

absl::StatusOr<std::vector<Refusal>> WriteTogether(TableWriter& writer,
                                                   const std::vector<TogetherPart>& parts) {
  Together together(writer.stage(), parts);
  Numbers all;
  for (const TogetherPart& part : parts) all.insert(all.end(), part.rows.begin(), part.rows.end());
  std::ranges::sort(all);
  const auto write = [&](const Numbers& some) {
    return InSavepoint(writer.stage().session(), "sy_together",
                       [&] { return together.Write(some, some); });
  };
  const auto fits = [&](const Numbers& some, const Numbers& among) -> absl::Status {
    absl::Status fit;
    const absl::Status undone =
        InSavepoint(writer.stage().session(), "sy_together", [&]() -> absl::Status {
          fit = together.Write(some, among);
          return absl::AbortedError("only tried");
        });
    return fit.ok() && !absl::IsAborted(undone) ? undone : fit;
  };
  absl::StatusOr<std::vector<Refusal>> refusals = WriteWhatFits(all, {write, fits});
  RETURN_IF_ERROR(refusals.status());
  for (const TogetherPart& part : parts) {
    RETURN_IF_ERROR(writer.stage().ClearStage(writer.stage().plan().mappings[part.mapping].source));
  }
  return refusals;
}

}  // namespace switchyard::replayer
