// switchyard.capture_message of a source whose logical replication shows no messages: a row for
// each stream, in its publication, and writing it is the message.
#pragma once

#include <string>

#include "common/base/status.h"
#include "common/pg/rows.h"

namespace switchyard::records {

inline constexpr char kMessageTableName[] = "capture_message";
inline constexpr char kMessageTable[] = "switchyard.capture_message";  // with its schema
// Its columns, in order.
enum MessageColumn : size_t { kStreamColumn, kPrefixColumn, kContentColumn, kMessageColumns };

absl::Status WriteMessage(const pg::Sql& sql, const std::string& stream, const std::string& prefix,
                          const std::string& content);

}  // namespace switchyard::records
