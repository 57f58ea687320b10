#include "common/changes/row_event.h"

#include "common/base/finding.h"
#include "common/base/varint.h"

namespace switchyard::changes {
namespace {

using event::v1::Event;
using event::v1::Row;
using event::v1::Tuple;

// Reads protobuf's wire format. The first short read fails the reader for good.
class WireReader {
 public:
  explicit WireReader(std::string_view in) : in_(in) {}

  // False at the end, or after a fault: ok() tells.
  bool NextField() {
    if (in_.empty() || !ok_) return false;
    const uint64_t tag = Varint();
    field_ = static_cast<uint32_t>(tag >> 3);
    type_ = static_cast<uint32_t>(tag & 7);
    return ok_;
  }
  uint32_t field() const { return field_; }
  bool ok() const { return ok_; }

  uint64_t Number() {
    if (type_ != kVarint) Fail();
    return Varint();
  }
  std::string_view Bytes() {
    if (type_ != kBytes) Fail();
    return Take(Varint());
  }
  void Skip() {
    switch (type_) {
      case kVarint:
        Varint();
        break;
      case kFixed64:
        Take(8);
        break;
      case kBytes:
        Take(Varint());
        break;
      case kFixed32:
        Take(4);
        break;
      default:
        Fail();
    }
  }

 private:
  static constexpr uint32_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

  void Fail() {
    ok_ = false;
    in_ = {};
  }
  uint64_t Varint() {
    uint64_t value = 0;
    size_t at = 0;
    if (ReadVarint(in_, &at, &value)) {
      in_.remove_prefix(at);
    } else {
      Fail();
    }
    return value;
  }
  std::string_view Take(uint64_t size) {
    if (size > in_.size()) {
      Fail();
      return {};
    }
    const std::string_view taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }

  std::string_view in_;
  uint32_t field_ = 0;
  uint32_t type_ = 0;
  bool ok_ = true;
};

bool ReadTuple(std::string_view in, TupleView* tuple) {
  tuple->present = true;
  WireReader reader(in);
  while (reader.NextField()) {
    switch (reader.field()) {
      case Tuple::kKindsFieldNumber:
        tuple->kinds = reader.Bytes();
        break;
      case Tuple::kValuesFieldNumber:
        tuple->values.push_back(reader.Bytes());
        break;
      default:
        reader.Skip();
    }
  }
  return reader.ok();
}

bool ReadRow(std::string_view in, RowView* row) {
  WireReader reader(in);
  bool tuples_ok = true;
  while (reader.NextField()) {
    switch (reader.field()) {
      case Row::kOpFieldNumber:
        row->op = static_cast<Row::Op>(reader.Number());
        break;
      case Row::kRelationIdFieldNumber:
        row->relation_id = static_cast<uint32_t>(reader.Number());
        break;
      case Row::kNewTupleFieldNumber:
        tuples_ok &= ReadTuple(reader.Bytes(), &row->new_tuple);
        break;
      case Row::kOldTupleFieldNumber:
        tuples_ok &= ReadTuple(reader.Bytes(), &row->old_tuple);
        break;
      default:
        reader.Skip();
    }
  }
  return reader.ok() && tuples_ok;
}

void Clear(TupleView* tuple) {
  tuple->present = false;
  tuple->kinds = {};
  tuple->values.clear();
}

void View(const Tuple& tuple, TupleView* view) {
  view->present = true;
  view->kinds = tuple.kinds();
  view->values.assign(tuple.values().begin(), tuple.values().end());
}

}  // namespace

absl::StatusOr<bool> ParseRowEvent(std::string_view payload, RowView* row) {
  row->format = 0;
  row->epoch = 0;
  row->op = Row::OP_UNSPECIFIED;
  row->relation_id = 0;
  Clear(&row->new_tuple);
  Clear(&row->old_tuple);
  WireReader reader(payload);
  bool is_row = false;
  bool row_ok = true;
  while (reader.NextField()) {
    switch (reader.field()) {
      case Event::kFormatFieldNumber:
        row->format = static_cast<uint32_t>(reader.Number());
        break;
      case Event::kEpochFieldNumber:
        row->epoch = reader.Number();
        break;
      case Event::kRowFieldNumber:
        is_row = true;
        row_ok &= ReadRow(reader.Bytes(), row);
        break;
      default:
        // Another body: the one that stands last counts, as protobuf has it.
        if (reader.field() <= Event::kPartFieldNumber) return false;
        reader.Skip();
    }
  }
  if (!reader.ok() || !row_ok) return Lost("a record that is no event", kCopyAllAnew);
  return is_row;
}

void ViewRow(const Event& event, RowView* row) {
  row->format = event.format();
  row->epoch = event.epoch();
  row->op = event.row().op();
  row->relation_id = event.row().relation_id();
  Clear(&row->new_tuple);
  Clear(&row->old_tuple);
  if (event.row().has_new_tuple()) View(event.row().new_tuple(), &row->new_tuple);
  if (event.row().has_old_tuple()) View(event.row().old_tuple(), &row->old_tuple);
}

}  // namespace switchyard::changes
