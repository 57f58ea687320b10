#include "capture/publish/publisher.h"

#include "common/eventlog/memory_log.h"
#include "tests/capture/log_events.h"
#include "tests/capture/pgoutput_builder.h"
#include "tests/support/status_matchers.h"

namespace switchyard::capture {
namespace {

using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;
using Builder = testing::PgoutputBuilder;
using event::v1::Event;

constexpr uint32_t kTable = 16'401;
constexpr uint32_t kMark = 16'402;

class PublisherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(log_.CreateTopic("changes"));
    auto writer = log_.OpenWriter("changes");
    ASSERT_OK(writer);
    writer_ = *std::move(writer);
    publisher_ = std::make_unique<Publisher>(
        Publisher::Options{.stream = "shop.forward", .epoch = 7, .start = Lsn(100)}, *writer_,
        [this](const RelationMessage&) -> absl::StatusOr<TableFacts> {
          return TableFacts{.root = root_, .columns = columns_};
        });
  }

  absl::Status Send(const std::string& bytes) {
    PgoutputMessage message;
    RETURN_IF_ERROR(DecodePgoutput(bytes, &message));
    return publisher_->Publish(message);
  }
  absl::Status Begin(uint64_t lsn) { return Send(Builder('B').U64(lsn).U64(0).U32(5).Take()); }
  absl::Status Commit(uint64_t lsn, uint64_t end) {
    return Send(Builder('C').U8(0).U64(lsn).U64(end).U64(0).Take());
  }
  absl::Status Relation() {
    return Send(Builder('R')
                    .U32(kTable)
                    .CString("public")
                    .CString("t")
                    .Raw("d")
                    .U16(2)
                    .Column(true, "id", 23, -1)
                    .Column(false, "a", 25, -1)
                    .Take());
  }
  absl::Status Insert(const std::string& id) {
    return Send(Builder('I').U32(kTable).Raw("N").Tuple({"t:" + id, "n"}).Take());
  }
  absl::Status MarkRelation() {
    return Send(Builder('R')
                    .U32(kMark)
                    .CString("switchyard")
                    .CString("mark")
                    .Raw("d")
                    .U16(4)
                    .Column(true, "migration", 25, -1)
                    .Column(true, "writer", 25, -1)
                    .Column(false, "owner_epoch", 20, -1)
                    .Column(false, "xid", 20, -1)
                    .Take());
  }
  absl::Status Mark(char op, const std::string& migration, uint64_t xid) {
    return Send(Builder(op)
                    .U32(kMark)
                    .Raw("N")
                    .Tuple({"t:" + migration, "t:apply", "t:0", absl::StrCat("t:", xid)})
                    .Take());
  }
  std::vector<Event> Events() {
    EXPECT_OK(writer_->Flush(absl::Seconds(10)));
    return testing::LogFollower(log_, "changes").ReadAll();
  }

  Cancel cancel_;
  eventlog::MemoryLog log_{cancel_};
  RootTable root_;
  std::vector<ColumnNumbers> columns_;
  std::unique_ptr<eventlog::LogWriter> writer_;
  std::unique_ptr<Publisher> publisher_;
};

TEST_F(PublisherTest, WritesATransactionWithItsRowsAndOrigin) {
  event::v1::Hello hello;
  hello.set_stream("shop.forward");
  root_ = {.relation_id = 9, .schema = "s", .name = "root"};
  columns_ = {{.own = 1, .root = 2}, {.own = 3, .root = 1}};
  ASSERT_OK(publisher_->Hello(hello));
  ASSERT_OK(Begin(110));
  ASSERT_OK(Send(Builder('O').U64(42).CString("elsewhere").Take()));
  ASSERT_OK(Relation());
  ASSERT_OK(Insert("1"));
  ASSERT_OK(Send(Builder('T').U32(1).U8(1).U32(kTable).Take()));
  ASSERT_OK(Insert("2"));
  ASSERT_OK(Commit(110, 130));

  const std::vector<Event> events = Events();
  ASSERT_EQ(events.size(), 7u);
  for (const Event& event : events) {
    EXPECT_EQ(event.epoch(), 7u);
    EXPECT_EQ(event.format(), kEventFormat);
  }
  EXPECT_EQ(events[0].hello().stream(), "shop.forward");
  EXPECT_EQ(events[0].hello().start_lsn(), 100u);
  EXPECT_EQ(events[1].begin().commit_lsn(), 110u);
  EXPECT_EQ(events[1].begin().previous_commit_lsn(), 0u);
  EXPECT_EQ(events[1].begin().origin(), "elsewhere");
  EXPECT_EQ(events[1].begin().origin_lsn(), 42u);
  EXPECT_EQ(events[2].relation().name(), "t");
  EXPECT_EQ(events[2].relation().root_relation_id(), 9u);
  EXPECT_EQ(events[2].relation().root_name(), "root");
  EXPECT_TRUE(events[2].relation().columns(0).in_identity());
  EXPECT_EQ(events[2].relation().columns(0).attnum(), 1);
  EXPECT_EQ(events[2].relation().columns(0).root_attnum(), 2);
  EXPECT_EQ(events[2].relation().columns(1).attnum(), 3);
  EXPECT_EQ(events[2].relation().columns(1).root_attnum(), 1);
  EXPECT_EQ(events[3].row().ordinal(), 0u);
  EXPECT_EQ(events[3].row().commit_lsn(), 110u);
  EXPECT_EQ(events[4].truncate().ordinal(), 1u);
  EXPECT_TRUE(events[4].truncate().cascade());
  EXPECT_EQ(events[5].row().ordinal(), 2u);
  EXPECT_EQ(events[6].commit().rows(), 3u);
  EXPECT_EQ(events[6].commit().end_lsn(), 130u);
}

TEST_F(PublisherTest, ChainsCommitsAndLeavesEmptyTransactionsOut) {
  ASSERT_OK(Begin(110));
  ASSERT_OK(Relation());
  ASSERT_OK(Insert("1"));
  ASSERT_OK(Commit(110, 120));
  ASSERT_OK(Begin(120));
  ASSERT_OK(Commit(120, 130));  // nothing in it
  ASSERT_OK(Begin(140));
  ASSERT_OK(Insert("2"));
  ASSERT_OK(Commit(140, 150));
  const std::vector<Event> events = Events();
  ASSERT_EQ(events.size(), 7u);
  EXPECT_EQ(events[4].begin().commit_lsn(), 140u);
  EXPECT_EQ(events[4].begin().previous_commit_lsn(), 110u);
  EXPECT_EQ(events[4].begin().origin(), "");
  EXPECT_EQ(publisher_->transactions(), 2u);
}

// Promise 1: the slot is never acknowledged ahead of what the log holds durably.
TEST_F(PublisherTest, ConfirmsACommitOnlyOnceItIsDurable) {
  log_.HoldDurability();
  ASSERT_OK(Begin(110));
  ASSERT_OK(Relation());
  ASSERT_OK(Commit(110, 120));
  ASSERT_OK(Begin(120));
  ASSERT_OK(Commit(120, 130));
  ASSERT_OK(publisher_->TellPosition(absl::FromUnixSeconds(1'000)));
  EXPECT_EQ(publisher_->Confirm(), Lsn(100));
  EXPECT_TRUE(publisher_->pending());
  log_.ReleaseDurability();
  ASSERT_OK(writer_->Flush(absl::Seconds(10)));
  EXPECT_EQ(publisher_->Confirm(), Lsn(130));
  EXPECT_FALSE(publisher_->pending());
}

TEST_F(PublisherTest, AnOpenTransactionIsNotConfirmed) {
  ASSERT_OK(Begin(110));
  ASSERT_OK(Relation());
  ASSERT_OK(Insert("1"));
  ASSERT_OK(writer_->Flush(absl::Seconds(10)));
  EXPECT_EQ(publisher_->Confirm(), Lsn(100));
}

TEST_F(PublisherTest, KeepalivesBecomeHeartbeatsOnceASecondAndOnlyBetweenTransactions) {
  const absl::Time start = absl::FromUnixSeconds(1'000);
  ASSERT_OK(publisher_->Keepalive(Lsn(100), 0, start, false));  // no news
  ASSERT_OK(publisher_->Keepalive(Lsn(105), 77, start, false));
  ASSERT_OK(publisher_->Keepalive(Lsn(106), 0, start + absl::Milliseconds(900), false));
  ASSERT_OK(publisher_->Keepalive(Lsn(107), 0, start + absl::Milliseconds(900), true));
  ASSERT_OK(Begin(110));
  ASSERT_OK(publisher_->Keepalive(Lsn(109), 0, start + absl::Seconds(10), true));
  ASSERT_OK(Commit(110, 120));
  ASSERT_OK(publisher_->Keepalive(Lsn(115), 0, start + absl::Seconds(20), true));
  ASSERT_OK(publisher_->Keepalive(Lsn(115), 0, start + absl::Seconds(30), true));  // no news
  const std::vector<Event> events = Events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].heartbeat().lsn(), 105u);
  EXPECT_EQ(events[0].heartbeat().time_us(), 77);
  EXPECT_EQ(events[1].heartbeat().lsn(), 107u);
  EXPECT_EQ(events[2].heartbeat().lsn(), 120u);
  EXPECT_EQ(publisher_->Confirm(), Lsn(120));
}

TEST_F(PublisherTest, OwnMessagesBecomeHeartbeatsOthersPassThrough) {
  const auto message = [](bool transactional, uint64_t lsn, std::string_view prefix) {
    return Builder('M').U8(transactional ? 1 : 0).U64(lsn).CString(prefix).U32(1).Raw("x").Take();
  };
  ASSERT_OK(Send(message(false, 105, kHeartbeatPrefix)));
  ASSERT_OK(Send(message(false, 106, "mine")));
  ASSERT_OK(Begin(110));
  ASSERT_OK(Send(message(true, 107, "marker")));
  ASSERT_OK(Commit(110, 120));
  const std::vector<Event> events = Events();
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[0].heartbeat().lsn(), 105u);
  EXPECT_EQ(events[1].message().prefix(), "mine");
  EXPECT_EQ(events[1].message().content(), "x");
  EXPECT_EQ(events[2].begin().commit_lsn(), 110u);
  EXPECT_TRUE(events[3].message().transactional());
  EXPECT_EQ(events[4].commit().commit_lsn(), 110u);
}

TEST_F(PublisherTest, RefusesAStreamOutOfOrder) {
  const auto refused = [](const absl::Status& status) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("the source sent")));
  };
  refused(Insert("1"));
  refused(Commit(110, 120));
  refused(Begin(99));  // below where the stream starts
  ASSERT_OK(Begin(110));
  refused(Begin(111));
  refused(Commit(111, 120));
  refused(Commit(110, 110));
  EXPECT_THAT(Insert("1"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("before the desc")));
  refused(Send(Builder('O').U64(42).CString("late").Take()));
  ASSERT_OK(Commit(110, 120));
  refused(Begin(119));
  refused(Send(Builder('O').U64(42).CString("late").Take()));
}

// The log must end where the slot was moved to: else the next start finds changes missing.
TEST_F(PublisherTest, EmptyTransactionsAreAcknowledgedOnceTheLogTellsOfThem) {
  const absl::Time start = absl::FromUnixSeconds(1'000);
  ASSERT_OK(Begin(110));
  ASSERT_OK(Commit(110, 120));
  EXPECT_EQ(publisher_->Confirm(), Lsn(100));
  ASSERT_OK(publisher_->TellPosition(start));
  ASSERT_OK(Begin(130));
  ASSERT_OK(publisher_->TellPosition(start + absl::Seconds(10)));  // not within one
  ASSERT_OK(Commit(130, 140));
  ASSERT_OK(publisher_->TellPosition(start + absl::Milliseconds(900)));
  EXPECT_EQ(Events().size(), 1u);
  EXPECT_EQ(publisher_->Confirm(), Lsn(120));
  ASSERT_OK(publisher_->TellPosition(start + absl::Seconds(1)));
  ASSERT_OK(publisher_->TellPosition(start + absl::Seconds(2)));
  const std::vector<Event> events = Events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].heartbeat().lsn(), 120u);
  EXPECT_EQ(events[1].heartbeat().lsn(), 140u);
  EXPECT_EQ(publisher_->Confirm(), Lsn(140));
}

// Before Postgres 14 they are rows of a table, whatever is done to it.
TEST_F(PublisherTest, RowsOfTheMessageTableAreMessages) {
  constexpr uint32_t kMessages = 77;
  const auto relation = [](std::string_view name) {
    return Builder('R')
        .U32(kMessages)
        .CString("switchyard")
        .CString(name)
        .Raw("d")
        .U16(3)
        .Column(true, "stream", 25, -1)
        .Column(false, "prefix", 25, -1)
        .Column(false, "content", 25, -1)
        .Take();
  };
  const auto write = [](char op, const std::string& stream, const std::string& prefix) {
    return Builder(op).U32(kMessages).Raw("N").Tuple({"t:" + stream, "t:" + prefix, "t:x"}).Take();
  };
  ASSERT_OK(Begin(110));
  ASSERT_OK(Send(relation("capture_message")));
  ASSERT_OK(Send(write('I', "shop.forward", kHeartbeatPrefix)));
  ASSERT_OK(Commit(110, 120));
  ASSERT_OK(Begin(130));
  ASSERT_OK(Send(write('U', "shop.forward", "marker")));
  ASSERT_OK(Send(write('U', "other.forward", "not ours")));
  ASSERT_OK(Send(Builder('D').U32(kMessages).Raw("K").Tuple({"t:shop.forward", "n", "n"}).Take()));
  ASSERT_OK(Send(Builder('T').U32(1).U8(0).U32(kMessages).Take()));
  ASSERT_OK(Commit(130, 140));
  const std::vector<Event> events = Events();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].heartbeat().lsn(), 120u);
  EXPECT_EQ(events[1].begin().commit_lsn(), 130u);
  EXPECT_EQ(events[2].message().prefix(), "marker");
  EXPECT_EQ(events[2].message().lsn(), 130u);
  EXPECT_EQ(events[3].commit().rows(), 0u);
  EXPECT_EQ(publisher_->Confirm(), Lsn(140));
  // By another name it is somebody else's table.
  ASSERT_OK(Begin(150));
  ASSERT_OK(Send(relation("renamed")));
  ASSERT_OK(Send(write('U', "shop.forward", "marker")));
  ASSERT_OK(Commit(150, 160));
  EXPECT_EQ(Events().size(), 8u);
}

TEST_F(PublisherTest, AFailedRootLookupStopsBeforeTheRows) {
  Publisher publisher({.epoch = 7, .start = Lsn(100)}, *writer_,
                      [](const RelationMessage&) -> absl::StatusOr<TableFacts> {
                        return absl::UnavailableError("gone");
                      });
  PgoutputMessage message;
  message.type = PgoutputMessage::Type::kBegin;
  message.begin.commit_lsn = Lsn(110);
  ASSERT_OK(publisher.Publish(message));
  message.type = PgoutputMessage::Type::kRelation;
  EXPECT_THAT(publisher.Publish(message), StatusIs(absl::StatusCode::kUnavailable, "gone"));
}

// A log with a limit of 100 bytes.
class SmallWriter : public eventlog::LogWriter {
 public:
  absl::StatusOr<uint64_t> Append(std::string_view /*key*/, std::string_view payload) override {
    if (payload.size() > 100) return absl::InvalidArgumentError("a record of many bytes");
    return ++sequence_;
  }
  void Nudge() override {}
  absl::Status Flush(absl::Duration /*timeout*/) override { return absl::OkStatus(); }
  uint64_t durable_sequence() const override { return sequence_; }
  absl::Status status() const override { return absl::OkStatus(); }
  bool keeps_keys() const override { return false; }

 private:
  uint64_t sequence_ = 0;
};

TEST_F(PublisherTest, ARowThatTheLogCannotHoldIsNamedWithTheWayOut) {
  SmallWriter small;
  publisher_ = std::make_unique<Publisher>(
      Publisher::Options{.stream = "shop.forward", .epoch = 7, .start = Lsn(100)}, small,
      [this](const RelationMessage&) -> absl::StatusOr<TableFacts> {
        return TableFacts{.root = root_};
      });
  ASSERT_OK(Begin(0x16B3748));
  ASSERT_OK(Relation());
  ASSERT_OK(Insert("1"));
  EXPECT_THAT(Insert(std::string(200, '7')),
              StatusIs(absl::StatusCode::kDataLoss,
                       ::testing::AllOf(HasSubstr("a change of public.t at 0/16B3748"),
                                        HasSubstr("a record of many bytes"),
                                        HasSubstr("switchyard recopy FILE --all"))));
}

TEST_F(PublisherTest, ATransactionOfOurOwnBeginsWithItsMark) {
  constexpr uint64_t kXid = 5;
  struct Case {
    char op;
    std::string migration;
    uint64_t xid;
    std::string marked_by;
  };
  const std::vector<Case> cases = {{'U', "shop", kXid, "apply"},
                                   {'U', "shop", (uint64_t{3} << 32) + kXid, "apply"},
                                   {'U', "shop", kXid + 1, ""},
                                   {'U', "other", kXid, ""},
                                   {'I', "shop", kXid, ""}};
  std::vector<std::string> expected;
  uint64_t lsn = 110;
  for (const Case& at : cases) {
    ASSERT_OK(Begin(lsn));
    ASSERT_OK(MarkRelation());
    ASSERT_OK(Mark(at.op, at.migration, at.xid));
    ASSERT_OK(Relation());
    ASSERT_OK(Insert("1"));
    ASSERT_OK(Commit(lsn, lsn + 5));
    lsn += 10;
    expected.push_back(at.marked_by);
  }
  std::vector<std::string> marked_by;
  for (const Event& event : Events()) {
    if (event.has_begin()) marked_by.push_back(event.begin().marked_by());
    EXPECT_NE(event.row().relation_id(), kMark);
    EXPECT_NE(event.relation().relation_id(), kMark);
  }
  EXPECT_EQ(marked_by, expected);
}

// The row that decides for this side; another migration's, and a message of that name, do not.
TEST_F(PublisherTest, TheTransactionThatOpensOrClosesTheSideSaysSo) {
  constexpr uint32_t kSide = 16'403;
  const std::string described = Builder('R')
                                    .U32(kSide)
                                    .CString("switchyard")
                                    .CString("old_side")
                                    .Raw("d")
                                    .U16(2)
                                    .Column(true, "migration", 25, -1)
                                    .Column(false, "state", 25, -1)
                                    .Take();
  const auto side = [&](const std::string& migration, const std::string& state) {
    return Send(Builder('U').U32(kSide).Raw("N").Tuple({"t:" + migration, "t:" + state}).Take());
  };
  uint64_t lsn = 110;
  for (const auto& [migration, state] :
       {std::pair("shop", "closed"), std::pair("other", "open"), std::pair("shop", "open")}) {
    ASSERT_OK(Begin(lsn));
    ASSERT_OK(Send(described));
    ASSERT_OK(side(migration, state));
    ASSERT_OK(Commit(lsn, lsn + 5));
    lsn += 10;
  }
  std::vector<std::string> said;
  for (const Event& event : Events()) {
    if (!event.has_commit()) continue;
    said.push_back(absl::StrCat(event.commit().commit_lsn(), " ",
                                event.commit().has_source_owns()
                                    ? (event.commit().source_owns() ? "owns" : "does not")
                                    : "says nothing"));
  }
  // Of the other migration's nothing is there at all.
  EXPECT_THAT(said, ::testing::ElementsAre("110 does not", "130 owns"));
}

TEST_F(PublisherTest, OnlyTheFirstRowOfATransactionMarksIt) {
  ASSERT_OK(Begin(110));
  ASSERT_OK(Relation());
  ASSERT_OK(Insert("1"));
  ASSERT_OK(MarkRelation());
  ASSERT_OK(Mark('U', "shop", 5));
  ASSERT_OK(Commit(110, 115));
  ASSERT_OK(Begin(120));
  ASSERT_OK(Mark('U', "shop", 4));  // by hand
  ASSERT_OK(Mark('U', "shop", 5));
  ASSERT_OK(Insert("2"));
  ASSERT_OK(Commit(120, 125));
  ASSERT_OK(Begin(130));  // nothing else: no trace
  ASSERT_OK(Mark('U', "shop", 5));
  ASSERT_OK(Send(Builder('T').U32(1).U8(0).U32(kMark).Take()));
  ASSERT_OK(Commit(130, 135));
  int begun = 0;
  for (const Event& event : Events()) {
    if (!event.has_begin()) continue;
    ++begun;
    EXPECT_EQ(event.begin().marked_by(), "");
  }
  EXPECT_EQ(begun, 2);
  EXPECT_EQ(publisher_->position(), Lsn(135));
}

}  // namespace
}  // namespace switchyard::capture
