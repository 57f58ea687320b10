#include "common/mapping/install/target_shape.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

constexpr char kColumns[] = R"(
  WITH RECURSIVE columns AS (
    SELECT n.quoted, c.oid AS relation, a.attname, a.attnum, a.atttypid, a.atttypmod,
           a.attcollation, a.attgenerated <> '' AS generated
    FROM unnest($1::text[]) AS n(quoted) JOIN pg_class c ON c.oid = to_regclass(n.quoted)::oid
    JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped),
  over (relation, attnum, type, modifier) AS (
    SELECT relation, attnum, atttypid, atttypmod FROM columns
    UNION ALL
    SELECT o.relation, o.attnum, t.typbasetype, t.typtypmod
    FROM over o JOIN pg_type t ON t.oid = o.type WHERE t.typtype = 'd')
  SELECT c.quoted, c.relation, c.attname, c.attnum, format_type(c.atttypid, c.atttypmod), o.type,
         o.modifier, c.attcollation, c.generated
  FROM columns c JOIN over o USING (relation, attnum) JOIN pg_type t ON t.oid = o.type
  WHERE t.typtype <> 'd')";

absl::Status Other(const std::string& what, const std::string& table) {
  return Refuse(
      absl::StrCat(what,
                   ". Nothing was written to it since, and what was there may have been changed"),
      absl::StrCat("make it as it was, or change the mapping (switchyard check FILE says whether "
                   "they fit), start replay again, and have the rows looked at that were there: "
                   "switchyard verify FILE --table ",
                   table, " --repair"));
}

}  // namespace

absl::StatusOr<TargetShape> TargetShape::Load(pg::Session& session, const Plan& plan) {
  std::map<std::string, std::string> display;  // by quoted name
  std::map<std::string, std::set<std::string>> filled;
  TargetShape shape;
  for (const MappingPlan& mapping : plan.mappings) {
    display[mapping.target] = mapping.display;
    shape.tables_[mapping.display];
    filled[mapping.display].insert(mapping.columns.begin(), mapping.columns.end());
  }
  std::vector<std::string> names;
  for (const auto& [quoted, name] : display) names.push_back(quoted);
  ASSIGN_OR_RETURN(const pg::Result rows, session.Query(kColumns, {ArrayLiteral(names)}));
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string& name = display[rows.str(i, 0)];
    Table& table = shape.tables_[name];
    table.oid = rows.i64(i, 1);
    if (!filled[name].contains(rows.str(i, 2))) continue;
    table.columns[rows.str(i, 2)] = {.number = rows.i64(i, 3),
                                     .type = rows.str(i, 4),
                                     .holds = {.oid = static_cast<uint32_t>(rows.i64(i, 5)),
                                               .modifier = static_cast<int32_t>(rows.i64(i, 6))},
                                     .collation = rows.i64(i, 7),
                                     .generated = rows.boolean(i, 8)};
  }
  return shape;
}

absl::Status TargetShape::RefuseOtherType(const Column& was, const Column& is,
                                          const std::string& what, const std::string& table) {
  const std::string changed =
      absl::StrCat(what, " was ", was.type, " when the stream began, and is ", is.type, " now");
  if (is.generated != was.generated) return Other(changed + ", generated or not as before", table);
  if (is.collation != was.collation && is.collation != 0 && was.collation != 0) {
    return Other(changed + ", with another collation", table);
  }
  const char* lost = catalog::LostInAssignment(was.holds, is.holds, /*plain=*/true);
  if (lost != nullptr) return Other(absl::StrCat(changed, ": ", lost, " would be lost"), table);
  if (catalog::AssumesZone(was.holds, is.holds)) {
    return Other(changed + ": a zone would be assumed", table);
  }
  return absl::OkStatus();
}

absl::Status TargetShape::RefuseOther(const TargetShape& now) const {
  for (const auto& [name, then] : tables_) {
    const Table& table = now.tables_.at(name);
    if (table.oid != then.oid) {
      return Other(absl::StrCat("NEW's ", name,
                                table.oid == 0 ? " is not there any more, or has another name"
                                               : " is another table than when the stream began"),
                   name);
    }
    for (const auto& [column, was] : then.columns) {
      const auto is = table.columns.find(column);
      const std::string what = absl::StrCat("column ", column, " of NEW's ", name);
      if (is == table.columns.end()) {
        return Other(absl::StrCat(what, " is not there any more, or has another name"), name);
      }
      if (is->second.number != was.number) {
        return Other(absl::StrCat(what,
                                  " is another one than when the stream began: dropped and "
                                  "made again, or renamed"),
                     name);
      }
      RETURN_IF_ERROR(RefuseOtherType(was, is->second, what, name));
    }
  }
  return absl::OkStatus();
}

}  // namespace switchyard::mapping
