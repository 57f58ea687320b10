#include "common/records/relations.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::records {

absl::StatusOr<std::vector<event::v1::Relation>> Relations::All() {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql_.Ask("SELECT encode(definition, 'hex') FROM switchyard.relation WHERE stream = $1",
               {stream_}));
  std::vector<event::v1::Relation> relations;
  for (int i = 0; i < rows.rows(); ++i) {
    event::v1::Relation& relation = relations.emplace_back();
    if (!relation.ParseFromString(absl::HexStringToBytes(Sv(rows.text(i, 0))))) {
      return Lost("switchyard.relation holds a definition that can't be read", kCopyAllAnew);
    }
  }
  return relations;
}

absl::Status Relations::Store(uint32_t relation_id, const std::string& definition) {
  return sql_.Run(
      "INSERT INTO switchyard.relation AS r (stream, relation_id, definition) "
      "VALUES ($1, $2::oid, $3::bytea) ON CONFLICT (stream, relation_id) "
      "DO UPDATE SET definition = excluded.definition "
      "WHERE r.definition <> excluded.definition",
      {stream_, std::to_string(relation_id),
       absl::StrCat("\\x", absl::BytesToHexString(definition))});
}

absl::Status Relations::Forget() {
  return sql_.Run("DELETE FROM switchyard.relation WHERE stream = $1", {stream_});
}

}  // namespace switchyard::records
