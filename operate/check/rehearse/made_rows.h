// Small dense tables made up of values from pools, and batches of changes to them. Pure; the same
// seed makes the same.
//
//   RowMaker maker(plan, pools, constraints, seed);
//   maker.BeginEpoch();
//   for (...) { Changes changes = maker.NextBatch(); if (it was taken) maker.Keep(changes); }
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/changes/batch.h"
#include "common/mapping/plan.h"
#include "operate/check/rehearse/constraints.h"

namespace switchyard::operate {

using Cell = std::optional<std::string>;  // in text form
using Row = std::vector<Cell>;            // SourcePlan::columns
using Key = std::vector<Cell>;            // SourcePlan::key

// What a batch does to one row: no row before, it came; none after, it went.
struct RowChange {
  mapping::SourceIndex source;
  std::optional<Row> before, after;
};
using Changes = std::vector<RowChange>;

// Values for each column, none of them NULL unless it may be.
using Pool = std::vector<Cell>;
struct Pools {
  std::vector<std::vector<Pool>> columns;  // by source and column
  // What stands for a value and all that meet it, in whichever columns: 'b7@guest' for 'b7' where
  // the mapping compares id || '@guest' with an e-mail. Values that are not named stand for
  // themselves.
  std::map<std::string, std::string> kin;
  // Values of which an epoch takes one: those that fulfil a condition, those that do not, those
  // that meet others by an expression.
  std::vector<std::vector<std::string>> themes;
  // By source, columns that the mapping compares with others, or with constants.
  std::map<mapping::SourceIndex, std::set<int>> compared;
};

// As the batcher would hand it on.
changes::Batch BatchOf(const mapping::Plan& plan, const Changes& changes);
Key KeyOf(const mapping::SourcePlan& source, const Row& row);

class RowMaker {
 public:
  // `plan` must outlive it. Keys, unique values and foreign keys hold in all that it makes.
  RowMaker(const mapping::Plan& plan, Pools pools, Constraints constraints, uint64_t seed);

  // Most of the batches that change one table change one of these, by how often they are named.
  void Favour(std::vector<mapping::SourceIndex> sources) { favoured_ = std::move(sources); }

  // Other rows altogether: what brings them, from nothing. Each epoch takes a few values of each
  // pool, every other one very few, so that they meet now often, now rarely.
  Changes BeginEpoch();
  // Kinds of batches in turn: one column of one row; one row; a few rows of most tables; a row each
  // of two tables; a key. None is empty while any table has another row to offer.
  Changes NextBatch();
  // Part of a batch: whether OLD's foreign keys hold after it.
  bool Possible(const Changes& changes) const;
  // They are how the rows are now.
  void Keep(const Changes& changes);

 private:
  using Table = std::map<Key, Row>;
  void Apply(const Changes& changes, std::vector<Table>* tables) const;

  size_t Below(size_t limit) { return random_() % limit; }
  bool Chance(size_t of_hundred) { return Below(100) < of_hundred; }
  const Cell& Draw(mapping::SourceIndex source, size_t column);
  // A value that meets one of another column, in a row that is there: small tables would not meet
  // often enough by chance. Null where none is found.
  const Cell* DrawMeeting(mapping::SourceIndex source, size_t column);
  // Another value than that; the same where there is none.
  const Cell& DrawOther(mapping::SourceIndex source, size_t column, const Cell& than);
  void CutPools();
  void PickThemes();
  const std::string& KinOf(const std::string& value) const;
  uint64_t LotOf(const std::string& value, uint64_t lot) const;
  Row MakeRow(mapping::SourceIndex source);
  bool IsKey(mapping::SourceIndex source, size_t column) const;
  std::optional<mapping::SourceIndex> AnyTable();
  // Rather one that is compared.
  size_t AnyColumn(mapping::SourceIndex source);
  std::optional<Row> AnyRow(mapping::SourceIndex source);
  // A row has one change in a batch. A key that was there before it is that of a changed row.
  bool WasThere(mapping::SourceIndex source, const Row& row) const;
  bool IsUnchanged(mapping::SourceIndex source, const Row& row) const;
  // Nothing where the row can't be: its key or a unique value is another's.
  void Change(mapping::SourceIndex source, std::optional<Row> before, std::optional<Row> after);
  bool Fits(mapping::SourceIndex source, const Row& row) const;
  // A row that others refer to by one of OLD's foreign keys.
  bool Needed(mapping::SourceIndex source, const Row& row) const;

  void Make(int64_t kind);
  void OneColumn();
  void OneRow(mapping::SourceIndex source);
  void MostTables();
  void TwoTables();
  void OneKey();

  const mapping::Plan& plan_;
  const Pools pools_;
  Pools cut_;
  std::set<std::string> hot_;  // what stands for values that this epoch takes in any case
  const Constraints constraints_;
  std::vector<mapping::SourceIndex> lots_;  // each as often as it is to be drawn: by its rules
  std::vector<mapping::SourceIndex> favoured_;
  std::mt19937_64 random_;
  std::vector<Table> tables_;
  std::vector<Table> next_;  // with the batch that is being made
  Changes batch_;
  int64_t epochs_ = 0, batches_ = 0;
};

}  // namespace switchyard::operate
