// What comparisons of both databases found: switchyard.parity_pass, parity_table and
// parity_difference of a target.
//
//   none, done --Begin--> under way --End--> done
//   under way --Begin--> under way     of the same mapping, and young: it was cut short, go on
//
// A table's result stands until the table is compared again, in whichever pass.
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

// A rule over two verdicts: the worse one holds. In order, from the best.
enum class Verdict { kClean, kDifferent, kInconclusive };

std::string ToString(Verdict verdict);
absl::StatusOr<Verdict> ParseVerdict(std::string_view text);

struct ParityPass {
  int64_t pass = 0;
  std::string fingerprint;  // of the mapping
  absl::Time begun;
  std::optional<absl::Time> finished;  // none: under way, or cut short
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;  // of inconclusive
};

struct ParityTable {
  std::string table;  // schema.name in the target
  std::string owns;   // which of its rows; empty: all
  int64_t pass = 0;
  std::string fingerprint;
  std::vector<std::string> sources;  // schema.name of the source's tables it was held against
  Lsn lsn;                           // as of this point
  Verdict verdict = Verdict::kInconclusive;
  std::string reason;
  int64_t rows = 0;  // compared
  int64_t missing = 0;
  int64_t different = 0;
  int64_t extra = 0;
  absl::Time compared;
};

// JSON objects of texts by column; nothing where the row is not there.
struct ParityDifference {
  std::string table;
  std::string kind;  // missing, different, extra
  std::string key;
  std::optional<std::string> expected;
  std::optional<std::string> actual;
};

class ParityResults {
 public:
  ParityResults(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // A pass begins, or goes on where it was cut short less than `patience` ago. Its number.
  // `tables`: how many it compares.
  absl::StatusOr<int64_t> Begin(const std::string& fingerprint, int64_t tables,
                                absl::Duration patience);
  absl::Status End(int64_t pass, Verdict verdict, const std::string& reason);
  absl::StatusOr<std::optional<ParityPass>> LastPass();

  // What is known of the table, with its differences.
  absl::Status Forget(const ParityTable& result);
  absl::Status Add(const ParityTable& result);
  // All results and the last pass: the target is filled anew.
  absl::Status ForgetAll();
  absl::Status AddDifferences(const ParityTable& result,
                              const std::vector<ParityDifference>& differences);
  // By name.
  absl::StatusOr<std::vector<ParityTable>> Tables();
  // The first `limit` of a table, whichever of its rows they are of; of columns in `sensitive`
  // ("schema.name|column") digests.
  absl::StatusOr<std::vector<ParityDifference>> Differences(
      const std::string& table, int64_t limit, const std::vector<std::string>& sensitive = {});

  // Whether each result that was held against that table of the source, and there are some, is
  // clean as of `seen` or later. False unless every table has a result under the last pass's
  // mapping: those that are missing may be held against it, too.
  absl::StatusOr<bool> IsCleanSince(const std::string& source, Lsn seen);

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
