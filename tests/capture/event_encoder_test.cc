#include "capture/publish/event_encoder.h"

#include <google/protobuf/util/message_differencer.h>

#include <random>

#include "capture/publish/relation_cache.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;

event::v1::Event Parse(std::string_view bytes) {
  event::v1::Event event;
  EXPECT_TRUE(event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return event;
}

void Fill(const TupleFields& fields, event::v1::Tuple* tuple) {
  for (const TupleField& field : fields) {
    tuple->mutable_kinds()->push_back(field.kind);
    if (field.kind == 't') tuple->add_values(std::string(field.value));
  }
}

// The same row through the generated classes.
event::v1::Event Expected(const RowMessage& row, const RowPlace& place, uint64_t epoch) {
  event::v1::Event event;
  event.set_format(kEventFormat);
  event.set_epoch(epoch);
  event::v1::Row* out = event.mutable_row();
  out->set_op(row.op == RowMessage::Op::kInsert   ? event::v1::Row::INSERT
              : row.op == RowMessage::Op::kUpdate ? event::v1::Row::UPDATE
                                                  : event::v1::Row::DELETE);
  out->set_relation_id(row.relation_id);
  out->set_commit_lsn(place.commit_lsn.value());
  out->set_ordinal(place.ordinal);
  if (row.op != RowMessage::Op::kDelete) Fill(row.new_fields, out->mutable_new_tuple());
  if (row.old_kind != 0) Fill(row.old_fields, out->mutable_old_tuple());
  out->set_old_is_key(row.old_kind == 'K');
  return event;
}

TEST(EventEncoderTest, RowsByHandAreWhatProtobufWrites) {
  constexpr uint64_t kSeed = 20260301;
  std::mt19937_64 random(kSeed);
  const std::vector<std::string> values = {"",
                                           "a",
                                           std::string(127, 'x'),
                                           std::string(128, 'y'),
                                           std::string("\0\xff\n", 3),
                                           std::string(70'000, 'z')};
  const auto fields = [&](size_t count, std::string_view kinds) {
    TupleFields out;
    for (size_t i = 0; i < count; ++i) {
      const char kind = kinds[random() % kinds.size()];
      out.push_back({kind, kind == 't' ? std::string_view(values[random() % values.size()])
                                       : std::string_view()});
    }
    return out;
  };
  for (int round = 0; round < 500; ++round) {
    const size_t columns = random() % 4 == 0 ? 0 : random() % 40;
    RowMessage row;
    row.op = static_cast<RowMessage::Op>(random() % 3);
    row.relation_id = random() % 2 == 0 ? 16'401 : 0xFFFFFFFF;
    if (row.op != RowMessage::Op::kDelete) row.new_fields = fields(columns, "tnu");
    if (row.op == RowMessage::Op::kDelete || random() % 2 == 0) {
      row.old_kind = 'K';
      row.old_fields = fields(columns, "tn");
    }
    const RowPlace place = {.commit_lsn = Lsn(random() % 3 == 0 ? 0 : random()),
                            .ordinal = random() % 3 == 0 ? 0 : random() % 1'000'000};
    const uint64_t epoch = random() % 3 == 0 ? 0 : random();
    EventEncoder encoder(epoch);
    const std::string bytes(encoder.EncodeRow(row, place));
    EXPECT_EQ(bytes, Expected(row, place, epoch).SerializeAsString()) << "seed " << kSeed;
  }
}

TEST(EventEncoderTest, FullIdentityFillsUnchangedValuesFromTheOldRow) {
  RowMessage row;
  row.op = RowMessage::Op::kUpdate;
  row.relation_id = 7;
  row.old_kind = 'O';
  row.old_fields = {{'t', "1"}, {'t', "a long text"}, {'n', ""}};
  row.new_fields = {{'t', "2"}, {'u', ""}, {'n', ""}};
  EventEncoder encoder(1);
  const event::v1::Event event = Parse(encoder.EncodeRow(row, {.commit_lsn = Lsn(5)}));
  EXPECT_EQ(event.row().new_tuple().kinds(), "ttn");
  EXPECT_EQ(event.row().new_tuple().values(1), "a long text");
  EXPECT_EQ(event.row().old_tuple().kinds(), "ttn");
  EXPECT_FALSE(event.row().old_is_key());
}

TEST(EventEncoderTest, WithoutTheOldRowUnchangedStaysAbsent) {
  RowMessage row;
  row.op = RowMessage::Op::kUpdate;
  row.old_kind = 'K';
  row.old_fields = {{'t', "1"}, {'n', ""}};
  row.new_fields = {{'t', "2"}, {'u', ""}};
  EventEncoder encoder(1);
  const event::v1::Event event = Parse(encoder.EncodeRow(row, {.commit_lsn = Lsn(5)}));
  EXPECT_EQ(event.row().new_tuple().kinds(), "tu");
  EXPECT_EQ(event.row().new_tuple().values_size(), 1);
}

TEST(EventEncoderTest, OtherEventsStartClean) {
  EventEncoder encoder(9);
  encoder.New().mutable_begin()->set_xid(3);
  event::v1::Event& event = encoder.New();
  event.mutable_heartbeat()->set_lsn(77);
  const event::v1::Event read = Parse(encoder.Serialize());
  EXPECT_EQ(read.format(), kEventFormat);
  EXPECT_EQ(read.epoch(), 9u);
  EXPECT_EQ(read.heartbeat().lsn(), 77u);
}

TEST(RelationCacheTest, ARepeatedDescriptionReplacesTheOneBefore) {
  RelationCache cache;
  RelationMessage message{.relation_id = 7, .schema = "public", .name = "t"};
  message.columns = {{.in_identity = true, .name = "id"}, {.name = "a"}};
  cache.Put(message, "public", "t");
  ASSERT_EQ(cache.Find(7)->column_count, 2u);
  message.columns.push_back({.in_identity = true, .name = "b"});
  message.replica_identity = 'i';
  cache.Put(message, "public", "t");
  EXPECT_EQ(cache.Find(7)->column_count, 3u);
  EXPECT_EQ(cache.Find(7)->replica_identity, 'i');
  EXPECT_EQ(cache.Find(7)->identity_columns, (std::vector<uint16_t>{0, 2}));
  EXPECT_EQ(cache.Find(8), nullptr);
}

TEST(RelationCacheTest, KeysAreOfTheIdentityColumns) {
  RelationCache cache;
  RelationMessage message{.relation_id = 7, .schema = "public", .name = "t_1"};
  message.columns = {{.in_identity = true, .name = "id"}, {.name = "a"}};
  cache.Put(message, "public", "t");
  eventlog::RecordKey expected("public", "t");
  expected.Start();
  expected.AddText("1");
  RowMessage row;
  row.relation_id = 7;
  row.new_fields = {{'t', "1"}, {'t', "x"}};
  EXPECT_EQ(KeyOf(row, cache.Find(7)), expected.Finish());
  row.op = RowMessage::Op::kDelete;
  row.old_kind = 'K';
  row.old_fields = {{'t', "1"}, {'n', ""}};
  row.new_fields.clear();
  EXPECT_EQ(KeyOf(row, cache.Find(7)), expected.Finish());
  // An identity column that was not sent again, under REPLICA IDENTITY FULL.
  row.op = RowMessage::Op::kUpdate;
  row.old_kind = 'O';
  row.new_fields = {{'u', ""}, {'n', ""}};
  EXPECT_EQ(KeyOf(row, cache.Find(7)), expected.Finish());
}

TEST(RelationCacheTest, RowsThatDoNotFitAreRefused) {
  RelationCache cache;
  RelationMessage message{.relation_id = 7, .schema = "public", .name = "t"};
  message.columns = {{.in_identity = true, .name = "id"}, {.name = "a"}};
  cache.Put(message, "public", "t");
  RowMessage row;
  row.relation_id = 7;
  row.new_fields = {{'t', "1"}, {'n', ""}};
  EXPECT_OK(cache.Check(row));
  row.new_fields.pop_back();
  EXPECT_THAT(cache.Check(row), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("public.t")));
  row.op = RowMessage::Op::kDelete;
  row.old_kind = 'K';
  row.old_fields = {{'t', "1"}, {'n', ""}, {'n', ""}};
  EXPECT_THAT(cache.Check(row), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("3 columns")));
  row.relation_id = 8;
  EXPECT_THAT(cache.Check(row), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("relation 8")));
}

}  // namespace
}  // namespace switchyard::capture
