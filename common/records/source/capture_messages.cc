#include "common/records/source/capture_messages.h"

namespace switchyard::records {

absl::Status WriteMessage(const pg::Sql& sql, const std::string& stream, const std::string& prefix,
                          const std::string& content) {
  return sql.Run(R"(
    INSERT INTO switchyard.capture_message VALUES ($1, $2, $3)
    ON CONFLICT (stream) DO UPDATE SET prefix = excluded.prefix, content = excluded.content)",
                 {stream, prefix, content});
}

}  // namespace switchyard::records
