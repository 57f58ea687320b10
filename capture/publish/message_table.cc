#include "capture/publish/message_table.h"

#include "common/pg/server_version.h"
#include "common/records/source/capture_messages.h"

namespace switchyard::capture {
absl::Status EmitMessage(pg::Session& session, const std::string& stream, std::string_view prefix,
                         std::string_view content) {
  if (session.server_version() >= pg::kSendsMessages) {
    return session
        .Query("SELECT pg_logical_emit_message(false, $1, $2)",
               {std::string(prefix), std::string(content)})
        .status();
  }
  return records::WriteMessage(session, stream, std::string(prefix), std::string(content));
}

bool MessageTable::Take(const RelationMessage& relation) {
  constexpr std::string_view kName = records::kMessageTable;
  const size_t dot = kName.find('.');
  if (relation.schema == kName.substr(0, dot) && relation.name == kName.substr(dot + 1)) {
    relations_.insert(relation.relation_id);
    return true;
  }
  relations_.erase(relation.relation_id);
  return false;
}

std::optional<LogicalMessage> MessageTable::Read(const RowMessage& row) const {
  const TupleFields& fields = row.new_fields;
  if (row.op == RowMessage::Op::kDelete || fields.size() < records::kMessageColumns)
    return std::nullopt;
  if (fields[records::kStreamColumn].value != stream_) return std::nullopt;
  return LogicalMessage{.transactional = true,
                        .prefix = fields[records::kPrefixColumn].value,
                        .content = fields[records::kContentColumn].value};
}

}  // namespace switchyard::capture
