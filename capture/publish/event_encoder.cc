#include "capture/publish/event_encoder.h"

#include <google/protobuf/io/coded_stream.h>

#include "common/base/check.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using event::v1::Row;
using event::v1::Tuple;
using google::protobuf::io::CodedOutputStream;

constexpr uint32_t kVarint = 0;
constexpr uint32_t kFixed64 = 1;
constexpr uint32_t kDelimited = 2;

// All field numbers here are below 16, so that a tag is one byte.
constexpr uint8_t Tag(int field, uint32_t wire_type) {
  return static_cast<uint8_t>(static_cast<uint32_t>(field) << 3 | wire_type);
}
static_assert(Event::kRowFieldNumber < 16 && Row::kOldIsKeyFieldNumber < 16 &&
              Tuple::kValuesFieldNumber < 16);

// Bytes of a length-delimited field: tag, length, content.
size_t DelimitedSize(size_t content) {
  return 1 + CodedOutputStream::VarintSize64(content) + content;
}

// Proto3 leaves zeros out.
size_t VarintFieldSize(uint64_t value) {
  return value == 0 ? 0 : 1 + CodedOutputStream::VarintSize64(value);
}

// The field that travels: the old value where the new one was not sent because it is the same.
const TupleField& Effective(const TupleFields& fields, const TupleFields* unchanged, size_t i) {
  const bool fill = fields[i].kind == 'u' && unchanged != nullptr;
  return fill ? (*unchanged)[i] : fields[i];
}

size_t TupleSize(const TupleFields& fields, const TupleFields* unchanged) {
  size_t size = fields.empty() ? 0 : DelimitedSize(fields.size());
  for (size_t i = 0; i < fields.size(); ++i) {
    const TupleField& field = Effective(fields, unchanged, i);
    if (field.kind == 't') size += DelimitedSize(field.value.size());
  }
  return size;
}

class WireWriter {
 public:
  explicit WireWriter(uint8_t* at) : at_(at) {}

  void Varint(int field, uint64_t value) {
    if (value == 0) return;
    *at_++ = Tag(field, kVarint);
    at_ = CodedOutputStream::WriteVarint64ToArray(value, at_);
  }
  void Fixed64(int field, uint64_t value) {
    if (value == 0) return;
    *at_++ = Tag(field, kFixed64);
    at_ = CodedOutputStream::WriteLittleEndian64ToArray(value, at_);
  }
  void Header(int field, size_t length) {
    *at_++ = Tag(field, kDelimited);
    at_ = CodedOutputStream::WriteVarint64ToArray(length, at_);
  }
  void Bytes(int field, std::string_view bytes) {
    Header(field, bytes.size());
    at_ = std::copy(bytes.begin(), bytes.end(), at_);
  }
  void WriteTuple(int field, size_t size, const TupleFields& fields, const TupleFields* unchanged) {
    Header(field, size);
    if (!fields.empty()) Header(Tuple::kKindsFieldNumber, fields.size());
    for (size_t i = 0; i < fields.size(); ++i) {
      *at_++ = static_cast<uint8_t>(Effective(fields, unchanged, i).kind);
    }
    for (size_t i = 0; i < fields.size(); ++i) {
      const TupleField& value = Effective(fields, unchanged, i);
      if (value.kind == 't') Bytes(Tuple::kValuesFieldNumber, value.value);
    }
  }
  const uint8_t* at() const { return at_; }

 private:
  uint8_t* at_;
};

Row::Op Op(RowMessage::Op op) {
  switch (op) {
    case RowMessage::Op::kInsert:
      return Row::INSERT;
    case RowMessage::Op::kUpdate:
      return Row::UPDATE;
    case RowMessage::Op::kDelete:
      return Row::DELETE;
  }
  return Row::OP_UNSPECIFIED;
}

}  // namespace

Event& EventEncoder::New() {
  event_.Clear();
  event_.set_format(kEventFormat);
  event_.set_epoch(epoch_);
  return event_;
}

std::string_view EventEncoder::Serialize() {
  event_.SerializeToString(&buffer_);
  return buffer_;
}

std::string_view EventEncoder::EncodeRow(const RowMessage& row, const RowPlace& place) {
  const bool has_new = row.op != RowMessage::Op::kDelete;
  const bool has_old = row.old_kind != 0;
  const TupleFields* unchanged = row.old_kind == 'O' ? &row.old_fields : nullptr;
  SY_CHECK(unchanged == nullptr || !has_new || unchanged->size() == row.new_fields.size());

  const size_t new_size = has_new ? TupleSize(row.new_fields, unchanged) : 0;
  const size_t old_size = has_old ? TupleSize(row.old_fields, nullptr) : 0;
  const size_t row_size = VarintFieldSize(Op(row.op)) + VarintFieldSize(row.relation_id) +
                          (place.commit_lsn.valid() ? 9 : 0) + VarintFieldSize(place.ordinal) +
                          (has_new ? DelimitedSize(new_size) : 0) +
                          (has_old ? DelimitedSize(old_size) : 0) + (row.old_kind == 'K' ? 2 : 0);
  buffer_.resize(VarintFieldSize(kEventFormat) + VarintFieldSize(epoch_) + DelimitedSize(row_size));

  WireWriter out(reinterpret_cast<uint8_t*>(buffer_.data()));
  out.Varint(Event::kFormatFieldNumber, kEventFormat);
  out.Varint(Event::kEpochFieldNumber, epoch_);
  out.Header(Event::kRowFieldNumber, row_size);
  out.Varint(Row::kOpFieldNumber, Op(row.op));
  out.Varint(Row::kRelationIdFieldNumber, row.relation_id);
  out.Fixed64(Row::kCommitLsnFieldNumber, place.commit_lsn.value());
  out.Varint(Row::kOrdinalFieldNumber, place.ordinal);
  if (has_new) out.WriteTuple(Row::kNewTupleFieldNumber, new_size, row.new_fields, unchanged);
  if (has_old) out.WriteTuple(Row::kOldTupleFieldNumber, old_size, row.old_fields, nullptr);
  out.Varint(Row::kOldIsKeyFieldNumber, row.old_kind == 'K' ? 1 : 0);
  SY_CHECK(out.at() == reinterpret_cast<const uint8_t*>(buffer_.data()) + buffer_.size());
  return buffer_;
}

}  // namespace switchyard::capture
