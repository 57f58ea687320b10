// pgoutput, protocol version 1, as typed messages. Pure: bytes in, structs of views out.
//
//   PgoutputMessage message;                    // reused, so that steady state allocates nothing
//   RETURN_IF_ERROR(DecodePgoutput(frame.payload, &message));
//   if (message.type == PgoutputMessage::Type::kRow) Use(message.row);
//
// Format: PostgreSQL manual, "Logical Replication Message Formats". A message comes in one whole
// frame, so a short read, a byte left over or an unknown type is corruption (or a protocol nobody
// asked for): always an error, never skipped.
//
// Views point into the payload and live as long as it. Thread safety: plain values.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/status.h"

namespace switchyard::capture {

// MaxTupleAttributeNumber of Postgres: no tuple has more columns.
inline constexpr int kColumnsMax = 1664;

struct BeginMessage {
  Lsn commit_lsn;              // of the commit record
  int64_t commit_time_us = 0;  // Unix microseconds
  uint32_t xid = 0;
};

struct CommitMessage {
  Lsn commit_lsn;
  Lsn end_lsn;                 // first byte after the commit record
  int64_t commit_time_us = 0;  // Unix microseconds
};

struct OriginMessage {
  Lsn lsn;  // commit LSN at the origin; 0 if unknown
  std::string_view name;
};

struct LogicalMessage {
  bool transactional = false;
  Lsn lsn;
  std::string_view prefix;
  std::string_view content;
};

struct RelationColumn {
  bool in_identity = false;
  std::string_view name;
  uint32_t type_oid = 0;
  int32_t type_modifier = -1;
};

struct RelationMessage {
  uint32_t relation_id = 0;
  std::string_view schema;
  std::string_view name;
  char replica_identity = 'd';  // 'd', 'n', 'f', 'i' as in pg_class.relreplident
  std::vector<RelationColumn> columns;
};

struct TypeMessage {
  uint32_t type_oid = 0;
  std::string_view schema;
  std::string_view name;
};

struct TupleField {
  char kind = 'n';  // 't' text, 'n' NULL, 'u' TOASTed, unchanged and not sent
  std::string_view value;
};
using TupleFields = std::vector<TupleField>;

struct RowMessage {
  enum class Op { kInsert, kUpdate, kDelete } op = Op::kInsert;
  uint32_t relation_id = 0;
  // What old_fields holds: 0 nothing, 'K' the identity columns only, 'O' the whole old row.
  char old_kind = 0;
  TupleFields old_fields;
  TupleFields new_fields;  // empty for a DELETE
};

struct TruncateMessage {
  bool cascade = false;
  bool restart_identity = false;
  std::vector<uint32_t> relation_ids;
};

// Only the member that `type` names is meaningful.
struct PgoutputMessage {
  enum class Type {
    kBegin,
    kCommit,
    kOrigin,
    kMessage,
    kRelation,
    kType,
    kRow,
    kTruncate
  } type = Type::kBegin;
  BeginMessage begin;
  CommitMessage commit;
  OriginMessage origin;
  LogicalMessage logical;
  RelationMessage relation;
  TypeMessage type_message;
  RowMessage row;
  TruncateMessage truncate;
};

// DataLoss when `payload` is not exactly one message of the protocol.
absl::Status DecodePgoutput(std::string_view payload, PgoutputMessage* message);

}  // namespace switchyard::capture
