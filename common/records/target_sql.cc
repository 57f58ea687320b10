#include "common/records/target_sql.h"

#include "common/base/strings.h"
#include "deploy/sql/target.sql.h"

namespace switchyard::records {

std::string TargetSetupSql() { return kTargetSql; }

absl::StatusOr<bool> HasOwnTables(const pg::Sql& sql, const std::string& mirror_schema) {
  // The newest of each kind stand for all of them.
  ASSIGN_OR_RETURN(const pg::Rows there,
                   sql.Ask("SELECT to_regnamespace($1) IS NOT NULL AND "
                           "to_regclass('switchyard.missed_rows') IS NOT NULL AND "
                           "to_regclass('switchyard.rehearsal') IS NOT NULL AND "
                           "to_regclass('switchyard.mark') IS NOT NULL AND "
                           "to_regclass('switchyard.breach') IS NOT NULL AND "
                           "to_regclass('switchyard.quarantine_row') IS NOT NULL AND "
                           "to_regclass('switchyard.id_map_main') IS NOT NULL AND "
                           "to_regclass('switchyard.parity_difference') IS NOT NULL AND "
                           "to_regclass('switchyard.ownership') IS NOT NULL AND "
                           "to_regclass('switchyard.journal') IS NOT NULL AND "
                           "to_regclass('switchyard.lease') IS NOT NULL AND "
                           "(SELECT count(*) FROM pg_attribute WHERE NOT attisdropped AND "
                           "(attrelid, attname) IN ((to_regclass('switchyard.stream'), 'parts'), "
                           "(to_regclass('switchyard.stream'), 'after_copy'), "
                           "(to_regclass('switchyard.stream'), 'held_at'), "
                           "(to_regclass('switchyard.stream'), 'hold_until'), "
                           "(to_regclass('switchyard.stream'), 'doing'), "
                           "(to_regclass('switchyard.stream'), 'source_owns'), "
                           "(to_regclass('switchyard.request'), 'source_lsn'), "
                           "(to_regclass('switchyard.request'), 'copied_lsn'), "
                           "(to_regclass('switchyard.quarantine'), 'detail'), "
                           "(to_regclass('switchyard.quarantine'), 'there'), "
                           "(to_regclass('switchyard.id_map'), 'by'), "
                           "(to_regclass('switchyard.copy'), 'copied_at'), "
                           "(to_regclass('switchyard.copy'), 'worked'))) = 13",
                           {QuoteIdentifier(mirror_schema)}));
  return there.boolean(0, 0);
}

}  // namespace switchyard::records
