#include "capture/decode/pgoutput_decoder.h"

#include "absl/strings/str_format.h"
#include "capture/decode/byte_cursor.h"
#include "common/base/postgres_time.h"

namespace switchyard::capture {
namespace {

absl::Status DecodeBegin(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kBegin;
  message->begin.commit_lsn = Lsn(in.U64());
  message->begin.commit_time_us = UnixMicros(in.U64());
  message->begin.xid = in.U32();
  return in.Finish("Begin");
}

absl::Status DecodeCommit(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kCommit;
  const uint8_t flags = in.U8();
  message->commit.commit_lsn = Lsn(in.U64());
  message->commit.end_lsn = Lsn(in.U64());
  message->commit.commit_time_us = UnixMicros(in.U64());
  RETURN_IF_ERROR(in.Finish("Commit"));
  if (flags != 0) return Undecodable(absl::StrFormat("Commit with flags %d", flags));
  return absl::OkStatus();
}

absl::Status DecodeOrigin(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kOrigin;
  message->origin.lsn = Lsn(in.U64());
  message->origin.name = in.CString();
  return in.Finish("Origin");
}

absl::Status DecodeLogicalMessage(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kMessage;
  const uint8_t flags = in.U8();
  message->logical.transactional = flags == 1;
  message->logical.lsn = Lsn(in.U64());
  message->logical.prefix = in.CString();
  message->logical.content = in.Bytes(in.U32());
  RETURN_IF_ERROR(in.Finish("Message"));
  if (flags > 1) return Undecodable(absl::StrFormat("Message with flags %d", flags));
  return absl::OkStatus();
}

absl::Status DecodeType(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kType;
  message->type_message.type_oid = in.U32();
  message->type_message.schema = in.CString();
  message->type_message.name = in.CString();
  return in.Finish("Type");
}

// A count of columns that a tuple can have; fails the cursor otherwise.
int ColumnCount(ByteCursor& in) {
  const int count = in.U16();
  if (count > kColumnsMax) in.Fail();
  return in.failed() ? 0 : count;
}

absl::Status DecodeRelation(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kRelation;
  RelationMessage& relation = message->relation;
  relation.relation_id = in.U32();
  relation.schema = in.CString();
  relation.name = in.CString();
  relation.replica_identity = static_cast<char>(in.U8());
  relation.columns.clear();
  for (int left = ColumnCount(in); left > 0 && !in.failed(); --left) {
    RelationColumn& column = relation.columns.emplace_back();
    column.in_identity = (in.U8() & 1) != 0;
    column.name = in.CString();
    column.type_oid = in.U32();
    column.type_modifier = in.I32();
  }
  RETURN_IF_ERROR(in.Finish("Relation"));
  if (std::string_view("dnfi").find(relation.replica_identity) == std::string_view::npos) {
    return Undecodable(absl::StrFormat("Relation with replica identity code %d",
                                       static_cast<uint8_t>(relation.replica_identity)));
  }
  return absl::OkStatus();
}

void ReadTuple(ByteCursor& in, TupleFields* fields) {
  fields->clear();
  for (int left = ColumnCount(in); left > 0 && !in.failed(); --left) {
    const char kind = static_cast<char>(in.U8());
    if (kind == 't') {
      fields->push_back({kind, in.Bytes(in.U32())});
    } else if (kind == 'n' || kind == 'u') {
      fields->push_back({kind, {}});
    } else {
      in.Fail();  // 'b' is binary, which is never asked for
    }
  }
}

absl::Status DecodeInsert(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kRow;
  RowMessage& row = message->row;
  row.op = RowMessage::Op::kInsert;
  row.relation_id = in.U32();
  row.old_kind = 0;
  row.old_fields.clear();
  if (in.U8() != 'N') in.Fail();
  ReadTuple(in, &row.new_fields);
  return in.Finish("Insert");
}

absl::Status DecodeUpdate(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kRow;
  RowMessage& row = message->row;
  row.op = RowMessage::Op::kUpdate;
  row.relation_id = in.U32();
  row.old_kind = 0;
  row.old_fields.clear();
  auto part = static_cast<char>(in.U8());
  if (part == 'K' || part == 'O') {
    row.old_kind = part;
    ReadTuple(in, &row.old_fields);
    part = static_cast<char>(in.U8());
  }
  if (part != 'N') in.Fail();
  ReadTuple(in, &row.new_fields);
  return in.Finish("Update");
}

absl::Status DecodeDelete(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kRow;
  RowMessage& row = message->row;
  row.op = RowMessage::Op::kDelete;
  row.relation_id = in.U32();
  row.old_kind = static_cast<char>(in.U8());
  if (row.old_kind != 'K' && row.old_kind != 'O') in.Fail();
  ReadTuple(in, &row.old_fields);
  row.new_fields.clear();
  return in.Finish("Delete");
}

absl::Status DecodeTruncate(ByteCursor in, PgoutputMessage* message) {
  message->type = PgoutputMessage::Type::kTruncate;
  TruncateMessage& truncate = message->truncate;
  const uint32_t count = in.U32();
  const uint8_t options = in.U8();
  truncate.cascade = (options & 1) != 0;
  truncate.restart_identity = (options & 2) != 0;
  truncate.relation_ids.clear();
  if (count > in.remaining() / sizeof(uint32_t)) in.Fail();
  for (uint32_t i = 0; i < count && !in.failed(); ++i) truncate.relation_ids.push_back(in.U32());
  RETURN_IF_ERROR(in.Finish("Truncate"));
  if (options > 3) return Undecodable(absl::StrFormat("Truncate with options %d", options));
  return absl::OkStatus();
}

}  // namespace

absl::Status DecodePgoutput(std::string_view payload, PgoutputMessage* message) {
  if (payload.empty()) return Undecodable("empty replication message");
  const ByteCursor body(payload.substr(1));
  switch (payload[0]) {
    case 'B':
      return DecodeBegin(body, message);
    case 'C':
      return DecodeCommit(body, message);
    case 'O':
      return DecodeOrigin(body, message);
    case 'M':
      return DecodeLogicalMessage(body, message);
    case 'R':
      return DecodeRelation(body, message);
    case 'Y':
      return DecodeType(body, message);
    case 'I':
      return DecodeInsert(body, message);
    case 'U':
      return DecodeUpdate(body, message);
    case 'D':
      return DecodeDelete(body, message);
    case 'T':
      return DecodeTruncate(body, message);
    default:
      return Undecodable(absl::StrFormat("unknown replication message type %d (%d bytes)",
                                         static_cast<uint8_t>(payload[0]), payload.size()));
  }
}

}  // namespace switchyard::capture
