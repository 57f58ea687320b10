#include "common/mapping/compile/steadiness.h"

#include <set>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/mapping/plan.h"

namespace switchyard::mapping {
namespace {

// STABLE in pg_proc for the settings under which values become text, or for the output functions
// of their arguments; nothing else decides what they give.
const std::set<std::string, std::less<>>& SteadyThoughStable() {
  static const std::set<std::string, std::less<>> kNames = {
      // text
      "anytextcat", "textanycat", "concat", "concat_ws", "format", "quote_literal",
      "quote_nullable", "array_to_string", "convert", "convert_from", "convert_to", "length",
      "to_char", "to_date", "to_number", "to_timestamp", "pg_typeof", "pg_input_is_valid", "xml",
      "xml_is_well_formed",
      // times, in the session's zone
      "date", "time", "timetz", "timestamp", "timestamptz", "date_part", "date_trunc", "extract",
      "date_add", "date_subtract", "make_timestamptz", "overlaps", "in_range", "generate_series",
      "interval_pl_timestamptz", "timestamptz_pl_interval", "timestamptz_mi_interval",
      // money
      "cash_in", "cash_out", "money", "numeric",
      // enums
      "enum_first", "enum_last", "enum_range",
      // JSON
      "array_to_json", "row_to_json", "to_json", "to_jsonb"};
  return kNames;
}

bool IsSteadyThoughStable(std::string_view name) {
  for (const std::string_view prefix : {"json_", "jsonb_"}) {
    // Their text search takes the configuration of the session.
    if (name.starts_with(prefix)) return !name.ends_with("_to_tsvector");
  }
  for (const std::string_view type : {"date", "timestamp", "timestamptz"}) {
    // date_lt_timestamptz and its like.
    if (!name.starts_with(std::string(type) + "_")) continue;
    for (const std::string_view other : {"_date", "_timestamp", "_timestamptz"}) {
      if (name.ends_with(other)) return true;
    }
  }
  return SteadyThoughStable().contains(name);
}

constexpr char kVolatile[] =
    "%s() is volatile: the same row would map to another value every time. Use "
    "switchyard.uuid_of(kind, key) for ids, or a column of the source";
constexpr char kStable[] =
    "%s() is STABLE: its answer depends on the time, the session or the catalogue, so a later "
    "recompute would give another row. %s";
constexpr char kMayRead[] =
    "%s() is not IMMUTABLE, so it may read tables that the mapping does not name. Join the table "
    "in a select instead; a function that needs nothing but its arguments can be called through "
    "one of your own that is declared IMMUTABLE";

std::string_view Instead(std::string_view name) {
  if (name == "age") return "Give both times: age(a, b)";
  if (absl::StrContains(Sv(name), "_tsvector") || absl::StrContains(Sv(name), "tsquery") ||
      absl::StrContains(Sv(name), "ts_headline")) {
    return "Name the configuration as its first argument: 'english'";
  }
  return "Use a column of the source";
}

}  // namespace

std::string WhyUnsteady(const Probe::Function& function) {
  if (function.volatility == 'i') return "";
  if (function.volatility == 'v') return absl::StrFormat(kVolatile, function.name);
  if (function.schema == kProductSchema) return "";
  if (function.schema != "pg_catalog") return absl::StrFormat(kMayRead, function.name);
  if (IsSteadyThoughStable(function.name)) return "";
  return absl::StrFormat(kStable, function.name, Instead(function.name));
}

}  // namespace switchyard::mapping
