#include "common/records/id_map.h"

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace switchyard::records {

std::string HasIdMapSql() { return "SELECT to_regclass('switchyard.id_map') IS NOT NULL"; }

std::string InsertPairsSql(const std::string& pairs, const std::string& by) {
  return absl::StrCat(
      "INSERT INTO switchyard.id_map (kind, old_id, new_id, main, by) SELECT sy_b.*, ",
      QuoteLiteral(by), " FROM (", pairs, ") AS sy_b ON CONFLICT (kind, old_id) DO NOTHING");
}

std::string TakePairsSql(const std::string& pairs) {
  return absl::StrCat(
      "INSERT INTO switchyard.id_map (kind, old_id, new_id, main, by) SELECT sy_p.kind, "
      "sy_p.old_id, sy_p.new_id, sy_p.main, sy_p.by FROM ",
      pairs, " AS sy_p ON CONFLICT DO NOTHING");
}

std::string HasPairSql(const std::string& kind, const std::string& old_id,
                       const std::string& new_id) {
  return absl::StrCat("EXISTS (SELECT FROM switchyard.id_map AS sy_m WHERE sy_m.kind = ", kind,
                      " AND sy_m.old_id = ", old_id, " AND sy_m.new_id = ", new_id, ")");
}

std::string HasOldIdSql(const std::string& kind, const std::string& old_id) {
  return absl::StrCat("EXISTS (SELECT FROM switchyard.id_map AS sy_m WHERE sy_m.kind = ", kind,
                      " AND sy_m.old_id = ", old_id, ")");
}

std::string HasNewIdSql(const std::string& kind, const std::string& new_id) {
  return absl::StrCat("EXISTS (SELECT FROM switchyard.id_map AS sy_m WHERE sy_m.kind = ", kind,
                      " AND sy_m.new_id = ", new_id, ")");
}

}  // namespace switchyard::records
