#include "verify/table_check.h"

#include <pthread.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "verify/compare_sql.h"

namespace switchyard::verify {
namespace {

constexpr int64_t kPieceRows = 50'000;
constexpr size_t kPieceBytes = size_t{8} << 20;
// More than so many and all rows are read: the list would cost more than it spares.
constexpr size_t kBucketsNamedMax = 4096;
constexpr int kFetchRows = 1000;

absl::Status KeepConnected(
    const std::function<absl::StatusOr<std::unique_ptr<pg::Session>>()>& open,
    std::unique_ptr<pg::Session>* session) {
  if (*session != nullptr && (*session)->alive()) return absl::OkStatus();
  ASSIGN_OR_RETURN(*session, open());
  return absl::OkStatus();
}

// pg_class is seen as of the snapshot, pg_relation_filenode() as it is now: a table with another
// file was truncated or rewritten since, and the snapshot shows none of the rows it had.
absl::Status RefuseOtherFiles(pg::Session& session, const std::string& relations) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query(absl::StrCat("SELECT c.oid::regclass FROM pg_class c WHERE c.relkind = 'r' "
                                 "AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid) "
                                 "AND c.oid IN (",
                                 relations, ") LIMIT 1")));
  if (rows.rows() == 0) return absl::OkStatus();
  return Refuse(
      absl::StrCat(rows.str(0, 0), " was truncated, rewritten or dropped while it was compared"),
      "run it again");
}

absl::StatusOr<std::string> ShapeOf(pg::Session& session, const std::string& relations) {
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session.Query(absl::StrCat(
          "SELECT coalesce(md5(string_agg(concat_ws(',', attrelid, attnum, attname, atttypid, "
          "atttypmod, attisdropped), ';' ORDER BY attrelid, attnum)), '') FROM pg_attribute "
          "WHERE attnum > 0 AND attrelid IN (",
          relations, ")")));
  return row.str(0, 0);
}

// Columns have the names and types now, by which they were just read, that they had then.
absl::Status RefuseOtherColumns(pg::Session& then, pg::Session& now, const std::string& relations,
                                const std::string& table) {
  ASSIGN_OR_RETURN(const std::string shape, ShapeOf(then, relations));
  ASSIGN_OR_RETURN(const std::string shape_now, ShapeOf(now, relations));
  if (shape == shape_now) return absl::OkStatus();
  return Refuse(absl::StrCat("columns of ", table, " were changed while it was compared"),
                "run it again");
}

}  // namespace

absl::Status TableCheck::Begin() {
  RETURN_IF_ERROR(KeepConnected([&] { return pair_.ConnectSource(); }, &source_));
  RETURN_IF_ERROR(KeepConnected([&] { return pair_.ConnectTarget(); }, &expected_));
  RETURN_IF_ERROR(KeepConnected([&] { return pair_.ConnectTarget(); }, &actual_));
  RETURN_IF_ERROR(KeepConnected([&] { return pair_.ConnectSource(); }, &source_now_));
  RETURN_IF_ERROR(KeepConnected([&] { return pair_.ConnectTarget(); }, &target_now_));
  RETURN_IF_ERROR(pair_.BeginSource(*source_));
  RETURN_IF_ERROR(pair_.BeginTarget(*expected_));
  return pair_.BeginTarget(*actual_);
}

void TableCheck::End() {
  for (const auto* session : {&source_, &expected_, &actual_}) {
    if (*session != nullptr && (*session)->alive()) (*session)->Rollback();
  }
}

absl::StatusOr<CheckedTable> TableCheck::Run(const Comparison& comparison, ScanControl& control,
                                             const DifferenceSink& sink) {
  const auto check = [&]() -> absl::StatusOr<CheckedTable> {
    RETURN_IF_ERROR(Begin());
    Scan expected(control);
    Scan actual(control);
    RETURN_IF_ERROR(ScanBoth(comparison, control, &expected, &actual));
    RETURN_IF_ERROR(RefuseChanged(comparison));
    CheckedTable found{.rows = std::max(expected.buckets().total(), actual.buckets().total())};
    std::vector<int> buckets = DifferingBuckets(expected.buckets(), actual.buckets());
    if (buckets.empty()) return found;
    if (buckets.size() > kBucketsNamedMax) buckets.clear();
    RETURN_IF_ERROR(
        expected_->Execute(absl::StrCat(DetailTablesSql(), "; ", KeyTableSql(comparison.actual))));
    RETURN_IF_ERROR(CollectExpected(comparison, buckets));
    RETURN_IF_ERROR(expected_->Execute(
        absl::StrCat("INSERT INTO ", kActualTable, " ", DetailSql(comparison.actual, buckets))));
    RETURN_IF_ERROR(ReadDifferences(comparison, sink, &found));
    RETURN_IF_ERROR(RefuseChanged(comparison));
    if (found.missing + found.different + found.extra > 0) return found;
    return absl::InternalError(
        "hashes of its rows differed, and its rows did not when they were read again: what "
        "computes them does not give the same twice");
  };
  absl::StatusOr<CheckedTable> found = check();
  End();
  return found;
}

absl::Status TableCheck::ScanBoth(const Comparison& comparison, ScanControl& control,
                                  Scan* expected, Scan* actual) {
  absl::Status expected_status;
  std::thread beside([&] {
    expected_status = ScanExpected(comparison, expected);
    if (!expected_status.ok()) control.given_up = true;
  });
  pthread_setname_np(beside.native_handle(), "verify-expected");
  const absl::Status actual_status = actual->Read(*actual_, ScanSql(comparison.actual));
  if (!actual_status.ok()) control.given_up = true;
  beside.join();
  RETURN_IF_ERROR(cancel_.status());
  // One of them was told to end because of the other.
  if (!expected_status.ok() && !absl::IsCancelled(expected_status)) return expected_status;
  RETURN_IF_ERROR(actual_status);
  return expected_status;
}

absl::Status TableCheck::ScanExpected(const Comparison& comparison, Scan* scan) {
  const std::string select = ScanSql(comparison.expected);
  switch (comparison.kind) {
    case Kind::kMirror:
    case Kind::kCopied:
      return scan->Read(*source_, select);
    case Kind::kDerived:
      return scan->Read(*expected_, select);
    case Kind::kComputed:
      RETURN_IF_ERROR(expected_->Execute(comparison.load_table_ddl));
      return EachPiece(comparison, [&] { return scan->Read(*expected_, select); });
  }
  return absl::OkStatus();
}

absl::Status TableCheck::EachPiece(const Comparison& comparison,
                                   const std::function<absl::Status()>& use) {
  std::string lines;
  int64_t rows = 0;
  const auto flush = [&]() -> absl::Status {
    RETURN_IF_ERROR(LoadPiece(lines));
    lines.clear();
    rows = 0;
    return use();
  };
  RETURN_IF_ERROR(source_->CopyOut(CopyOutSql(comparison.load_from),
                                   [&](std::string_view line) -> absl::Status {
                                     lines.append(line);
                                     if (++rows < kPieceRows && lines.size() < kPieceBytes)
                                       return absl::OkStatus();
                                     return flush();
                                   }));
  return rows == 0 ? absl::OkStatus() : flush();
}

absl::Status TableCheck::LoadPiece(const std::string& lines) {
  RETURN_IF_ERROR(expected_->Execute(absl::StrCat("TRUNCATE ", kSourceTable)));
  RETURN_IF_ERROR(expected_->BeginCopyIn(DetailCopySql(kSourceTable)));
  RETURN_IF_ERROR(expected_->PutCopyData(lines));
  return expected_->EndCopyIn().status();
}

// COPY text goes over unread.
absl::Status TableCheck::CollectExpected(const Comparison& comparison,
                                         const std::vector<int>& buckets) {
  const std::string select = DetailSql(comparison.expected, buckets);
  const std::string insert = absl::StrCat("INSERT INTO ", kExpectedTable, " ", select);
  if (comparison.kind == Kind::kDerived) return expected_->Execute(insert);
  if (comparison.kind == Kind::kComputed) {
    return EachPiece(comparison, [&] { return expected_->Execute(insert); });
  }
  RETURN_IF_ERROR(expected_->BeginCopyIn(DetailCopySql(kExpectedTable)));
  RETURN_IF_ERROR(source_->CopyOut(
      CopyOutSql(select), [&](std::string_view line) { return expected_->PutCopyData(line); }));
  return expected_->EndCopyIn().status();
}

absl::Status TableCheck::ReadDifferences(const Comparison& comparison, const DifferenceSink& sink,
                                         CheckedTable* found) {
  RETURN_IF_ERROR(expected_->Execute(absl::StrCat(
      "ANALYZE ", kExpectedTable, "; ANALYZE ", kActualTable,
      "; DECLARE sy_differences NO SCROLL CURSOR FOR ", DifferencesSql(comparison.actual))));
  while (true) {
    ASSIGN_OR_RETURN(const pg::Result rows,
                     expected_->Query(absl::StrCat("FETCH ", kFetchRows, " FROM sy_differences")));
    if (rows.rows() == 0) return absl::OkStatus();
    std::vector<records::ParityDifference> differences;
    for (int i = 0; i < rows.rows(); ++i) {
      records::ParityDifference& one = differences.emplace_back();
      one.table = comparison.table;
      one.kind = rows.str(i, 0);
      one.key = rows.str(i, 1);
      if (!rows.is_null(i, 2)) one.expected = rows.str(i, 2);
      if (!rows.is_null(i, 3)) one.actual = rows.str(i, 3);
      ++(one.kind == "missing" ? found->missing
         : one.kind == "extra" ? found->extra
                               : found->different);
    }
    RETURN_IF_ERROR(sink(differences));
  }
}

absl::Status TableCheck::RefuseChanged(const Comparison& comparison) {
  if (!comparison.relation_ids.empty()) {
    const std::string relations = absl::StrJoin(comparison.relation_ids, ", ");
    RETURN_IF_ERROR(RefuseOtherFiles(*source_, relations));
    RETURN_IF_ERROR(
        RefuseOtherColumns(*source_, *source_now_, relations, comparison.sources.front()));
  }
  const std::string relations = absl::StrFormat(
      "SELECT to_regclass(%1$s)::oid UNION SELECT relid FROM pg_partition_tree(to_regclass(%1$s))",
      QuoteLiteral(comparison.target));
  RETURN_IF_ERROR(RefuseOtherFiles(*actual_, relations));
  return RefuseOtherColumns(*actual_, *target_now_, relations, comparison.table);
}

}  // namespace switchyard::verify
