#include "operate/init/type_fits.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/strings.h"
#include "common/catalog/narrowing.h"

namespace switchyard::operate {
namespace {

// By the name of OLD's type without what it is limited to, and the OID of NEW's.
using Pair = std::pair<std::string, uint32_t>;
using Fits = std::map<Pair, Fit>;

// How the server finds a way on assignment (its manual, CREATE CAST and CREATE TYPE): the same
// type, below domains; a cast that is not explicit only; to any string. Arrays go by what is in
// them. A type of an extension may stand in any schema.
constexpr char kFits[] = R"(
    WITH RECURSIVE bases AS (
      SELECT oid AS domain, oid AS base, typtype, typbasetype FROM pg_catalog.pg_type
      UNION ALL
      SELECT b.domain, t.oid, t.typtype, t.typbasetype
      FROM bases b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'),
    names AS (
      SELECT name, coalesce(to_regtype(name)::oid,
                            (SELECT min(t.oid) FROM pg_catalog.pg_type t
                             WHERE t.typname = trim('"' FROM name))) AS oid
      FROM unnest($1::text[]) AS name),
    asked AS (
      SELECT n.name, g.oid AS target, s.oid AS given, s.typcategory AS given_category,
             t.oid AS kept, t.typcategory AS kept_category,
             CASE WHEN s.typcategory = 'A' AND t.typcategory = 'A' THEN s.typelem ELSE s.oid END AS f,
             CASE WHEN s.typcategory = 'A' AND t.typcategory = 'A' THEN t.typelem ELSE t.oid END AS k
      FROM names n CROSS JOIN unnest($2::oid[]) AS g(oid)
      JOIN bases x ON x.domain = n.oid AND x.typtype <> 'd'
      JOIN bases y ON y.domain = g.oid AND y.typtype <> 'd'
      JOIN pg_catalog.pg_type s ON s.oid = x.base JOIN pg_catalog.pg_type t ON t.oid = y.base)
    SELECT a.name, a.target,
           CASE WHEN a.f = a.k THEN 's'
                WHEN a.kept_category = 'S' OR EXISTS (
                  SELECT FROM pg_catalog.pg_cast c WHERE c.castsource = a.f AND c.casttarget = a.k
                  AND c.castcontext IN ('a', 'i')) THEN 'a'
                WHEN a.given_category = 'S' OR EXISTS (
                  SELECT FROM pg_catalog.pg_cast c
                  WHERE c.castsource = a.f AND c.casttarget = a.k) THEN 'c' ELSE 'n' END
    FROM asked a)";

std::string WithoutLimit(const std::string& type) {
  const size_t open = type.find('(');
  if (open == std::string::npos) return type;
  const size_t close = type.find(')', open);
  return type.substr(0, open) + (close == std::string::npos ? "" : type.substr(close + 1));
}

bool IsText(const catalog::Column& column) {
  const std::string type = WithoutLimit(column.type);
  return type == "text" || type == "character varying" || type == "character" || type == "citext";
}

Fit FitOfColumns(const Fits& fits, const catalog::Column& from, const catalog::Column& to) {
  const bool zone =
      catalog::AssumesZone({from.type_oid, from.type_modifier}, {to.type_oid, to.type_modifier});
  if (zone) return Fit::kZone;
  // What a user made passes as text, where a mapping copies it (common/mapping/compile).
  if (from.user_type) return to.user_type || IsText(to) ? Fit::kAssigns : Fit::kNever;
  if (to.user_type && from.type != to.type && IsText(from)) return Fit::kAssigns;
  const auto known = fits.find({WithoutLimit(from.type), to.type_oid});
  const Fit fit = known == fits.end() ? Fit::kNever : known->second;
  if (fit != Fit::kSame && fit != Fit::kAssigns) return fit;
  const bool loses = catalog::LostInAssignment({from.type_oid, from.type_modifier},
                                               {to.type_oid, to.type_modifier}, true) != nullptr;
  return loses ? Fit::kLoses : fit;
}

}  // namespace

absl::StatusOr<FitOf> LoadTypeFits(const catalog::Catalog& old_catalog,
                                   const catalog::Catalog& new_catalog, pg::Session& new_session) {
  std::set<std::string> given, kept;
  for (const catalog::Table& table : old_catalog.tables) {
    for (const catalog::Column& column : table.columns) given.insert(WithoutLimit(column.type));
  }
  for (const catalog::Table& table : new_catalog.tables) {
    for (const catalog::Column& column : table.columns)
      kept.insert(std::to_string(column.type_oid));
  }
  ASSIGN_OR_RETURN(const pg::Result rows,
                   new_session.Query(kFits, {ArrayLiteral({given.begin(), given.end()}),
                                             ArrayLiteral({kept.begin(), kept.end()})}));
  Fits fits;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string found = rows.str(i, 2);
    fits[{rows.str(i, 0), static_cast<uint32_t>(rows.i64(i, 1))}] = found == "s"   ? Fit::kSame
                                                                    : found == "a" ? Fit::kAssigns
                                                                    : found == "c" ? Fit::kCasts
                                                                                   : Fit::kNever;
  }
  return FitOf([fits = std::move(fits)](const catalog::Column& from, const catalog::Column& to) {
    return FitOfColumns(fits, from, to);
  });
}

}  // namespace switchyard::operate
