#include "capture/publish/message_table.h"

#include "common/pg/server_version.h"

namespace switchyard::capture {
namespace {

// Columns of switchyard.capture_message, in order.
enum Column : size_t { kStream, kPrefix, kContent, kColumns };

}  // namespace

absl::Status EmitMessage(pg::Session& session, const std::string& stream, std::string_view prefix,
                         std::string_view content) {
  if (session.server_version() >= pg::kSendsMessages) {
    return session
        .Query("SELECT pg_logical_emit_message(false, $1, $2)",
               {std::string(prefix), std::string(content)})
        .status();
  }
  return session
      .Query(R"(
    INSERT INTO switchyard.capture_message VALUES ($1, $2, $3)
    ON CONFLICT (stream) DO UPDATE SET prefix = excluded.prefix, content = excluded.content)",
             {stream, std::string(prefix), std::string(content)})
      .status();
}

bool MessageTable::Take(const RelationMessage& relation) {
  constexpr std::string_view kName = kMessageTable;
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
  if (row.op == RowMessage::Op::kDelete || fields.size() < kColumns) return std::nullopt;
  if (fields[kStream].value != stream_) return std::nullopt;
  return LogicalMessage{
      .transactional = true, .prefix = fields[kPrefix].value, .content = fields[kContent].value};
}

}  // namespace switchyard::capture
