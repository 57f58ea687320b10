// What the rows of a block are told apart by: which of its columns follow from given ones, by keys
// and equalities. Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/mapping/derive/blocks.h"

namespace switchyard::mapping::derive {

enum class Apart {
  kYes,      // no two rows have the same values of what is given
  kNo,       // two rows may, by all that is known
  kUnknown,  // nothing is known of some of what the rows are made of
};

// Rows of FROM and WHERE, before they are grouped.
class Determined {
 public:
  // `given`: expressions that are the same. Columns from outside of the block are given, too.
  Determined(const Block& block, const std::vector<Json>& given, const Facts& facts);

  // Whether the expression is the same wherever the given ones are.
  bool Holds(const Json& sql) const;
  // Of the block's rows; of its groups, where it has any.
  Apart RowsApart() const;
  Apart GroupsApart() const;
  // What would tell the rows apart: "o.id".
  std::vector<std::string> Missing() const;

 private:
  void Add(const Json& sql);
  bool Follow(const Condition& condition);
  bool Follow(const Unit& unit);
  Apart ApartIn(const Unit& unit) const;
  std::set<size_t> GivenOf(const Unit& unit) const;

  const Block& block_;
  const Facts& facts_;
  std::set<std::string> own_, fixed_;
  std::set<ColumnName> columns_;
  std::vector<Json> expressions_;
};

// Rows of a query, told apart by these of its outputs.
Apart ApartBy(const Query& query, const std::set<size_t>& outputs, const Facts& facts);

}  // namespace switchyard::mapping::derive
