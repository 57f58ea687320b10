#include "common/mapping/sql/sql_pieces.h"

#include <algorithm>

#include "common/base/strings.h"
#include "common/mapping/sql/sql_builder.h"

namespace switchyard::mapping {

using std::string;
using std::vector;

string Each(size_t count, std::string_view separator, const std::function<string(size_t)>& make) {
  string out;
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += separator;
    out += make(i);
  }
  return out;
}

string Temp(const string& name) { return "pg_temp." + QuoteIdentifier(name); }

string OldKeyRow(const SourcePlan& source, const string& alias, const string& ops,
                 const string& moved) {
  const string keys = Each(source.key.size(), ", ", [&](size_t i) {
    return "sy__k" + std::to_string(i) + " AS " +
           QuoteIdentifier(source.columns[source.key[i]].name);
  });
  return "(SELECT sy__ord, sy__op, " + keys + " FROM " + Temp(source.stage) + " WHERE sy__op IN (" +
         ops + ")" + moved + ") AS " + QuoteIdentifier(alias);
}

string Moved(int64_t still, const string& row) {
  if (still == 0) return "";
  // bigint & integer is no operator of pg_catalog's own: one might be found that is somebody
  // else's.
  return absl::StrCat(" AND coalesce(", row, "sy__still & ", still, "::bigint, 0) = 0");
}

string NewRow(const SourcePlan& source, const string& alias, const string& ops) {
  return Temp(source.stage) + " AS " + QuoteIdentifier(alias) + " WHERE " + QuoteIdentifier(alias) +
         ".sy__op IN (" + ops + ")";
}

string AbsentTest(const SourcePlan& source, int column, const string& row) {
  if (column < 0 || !source.columns[column].toastable) return "";
  int place = 1;
  for (int i = 0; i < column; ++i) place += source.columns[i].toastable ? 1 : 0;
  return "substr(" + row + ".sy__absent, " + std::to_string(place) + ", 1) = '1'";
}

string KeyValues(const vector<const Assignment*>& keys) {
  return Each(keys.size(), ", ",
              [&](size_t i) { return "(" + keys[i]->sql + ") AS sy__t" + std::to_string(i); });
}

string KeyMatch(const vector<const Assignment*>& keys, const Operators& operators,
                const string& row) {
  return Each(keys.size(), " AND ", [&](size_t i) {
    return row + "." + QuoteIdentifier(keys[i]->column) + EqualSign(operators, keys[i]->column) +
           "sy_s.sy__t" + std::to_string(i);
  });
}

string EqualSign(const Operators& operators, const string& column) {
  const auto own = operators.find(column);
  return own == operators.end() ? " = " : " " + own->second + " ";
}

string KeyEqual(const vector<string>& key, const Operators& operators, const string& a,
                const string& b) {
  return Each(key.size(), " AND ", [&](size_t i) {
    const string column = QuoteIdentifier(key[i]);
    return a + "." + column + EqualSign(operators, key[i]) + b + "." + column;
  });
}

string Among(const vector<string>& key, const Operators& operators, const string& row,
             const string& table) {
  const bool own =
      std::ranges::any_of(key, [&](const string& column) { return operators.contains(column); });
  if (!own) {
    return "(" + JoinQuoted(key, row + ".") + ") IN (SELECT " + JoinQuoted(key) + " FROM " + table +
           ")";
  }
  // IN has one operator for all columns.
  return "(EXISTS (SELECT FROM " + table + " AS sy_x WHERE " +
         KeyEqual(key, operators, row, "sy_x") + ")) IS TRUE";
}

string OwnedAmong(const string& owns, const string& row) {
  return owns.empty() ? "" : " AND (SELECT " + owns + " FROM (SELECT " + row + ".*) AS sy_w)";
}

string SameImage(const vector<string>& columns, const string& a, const string& b) {
  // As records: between two bare ROW()s the operator would be looked up column by column.
  return "ROW(" + JoinQuoted(columns, a + ".") + ")::record *= ROW(" +
         JoinQuoted(columns, b + ".") + ")::record";
}

}  // namespace switchyard::mapping
