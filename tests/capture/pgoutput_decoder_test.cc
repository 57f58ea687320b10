#include "capture/decode/pgoutput_decoder.h"

#include <memory>

#include "capture/decode/byte_cursor.h"
#include "tests/capture/pgoutput_builder.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;
using Builder = testing::PgoutputBuilder;
using Type = PgoutputMessage::Type;

PgoutputMessage Decode(const std::string& bytes) {
  PgoutputMessage message;
  EXPECT_OK(DecodePgoutput(bytes, &message));
  return message;
}

// "t:abc n u", to compare tuples by.
std::string Print(const TupleFields& fields) {
  std::string out;
  for (const TupleField& field : fields) {
    out += out.empty() ? "" : " ";
    out += field.kind;
    if (field.kind == 't') out += ":" + std::string(field.value);
  }
  return out;
}

TEST(ByteCursorTest, ShortReadFailsForGoodAndReadsZero) {
  ByteCursor in("\x01\x02\x03");
  EXPECT_EQ(in.U16(), 0x0102);
  EXPECT_EQ(in.U32(), 0u);
  EXPECT_EQ(in.U8(), 0);  // a byte was left, but nothing is trusted any more
  EXPECT_THAT(in.Finish("Test"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cut short")));
}

TEST(ByteCursorTest, ReadsExactlyWhatIsThere) {
  ByteCursor in(
      std::string_view("\xff\xff\xff\xfe"
                       "ab\0"
                       "c",
                       8));
  EXPECT_EQ(in.I32(), -2);
  EXPECT_EQ(in.CString(), "ab");
  EXPECT_EQ(in.Bytes(1), "c");
  EXPECT_OK(in.Finish("Test"));
}

TEST(ByteCursorTest, TextWithoutItsEndIsShort) {
  ByteCursor in("abc");
  EXPECT_EQ(in.CString(), "");
  EXPECT_TRUE(in.failed());
}

TEST(PgoutputDecoderTest, Begin) {
  const std::string bytes = Builder('B').U64(0x16B3748).U64(820'454'400'000'000).U32(731).Take();
  const PgoutputMessage message = Decode(bytes);
  ASSERT_EQ(message.type, Type::kBegin);
  EXPECT_EQ(message.begin.commit_lsn, Lsn(0x16B3748));
  EXPECT_EQ(message.begin.commit_time_us, 1'767'139'200'000'000);  // 2025-12-31 00:00 UTC
  EXPECT_EQ(message.begin.xid, 731u);
}

TEST(PgoutputDecoderTest, Commit) {
  const PgoutputMessage message = Decode(Builder('C').U8(0).U64(7).U64(9).U64(0).Take());
  ASSERT_EQ(message.type, Type::kCommit);
  EXPECT_EQ(message.commit.commit_lsn, Lsn(7));
  EXPECT_EQ(message.commit.end_lsn, Lsn(9));
  EXPECT_EQ(message.commit.commit_time_us, 946'684'800'000'000);
}

TEST(PgoutputDecoderTest, Origin) {
  const std::string bytes = Builder('O').U64(0x99).CString("elsewhere").Take();
  const PgoutputMessage message = Decode(bytes);
  ASSERT_EQ(message.type, Type::kOrigin);
  EXPECT_EQ(message.origin.lsn, Lsn(0x99));
  EXPECT_EQ(message.origin.name, "elsewhere");
}

TEST(PgoutputDecoderTest, MessageMayHoldAnyBytes) {
  const std::string content("a\0b\xff", 4);
  const std::string bytes = Builder('M').U8(1).U64(5).CString("marker").U32(4).Raw(content).Take();
  const PgoutputMessage message = Decode(bytes);
  ASSERT_EQ(message.type, Type::kMessage);
  EXPECT_TRUE(message.logical.transactional);
  EXPECT_EQ(message.logical.lsn, Lsn(5));
  EXPECT_EQ(message.logical.prefix, "marker");
  EXPECT_EQ(message.logical.content, content);
}

TEST(PgoutputDecoderTest, Relation) {
  const std::string bytes = Builder('R')
                                .U32(16'401)
                                .CString("shop")
                                .CString("Order \"x\"")
                                .Raw("i")
                                .U16(2)
                                .Column(true, "id", 23, -1)
                                .Column(false, "note", 1043, 44)
                                .Take();
  const PgoutputMessage message = Decode(bytes);
  ASSERT_EQ(message.type, Type::kRelation);
  EXPECT_EQ(message.relation.relation_id, 16'401u);
  EXPECT_EQ(message.relation.schema, "shop");
  EXPECT_EQ(message.relation.name, "Order \"x\"");
  EXPECT_EQ(message.relation.replica_identity, 'i');
  ASSERT_EQ(message.relation.columns.size(), 2u);
  EXPECT_TRUE(message.relation.columns[0].in_identity);
  EXPECT_EQ(message.relation.columns[0].type_modifier, -1);
  EXPECT_FALSE(message.relation.columns[1].in_identity);
  EXPECT_EQ(message.relation.columns[1].name, "note");
  EXPECT_EQ(message.relation.columns[1].type_oid, 1043u);
  EXPECT_EQ(message.relation.columns[1].type_modifier, 44);
}

TEST(PgoutputDecoderTest, InsertTellsEmptyTextFromNull) {
  const std::string bytes = Builder('I').U32(1).Raw("N").Tuple({"t:1", "n", "t:"}).Take();
  const PgoutputMessage message = Decode(bytes);
  ASSERT_EQ(message.type, Type::kRow);
  EXPECT_EQ(message.row.op, RowMessage::Op::kInsert);
  EXPECT_EQ(message.row.old_kind, 0);
  EXPECT_EQ(Print(message.row.new_fields), "t:1 n t:");
}

TEST(PgoutputDecoderTest, UpdateWithoutWithKeyAndWithWholeOldRow) {
  const std::string plain = Builder('U').U32(1).Raw("N").Tuple({"t:1", "u"}).Take();
  PgoutputMessage message = Decode(plain);
  EXPECT_EQ(message.row.old_kind, 0);
  EXPECT_EQ(Print(message.row.new_fields), "t:1 u");

  const std::string keyed =
      Builder('U').U32(1).Raw("K").Tuple({"t:1", "n"}).Raw("N").Tuple({"t:2", "t:x"}).Take();
  message = Decode(keyed);
  EXPECT_EQ(message.row.old_kind, 'K');
  EXPECT_EQ(Print(message.row.old_fields), "t:1 n");
  EXPECT_EQ(Print(message.row.new_fields), "t:2 t:x");

  const std::string full =
      Builder('U').U32(1).Raw("O").Tuple({"t:1", "t:a"}).Raw("N").Tuple({"t:1", "u"}).Take();
  message = Decode(full);
  EXPECT_EQ(message.row.op, RowMessage::Op::kUpdate);
  EXPECT_EQ(message.row.old_kind, 'O');
  EXPECT_EQ(Print(message.row.old_fields), "t:1 t:a");
}

TEST(PgoutputDecoderTest, DeleteClearsWhatAnEarlierMessageLeft) {
  PgoutputMessage message;
  const std::string insert = Builder('I').U32(1).Raw("N").Tuple({"t:1"}).Take();
  const std::string erase = Builder('D').U32(2).Raw("K").Tuple({"t:7"}).Take();
  ASSERT_OK(DecodePgoutput(insert, &message));
  ASSERT_OK(DecodePgoutput(erase, &message));
  EXPECT_EQ(message.row.op, RowMessage::Op::kDelete);
  EXPECT_EQ(message.row.relation_id, 2u);
  EXPECT_EQ(Print(message.row.old_fields), "t:7");
  EXPECT_TRUE(message.row.new_fields.empty());
}

TEST(PgoutputDecoderTest, Truncate) {
  const PgoutputMessage message = Decode(Builder('T').U32(2).U8(2).U32(8).U32(9).Take());
  ASSERT_EQ(message.type, Type::kTruncate);
  EXPECT_FALSE(message.truncate.cascade);
  EXPECT_TRUE(message.truncate.restart_identity);
  EXPECT_EQ(message.truncate.relation_ids, (std::vector<uint32_t>{8, 9}));
}

TEST(PgoutputDecoderTest, EveryTruncationOfEveryMessageFails) {
  PgoutputMessage message;
  for (const std::string& whole : testing::EveryMessage()) {
    ASSERT_OK(DecodePgoutput(whole, &message));
    for (size_t length = 0; length < whole.size(); ++length) {
      // An exact allocation, so that a sanitizer sees a read past the end.
      const auto cut = std::make_unique<char[]>(length);
      std::copy_n(whole.data(), length, cut.get());
      EXPECT_THAT(DecodePgoutput({cut.get(), length}, &message),
                  StatusIs(absl::StatusCode::kDataLoss, ::testing::_))
          << whole[0] << " cut to " << length;
    }
  }
}

TEST(PgoutputDecoderTest, BytesLeftOverFail) {
  PgoutputMessage message;
  for (const std::string& whole : testing::EveryMessage()) {
    const std::string longer = whole + '\0';
    EXPECT_THAT(DecodePgoutput(longer, &message),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("left over")))
        << whole[0];
  }
}

TEST(PgoutputDecoderTest, UnknownTypesAreErrors) {
  PgoutputMessage message;
  for (const char* type : {"S", "E", "c", "A", "b", "P", "K", "r", "\xff"}) {
    EXPECT_THAT(DecodePgoutput(type, &message),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("unknown")));
  }
}

TEST(PgoutputDecoderTest, ValuesOutsideTheProtocolAreErrors) {
  const std::vector<std::string> bad = {
      Builder('C').U8(1).U64(7).U64(9).U64(0).Take(),        // flags
      Builder('M').U8(2).U64(5).CString("p").U32(0).Take(),  // flags
      Builder('R').U32(1).CString("s").CString("n").Raw("x").U16(0).Take(),
      Builder('I').U32(1).Raw("O").Tuple({"t:1"}).Take(),  // an insert has no old row
      Builder('I').U32(1).Raw("N").U16(1).Raw("b").U32(1).Raw("x").Take(),  // binary
      Builder('I')
          .U32(1)
          .Raw("N")
          .U16(kColumnsMax + 1)
          .Raw(std::string(kColumnsMax + 1, 'n'))
          .Take(),
      Builder('I').U32(1).Raw("N").U16(1).Raw("t").U32(0xFFFFFFFF).Take(),
      Builder('D').U32(1).Raw("N").Tuple({"t:1"}).Take(),
      Builder('T').U32(0x40000001).U8(0).U32(1).Take(),
      Builder('T').U32(1).U8(4).U32(1).Take(),
  };
  PgoutputMessage message;
  for (const std::string& bytes : bad) {
    EXPECT_THAT(DecodePgoutput(bytes, &message),
                StatusIs(absl::StatusCode::kDataLoss, ::testing::_))
        << ::testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace switchyard::capture
