#include "common/records/id_map.h"

#include "absl/strings/str_cat.h"

namespace switchyard::records {

std::string HasIdMapSql() { return "SELECT to_regclass('switchyard.id_map') IS NOT NULL"; }

std::string InsertPairsSql(const std::string& pairs) {
  return absl::StrCat("INSERT INTO switchyard.id_map (kind, old_id, new_id, main) ", pairs,
                      " ON CONFLICT (kind, old_id) DO NOTHING");
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
