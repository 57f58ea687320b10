// One round of copies: what happens between its snapshot and its copies.
#include "capture/copy/copy_round.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/copy/snapshot.h"
#include "common/records/source/capture_copies.h"
#include "tests/capture/capture_fixture.h"
#include "tests/support/await.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using ::switchyard::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class CopyRoundTest : public testing::CaptureTest {
 protected:
  // A session of its own, for what has to stay open.
  std::unique_ptr<pg::Session> Other() {
    auto session = server_->Connect(database_);
    EXPECT_OK(session);
    return session.ok() ? *std::move(session) : nullptr;
  }
  void TakeSnapshot(std::string_view sql) {
    Run(sql);
    ASSERT_OK(memory_->CreateTopic("copy"));
    auto snapshot = Snapshot::Take(
        {.dsn = server_->dsn(database_), .slot = "for_" + database_, .temporary = true}, cancel_);
    ASSERT_OK(snapshot);
    snapshot_.emplace(*std::move(snapshot));
  }
  // Describes the tables and starts their copy.
  void StartRound(const std::vector<std::string>& names) {
    std::vector<uint32_t> oids;
    for (const std::string& name : names) {
      oids.push_back(static_cast<uint32_t>(
          std::stoul(Scalar("SELECT oid FROM pg_class WHERE relname = '" + name + "'"))));
    }
    ASSERT_OK_AND_ASSIGN(const auto tables, DescribeTables(*snapshot_, oids));
    std::vector<records::CaptureCopy> records(tables.size());
    for (records::CaptureCopy& record : records) record.generation = 1;
    ASSERT_OK_AND_ASSIGN(auto writer, memory_->OpenWriter("copy"));
    writer_ = std::make_unique<CopyWriter>(std::move(writer), 1);
    CopyRoundOptions options{.dsn = server_->dsn(database_), .workers = 1};
    options.row_bytes_max = 200'000;
    round_ = std::make_unique<CopyRound>(options, *snapshot_, writer_.get(), records, tables);
    ASSERT_OK(round_->Start());
  }
  testing::ReplicaModel Model() {
    EXPECT_OK(writer_->Flush(absl::Seconds(10)));
    return testing::ReplicaModel(testing::LogFollower(*memory_, "copy").ReadAll(), {});
  }

  std::optional<Snapshot> snapshot_;
  std::unique_ptr<CopyWriter> writer_;
  std::unique_ptr<CopyRound> round_;
};

// A rewritten or truncated table looks empty to an older snapshot: it must not pass for copied.
TEST_F(CopyRoundTest, ATableRewrittenSinceTheSnapshotFails) {
  TakeSnapshot(
      "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1);"
      "CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1);"
      "CREATE TABLE v (id int PRIMARY KEY); INSERT INTO v VALUES (1);"
      "CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1)");
  Run("ALTER TABLE t ALTER a TYPE bigint; TRUNCATE u; INSERT INTO u VALUES (2);"
      "INSERT INTO fine VALUES (2); ALTER TABLE v RENAME TO w; CREATE TABLE v (id int)");
  StartRound({"t", "u", "w", "fine"});
  ASSERT_TRUE(round_->WaitFor(absl::Minutes(1)));
  const auto failures = round_->Failures();
  ASSERT_THAT(failures, SizeIs(3));
  for (const auto& failure : failures) {
    EXPECT_THAT(failure.status, StatusIs(absl::StatusCode::kAborted, HasSubstr("a later point")));
  }
  EXPECT_THAT(Model().Rows("public", "fine"), SizeIs(1));  // as of the snapshot
}

// They begin again with it; the reading would be repeated for as long as it fails.
TEST_F(CopyRoundTest, TheOtherLeavesOfATableThatFailedAreNotRead) {
  TakeSnapshot(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
      "CREATE TABLE m (day int PRIMARY KEY) PARTITION BY RANGE (day);"
      "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (5);"
      "CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (5) TO (9);"
      "INSERT INTO m VALUES (1), (2), (5)");
  Run("TRUNCATE m_2");
  StartRound({"m_2", "m_1", "t"});
  ASSERT_TRUE(round_->WaitFor(absl::Minutes(1)));
  ASSERT_THAT(round_->Failures(), SizeIs(1));
  EXPECT_THAT(std::string(round_->Failures()[0].status.message()), HasSubstr("m_2"));
  EXPECT_THAT(Model().Rows("public", "t"), SizeIs(1));
  const std::vector<Event> copies = testing::LogFollower(*memory_, "copy").ReadAll();
  for (const Event& event : copies) {
    EXPECT_TRUE(!event.has_copy_chunk() || event.copy_chunk().data() == "1\n");
  }
}

TEST_F(CopyRoundTest, AColumnDroppedSinceTheSnapshotFails) {
  TakeSnapshot("CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY)");
  Run("ALTER TABLE t DROP COLUMN a");
  StartRound({"t"});
  ASSERT_TRUE(round_->WaitFor(absl::Minutes(1)));
  ASSERT_THAT(round_->Failures(), SizeIs(1));
  EXPECT_THAT(std::string(round_->Failures()[0].status.message()),
              HasSubstr("renamed, dropped or made again"));
}

// A range of which rows are on the log is not begun again: it waits for what locks its TOAST index.
TEST_F(CopyRoundTest, ALockMetInTheMiddleOfARangeIsWaitedFor) {
  TakeSnapshot(
      "CREATE TABLE t (id int PRIMARY KEY, a text);"
      "ALTER TABLE t ALTER a SET STORAGE EXTERNAL;"
      "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 2000) i;"
      "INSERT INTO t VALUES (3000, repeat('x', 100000))");
  const auto locker = Other();
  ASSERT_OK(locker->Execute("BEGIN; REINDEX INDEX " +
                            Scalar("SELECT indexrelid::regclass FROM pg_index WHERE indrelid = "
                                   "(SELECT reltoastrelid FROM pg_class WHERE relname = 't')")));
  StartRound({"t"});
  AwaitScalar(
      "SELECT coalesce(bool_or(clock_timestamp() - waitstart > '3 s'), false) FROM pg_locks "
      "WHERE NOT granted",
      "t");
  ASSERT_OK(locker->Execute("COMMIT"));
  ASSERT_TRUE(round_->WaitFor(absl::Minutes(1)));
  EXPECT_THAT(round_->Failures(), ::testing::IsEmpty());
  EXPECT_THAT(Model().Rows("public", "t"), SizeIs(2001));
}

TEST_F(CopyRoundTest, ALockedTableWaitsBehindTheOthers) {
  TakeSnapshot(
      "CREATE TABLE locked (id int PRIMARY KEY); INSERT INTO locked VALUES (1);"
      "CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1)");
  const auto locker = Other();
  ASSERT_OK(locker->Execute("BEGIN; LOCK TABLE locked"));
  StartRound({"locked", "fine"});
  const auto done = [this](size_t i) { return round_->Progress()[i].done; };
  EXPECT_OK(switchyard::testing::Await("the other table is copied", absl::Minutes(1),
                                       [&] { return done(1); }));
  EXPECT_FALSE(done(0));
  ASSERT_OK_AND_ASSIGN(const pg::Result pid, locker->Query("SELECT pg_backend_pid()"));
  EXPECT_THAT(round_->Progress()[0].waits.what,
              HasSubstr("pid " + pid.str(0, 0) + " (role postgres"));
  ASSERT_OK(locker->Execute("COMMIT"));
  ASSERT_TRUE(round_->WaitFor(absl::Minutes(1)));
  EXPECT_THAT(Model().Rows("public", "locked"), SizeIs(1));
}

// A row that Postgres can send and the log can't hold.
TEST_F(CopyRoundTest, ARowTooLargeForTheLogFailsItsTableAlone) {
  TakeSnapshot(
      "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), "
      "(2, repeat('x', 200000)); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)");
  StartRound({"t", "u"});
  ASSERT_TRUE(round_->WaitFor(absl::Minutes(1)));
  ASSERT_THAT(round_->Failures(), SizeIs(1));
  EXPECT_THAT(std::string(round_->Failures()[0].status.message()),
              HasSubstr("a row of public.t has 200003 bytes as text, the limit of the log is "
                        "200000; next: make it smaller"));
  EXPECT_OK(writer_->status());
  EXPECT_THAT(Model().Rows("public", "u"), SizeIs(1));
}

TEST_F(CopyRoundTest, EndsInTheMiddleOfARangeWhenAbandoned) {
  TakeSnapshot(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100000)");
  memory_->HoldDurability();
  memory_->SetInFlightMax(1);
  StartRound({"t"});
  memory_->ReleaseDurability();
  round_.reset();
}

}  // namespace
}  // namespace switchyard::capture
