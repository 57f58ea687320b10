// The fast reading of row events agrees with protobuf's, and survives anything.
#include "common/changes/row_event.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::changes {
namespace {

using event::v1::Event;
using event::v1::Row;
using ::testing::ElementsAre;

class RandomEvents {
 public:
  Event Next() {
    Event event;
    event.set_format(1);
    event.set_epoch(random_());
    Row* row = event.mutable_row();
    row->set_op(static_cast<Row::Op>(Below(4)));
    row->set_relation_id(static_cast<uint32_t>(random_()));
    row->set_commit_lsn(random_());
    row->set_ordinal(random_() >> Below(64));
    if (Below(3) > 0) Fill(row->mutable_new_tuple());
    if (Below(3) == 0) Fill(row->mutable_old_tuple());
    row->set_old_is_key(Below(2) == 0);
    return event;
  }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  void Fill(event::v1::Tuple* tuple) {
    for (uint64_t i = Below(6); i > 0; --i) {
      const bool value = Below(2) == 0;
      tuple->mutable_kinds()->push_back(value ? 't' : Below(2) == 0 ? 'n' : 'u');
      if (value) tuple->add_values(std::string(Below(300), static_cast<char>(Below(256))));
    }
  }
  std::mt19937_64 random_{20261121};
};

void ExpectSame(const TupleView& a, const TupleView& b) {
  EXPECT_EQ(a.present, b.present);
  EXPECT_EQ(a.kinds, b.kinds);
  EXPECT_EQ(a.values, b.values);
}

TEST(RowEventTest, ReadsWhatProtobufReads) {
  RandomEvents events;
  for (int i = 0; i < 2000; ++i) {
    const Event event = events.Next();
    const std::string bytes = event.SerializeAsString();
    RowView fast;
    ASSERT_OK_AND_ASSIGN(const bool is_row, ParseRowEvent(bytes, &fast));
    ASSERT_TRUE(is_row);
    RowView slow;
    ViewRow(event, &slow);
    EXPECT_EQ(fast.format, slow.format);
    EXPECT_EQ(fast.epoch, slow.epoch);
    EXPECT_EQ(fast.op, slow.op);
    EXPECT_EQ(fast.relation_id, slow.relation_id);
    ExpectSame(fast.new_tuple, slow.new_tuple);
    ExpectSame(fast.old_tuple, slow.old_tuple);
  }
}

TEST(RowEventTest, LeavesOtherEventsToProtobuf) {
  Event event;
  event.set_format(1);
  event.mutable_begin()->set_commit_lsn(7);
  RowView row;
  ASSERT_OK_AND_ASSIGN(const bool is_row, ParseRowEvent(event.SerializeAsString(), &row));
  EXPECT_FALSE(is_row);
}

TEST(RowEventTest, SkipsFieldsOfANewerWriter) {
  Event event;
  event.mutable_row()->mutable_new_tuple()->add_values("x");
  event.mutable_row()->mutable_new_tuple()->set_kinds("t");
  // Field 100, of each wire type there is.
  const std::string unknown(
      "\xa0\x06\x05\xa1\x06\x01\x02\x03\x04\x05\x06\x07\x08\xa2\x06\x02zz\xa5\x06\x01\x02\x03\x04",
      24);
  const std::string bytes = unknown + event.SerializeAsString() + unknown;
  RowView row;
  ASSERT_OK_AND_ASSIGN(const bool is_row, ParseRowEvent(bytes, &row));
  EXPECT_TRUE(is_row);
  EXPECT_THAT(row.new_tuple.values, ElementsAre("x"));
}

TEST(RowEventTest, EveryTruncationIsAFaultOrAShorterEvent) {
  RandomEvents events;
  for (int i = 0; i < 50; ++i) {
    const Event event = events.Next();
    const std::string bytes = event.SerializeAsString();
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::string cut = bytes.substr(0, size);
      RowView row;
      const absl::StatusOr<bool> is_row = ParseRowEvent(cut, &row);
      Event parsed;
      EXPECT_EQ(is_row.ok(), parsed.ParseFromString(cut)) << size;
    }
  }
}

}  // namespace
}  // namespace switchyard::changes
