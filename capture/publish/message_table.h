// Messages of a source whose pgoutput does not send them (below Postgres 14): what would be a
// pg_logical_emit_message is a write to the stream's row of switchyard.capture_message, which is in
// the publication there.
//
//   RETURN_IF_ERROR(EmitMessage(*session, stream.name, kHeartbeatPrefix, ""));
//   ...
//   MessageTable messages(stream.name);                   // by who reads the stream
//   if (messages.Take(relation)) return;                   // nobody behind hears of the table
//   if (messages.Owns(row.relation_id)) message = messages.Read(row);
//
// A row that was deleted is made again by the next message, and TRUNCATE is no change of anything.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "capture/decode/pgoutput_decoder.h"
#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::capture {

// A message, transactional where it must be: as pg_logical_emit_message on servers that send those,
// else by the table.
absl::Status EmitMessage(pg::Session& session, const std::string& stream, std::string_view prefix,
                         std::string_view content);

class MessageTable {
 public:
  explicit MessageTable(std::string stream) : stream_(std::move(stream)) {}

  // True when it describes the table: by this oid its rows are known from here on. An oid that now
  // has another name is none any more.
  bool Take(const RelationMessage& relation);
  bool Owns(uint32_t relation_id) const { return relations_.contains(relation_id); }

  // Views into `row`. Nothing for a delete, another stream's row, or a row of another shape.
  std::optional<LogicalMessage> Read(const RowMessage& row) const;

 private:
  const std::string stream_;
  std::set<uint32_t> relations_;  // more than one once the table was made again
};

}  // namespace switchyard::capture
