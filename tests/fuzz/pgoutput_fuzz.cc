// Any bytes: the decoder returns a status, and what it accepts lies inside the bytes it was given.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "capture/decode/pgoutput_decoder.h"

namespace {

using switchyard::capture::PgoutputMessage;
using switchyard::capture::TupleFields;

std::string_view payload;

void Inside(std::string_view view) {
  if (view.empty()) return;
  if (view.data() < payload.data() || view.data() + view.size() > payload.data() + payload.size()) {
    std::abort();
  }
}

void Inside(const TupleFields& fields) {
  if (fields.size() > switchyard::capture::kColumnsMax) std::abort();
  for (const auto& field : fields) Inside(field.value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static PgoutputMessage message;  // reused, as the capture loop does
  payload = {reinterpret_cast<const char*>(data), size};
  if (!switchyard::capture::DecodePgoutput(payload, &message).ok()) return 0;
  switch (message.type) {
    case PgoutputMessage::Type::kRow:
      Inside(message.row.old_fields);
      Inside(message.row.new_fields);
      break;
    case PgoutputMessage::Type::kRelation:
      Inside(message.relation.schema);
      Inside(message.relation.name);
      for (const auto& column : message.relation.columns) Inside(column.name);
      break;
    case PgoutputMessage::Type::kMessage:
      Inside(message.logical.prefix);
      Inside(message.logical.content);
      break;
    case PgoutputMessage::Type::kOrigin:
      Inside(message.origin.name);
      break;
    case PgoutputMessage::Type::kTruncate:
      if (message.truncate.relation_ids.size() * 4 > size) std::abort();
      break;
    default:
      break;
  }
  return 0;
}
