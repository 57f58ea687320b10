// What a mapping's SQL may and may not do, as faults of the compilation. Internal to the compiler.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "common/catalog/narrowing.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/sql_analysis.h"

namespace switchyard::mapping {

class SqlChecks {
 public:
  explicit SqlChecks(Compilation& compilation) : compilation_(compilation) {}

  // What a later recompute would not repeat, as the database resolves `before` + the piece +
  // `after`, a select: unsteady functions, the time of day, system columns, whole rows, samples;
  // and what takes the place of a function or operator of Postgres' own.
  // `many_rows`, unless null, becomes true when a function makes more or fewer rows of one. A
  // select that the database refuses has no such fault: whoever plans it says what is wrong.
  absl::Status Repeatable(const SqlPiece& piece, const Calls& calls, const std::string& before,
                          const std::string& after, bool* many_rows = nullptr);
  // Repeatable found that it calls what stands before Postgres' own: it is not to be planned.
  bool shadowed(const SqlPiece& piece) const { return shadowed_.contains(piece.what); }
  // Every table must stand under `from` or `static`, or its rule is to be derived (`unlisted`, of a
  // select); `own` is the row's own table, or empty.
  void Reads(Draft* draft, const SqlPiece& piece, const std::set<RelationRef>& relations,
             std::string_view own);
  // The database plans `before` + the piece + `after`; else the draft has failed.
  absl::Status Plans(Draft* draft, const SqlPiece& piece, const std::string& before,
                     const std::string& after);
  // All three over an expression.
  absl::Status Expression(Draft* draft, const SqlPiece& piece, const std::string& before,
                          const std::string& after);
  // Columns it must fill and columns it must not, and whether `select`'s types fit the target's.
  absl::Status Fills(Draft* draft, const std::string& select);
  // The scope, and every rule under `from`.
  absl::Status Scope(const Draft& draft);
  absl::Status Rules(Draft* draft);

 private:
  // A table whose changes are known: one of the source, or one that a mapping fills.
  bool CanDerive(const spec::TableName& table) const;
  void Shadowed(const SqlPiece& piece, const Calls& calls, const Probe::Resolved& resolved);
  absl::Status TimeWords(const SqlPiece& piece, const Calls& calls, const std::string& before,
                         const std::string& after);
  void RequireColumns(const Draft& draft);
  absl::Status Types(const Draft& draft, const std::string& select);
  // Values that the target's columns would keep less of.
  absl::Status Narrowing(const Draft& draft, const std::string& select);
  absl::Status WarnOfZone(const Draft& draft, const std::string& column,
                          const catalog::AssignedType& from);
  std::string AsCopied(const Draft& draft) const;
  std::string CastOf(const Draft& draft, const std::string& column, const std::string& type) const;
  std::string CastHint(const Draft& draft, const absl::Status& mismatch) const;
  absl::Status RuleSql(Draft* draft, const spec::FromRule& rule);
  absl::Status RuleValues(Draft* draft, const spec::FromRule& rule, const SqlPiece& piece);
  // The key under which the file fills a column.
  std::string KeyOfColumn(const Draft& draft, const std::string& column) const;

  Compilation& compilation_;
  std::set<std::string> shadowed_;  // SqlPiece::what
};

}  // namespace switchyard::mapping
