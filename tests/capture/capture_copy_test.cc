// The initial copy, and copies of single tables while the stream goes on.
#include "absl/strings/str_cat.h"
#include "capture/capture.h"
#include "capture/copy/snapshot.h"
#include "capture/source/source_state.h"
#include "common/base/finding.h"
#include "common/records/source/capture_copies.h"
#include "tests/capture/capture_fixture.h"
#include "tests/support/await.h"
#include "tests/support/vanishing_topic_log.h"

namespace switchyard::capture {
namespace {

using event::v1::Event;
using ::switchyard::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kPartitioned[] = R"(
    CREATE TABLE t (id int PRIMARY KEY);
    CREATE TABLE m (day int PRIMARY KEY) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (5);
    CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (5) TO (9);
    CREATE TABLE m_3 PARTITION OF m FOR VALUES FROM (9) TO (12);
    INSERT INTO m VALUES (1), (2), (5))";
// Of how many points in time m_1 and m_2 are, and whether they are a re-copy.
constexpr char kPointsOfLeaves[] =
    "SELECT count(DISTINCT lsn) || ' ' || bool_and(recopy) FROM switchyard.capture_copy "
    "WHERE table_name IN ('m_1', 'm_2')";

class CaptureCopyTest : public testing::CaptureTest {
 protected:
  absl::Status Recopy(const std::string& table) {
    const auto session = ConnectAsCapture();
    return Capture::Recopy(*session, options().stream, {"", table});
  }
  std::string Generation(const std::string& table) {
    return Scalar("SELECT generation FROM switchyard.capture_copy WHERE table_name = '" + table +
                  "'");
  }
  // A session of its own, for what has to stay open.
  std::unique_ptr<pg::Session> Other() {
    auto session = server_->Connect(database_);
    EXPECT_OK(session);
    return session.ok() ? *std::move(session) : nullptr;
  }
};

TEST_F(CaptureCopyTest, CopiesInRangesAndChunksWhileTheSourceWrites) {
  tables_ = {{"", "t"}, {"", "small"}, {"", "m"}};
  Run(R"(
    CREATE TABLE t (id int PRIMARY KEY, a text);
    CREATE TABLE small (id int PRIMARY KEY);
    CREATE TABLE m (day int PRIMARY KEY, x text) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (0) TO (500);
    CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (500) TO (1000000);
    INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 20000) i;
    INSERT INTO small VALUES (1);
    INSERT INTO m SELECT i, i FROM generate_series(1, 3000) i;
    ANALYZE)");
  SetUpSource();
  CaptureConfig config = Config();
  config.copy_workers = 3;
  config.copy_range_bytes = 512 * 1024;
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  const auto writer = Other();
  for (int i = 0; i < 300; ++i) {
    ASSERT_OK(writer->Execute(absl::StrCat(
        "BEGIN; UPDATE t SET a = 'u", i, "' WHERE id % 97 = ", i % 97,
        "; DELETE FROM t WHERE id = ", i * 7 + 1, "; INSERT INTO t VALUES (", 100'000 + i,
        ", 'new'); UPDATE m SET day = day + 5000 "
        "WHERE day = ",
        i + 1, "; COMMIT")));
  }
  ExpectReplicaEqualsSource();
  const std::vector<Event> copies = Copies();
  size_t chunks = 0;
  for (const Event& event : copies) {
    EXPECT_LE(event.copy_chunk().data().size(), size_t{256} << 10);
    chunks += event.has_copy_chunk() ? 1 : 0;
  }
  EXPECT_GT(chunks, 15u);
  ASSERT_TRUE(copies[0].has_hello());
  ASSERT_TRUE(copies[1].has_copy_point());
  EXPECT_EQ(copies[1].copy_point().relation().name(), "t");  // the largest first
  EXPECT_EQ(copies[1].copy_point().rows_estimate(), 20'000);
  EXPECT_FALSE(copies[1].copy_point().recopy());
  EXPECT_EQ(Scalar("SELECT to_timestamp(" + std::to_string(copies[1].copy_point().time_us()) +
                   " / 1e6) BETWEEN pg_postmaster_start_time() AND clock_timestamp()"),
            "t");
  AwaitScalar("SELECT state FROM switchyard.capture_stream", "streaming");
  EXPECT_EQ(
      Scalar("SELECT rows_done || ' ' || (bytes_done > 1000000) || ' ' || "
             "(finished_at >= started_at) FROM switchyard.capture_copy WHERE table_name = 't'"),
      "20000 true true");
}

// The commit whose LSN is the slot's own point is not in the snapshot, everything below it is:
// with three transactions around the slot's creation, each is either in the copy or in the stream.
TEST_F(CaptureCopyTest, TheSnapshotHoldsExactlyTheCommitsBelowItsPoint) {
  Run("CREATE TABLE t (id int PRIMARY KEY)");
  SetUpSource();
  const auto open_before = Other();  // open when the creation begins, which waits for it
  const auto open_during = Other();  // begun while it waits
  const auto quick = Other();
  ASSERT_OK(open_before->Execute("BEGIN; INSERT INTO t VALUES (1)"));
  Start();
  AwaitScalar(
      "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + options().stream.slot + "'",
      "1");
  ASSERT_OK(open_during->Execute("BEGIN; INSERT INTO t VALUES (2)"));
  ASSERT_OK(quick->Execute("INSERT INTO t VALUES (3)"));
  ASSERT_OK(open_before->Execute("COMMIT"));
  ASSERT_OK(quick->Execute("INSERT INTO t VALUES (4)"));
  ASSERT_OK(open_during->Execute("COMMIT"));
  ASSERT_TRUE(running_->AwaitStreaming());
  ASSERT_OK(quick->Execute("INSERT INTO t VALUES (5)"));
  AwaitCopied();
  AwaitCaughtUp();

  const std::vector<Event> copies = Copies();
  ASSERT_TRUE(copies[1].has_copy_point());
  const uint64_t point = copies[1].copy_point().lsn();
  std::multiset<std::string> streamed;
  for (const Event& event : Changes()) {
    if (!event.has_row()) continue;
    EXPECT_GE(event.row().commit_lsn(), point);  // nothing below comes through the slot
    streamed.insert(event.row().new_tuple().values(0));
  }
  std::multiset<std::string> copied;
  for (const auto& row : testing::ReplicaModel(copies, {}).Rows("public", "t")) {
    copied.insert(*row.at("id"));
  }
  std::multiset<std::string> both = copied;
  both.insert(streamed.begin(), streamed.end());
  EXPECT_THAT(both, ElementsAre("1", "2", "3", "4", "5"));  // each once
  EXPECT_TRUE(copied.contains("1"));
  EXPECT_TRUE(streamed.contains("5"));
}

TEST_F(CaptureCopyTest, ARestartCopiesOnlyWhatWasNotFinished) {
  tables_ = {{"", "t"}, {"", "unlucky"}};
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
      "CREATE TABLE unlucky (id int PRIMARY KEY); INSERT INTO unlucky VALUES (1)");
  AwaitCopied();
  memory_->HoldDurability();
  ASSERT_OK(Recopy("unlucky"));
  AwaitScalar(
      "SELECT rows_done FROM switchyard.capture_copy WHERE table_name = 'unlucky' AND "
      "generation = 2 AND state = 'copying'",
      "1");
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  memory_->Crash(absl::UnavailableError("the broker is gone"));
  memory_->ReleaseDurability();
  Run("INSERT INTO t VALUES (2); INSERT INTO unlucky VALUES (2)");
  Start();
  ExpectReplicaEqualsSource();
  EXPECT_EQ(Generation("t"), "1");
  EXPECT_EQ(Generation("unlucky"), "3");
  // A reader learns what it must have seen.
  const std::vector<Event> copies = Copies();
  const auto hello = std::ranges::find_if(copies.rbegin(), copies.rend(),
                                          [](const Event& event) { return event.has_hello(); });
  ASSERT_THAT(hello->hello().finished_copies(), SizeIs(1));
  const event::v1::FinishedCopy& finished = hello->hello().finished_copies(0);
  EXPECT_EQ(std::to_string(finished.relation_id()), Scalar("SELECT 't'::regclass::oid"));
  EXPECT_EQ(finished.generation(), 1u);
}

// Nothing of the source is lost with it: whoever needs it sees what was on it.
TEST_F(CaptureCopyTest, ADeletedCopyTopicIsMadeAnew) {
  tables_ = {{"", "t"}, {"", "u"}};
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
      "CREATE TABLE u (id int PRIMARY KEY)");
  AwaitCopied();
  const std::string topic = options().stream.copy_topic;
  memory_->DeleteTopic(topic);
  ASSERT_OK(Recopy("t"));
  ASSERT_TRUE(running_->AwaitStreaming(2));
  AwaitCopied();
  AwaitScalar("SELECT count(*) FROM switchyard.capture_request WHERE taken_at IS NULL", "0");
  const std::vector<Event> copies = testing::LogFollower(*memory_, topic).ReadAll();
  ASSERT_THAT(copies, SizeIs(::testing::Ge(2)));
  EXPECT_THAT(copies[0].hello().finished_copies(), SizeIs(1));
  EXPECT_EQ(copies[1].copy_point().relation().name(), "t");
}

TEST_F(CaptureCopyTest, ACopyTopicThatGoesWhileAnEpochBeginsIsMadeAnew) {
  using Log = switchyard::testing::VanishingTopicLog;
  auto log = std::make_unique<Log>(log_cancel_);
  Log& vanishing = *log;
  memory_ = std::move(log);
  log_ = memory_.get();
  Begin("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  AwaitCopied();
  for (const Log::Moment moment : {Log::Moment::kMade, Log::Moment::kOpenedForWriting}) {
    ASSERT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
    vanishing.VanishOnce(options().stream.copy_topic, moment);
    Start();
    ASSERT_OK(Recopy("t"));
    AwaitScalar("SELECT count(*) FROM switchyard.capture_request WHERE taken_at IS NULL", "0");
    AwaitCopied();
    EXPECT_TRUE(vanishing.vanished());
    ExpectReplicaEqualsSource();
  }
}

// It would fill the log.
TEST_F(CaptureCopyTest, ACopyThatFailedIsNotRepeatedWithTheOthers) {
  tables_ = {{"", "t"}, {"", "u"}};
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
  SetUpSource();
  CaptureConfig config = Config();
  config.copy_retry_interval = absl::Hours(1);
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  ASSERT_TRUE(running_->AwaitStreaming());
  AwaitCopied();
  Run("REVOKE SELECT ON t FROM switchyard_capture");
  ASSERT_OK(Recopy("t"));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_copy WHERE error <> ''", "1");
  const std::string done = "SELECT state FROM switchyard.capture_copy WHERE table_name = ";
  for (const char* generation : {"2", "3"}) {
    ASSERT_OK(Recopy("u"));
    AwaitScalar("SELECT count(*) FROM switchyard.capture_request WHERE taken_at IS NULL", "0");
    AwaitScalar(done + "'u'", "done");
    EXPECT_EQ(Generation("u"), generation);
  }
  EXPECT_EQ(Generation("t"), "2");
  // Unless somebody asks.
  Run("GRANT SELECT ON t TO switchyard_capture");
  ASSERT_OK(Recopy("t"));
  AwaitScalar(done + "'t'", "done");
}

TEST_F(CaptureCopyTest, WhoLocksATableIsToldUntilItDoesNoMore) {
  Begin("CREATE TABLE t (id int PRIMARY KEY)");
  AwaitCopied();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  Run("UPDATE switchyard.capture_copy SET state = 'copying'");
  const auto session = ConnectAsCapture();
  records::CopyProgress progress{
      .relation_id = static_cast<uint32_t>(std::stoul(Scalar("SELECT 't'::regclass::oid"))),
      .generation = 1,
      .waits = {std::string(records::kWaitsForLock) + "pid 1", "wait"}};
  const records::CaptureCopies copies(*session, options().stream.name);
  const std::string error = "SELECT coalesce(error, '') FROM switchyard.capture_copy";
  for (const Finding& waits : {progress.waits, Finding()}) {
    progress.waits = waits;
    ASSERT_OK(copies.Note({progress}));
    EXPECT_EQ(Scalar(error), TextOf(waits));
  }
  ASSERT_OK(copies.NoteError(progress.relation_id, {"why", ""}));
  ASSERT_OK(copies.Note({progress}));
  EXPECT_EQ(Scalar(error), "why");
}

// Before the first row is read, too: the snapshot waits for it.
TEST_F(CaptureCopyTest, ATransactionThatKeepsTheSnapshotFromBeingTakenIsTold) {
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (a int)");
  SetUpSource();
  CaptureConfig config = Config();
  config.slot_timeout = absl::Milliseconds(300);
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  ASSERT_TRUE(running_->AwaitStreaming());
  AwaitCopied();
  const auto busy = Other();
  ASSERT_OK(busy->Execute("BEGIN; INSERT INTO other VALUES (1)"));
  ASSERT_OK_AND_ASSIGN(const pg::Result pid, busy->Query("SELECT pg_backend_pid()"));
  ASSERT_OK(Recopy("t"));
  AwaitScalar(
      "SELECT coalesce(max(error), '') LIKE '%" + pid.str(0, 0) + "%' FROM switchyard.capture_copy",
      "t");
  ASSERT_OK(busy->Execute("COMMIT"));
  AwaitScalar("SELECT error IS NULL AND state = 'done' FROM switchyard.capture_copy", "t");
}

TEST_F(CaptureCopyTest, CopiesATableAgainWhileStreaming) {
  tables_ = {{"", "t"}, {"", "m"}};
  Run(R"(
    CREATE TABLE t (id int PRIMARY KEY, a int);
    INSERT INTO t SELECT i, 0 FROM generate_series(1, 5000) i;
    CREATE TABLE m (day int PRIMARY KEY) PARTITION BY RANGE (day);
    CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (1) TO (5);
    CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (5) TO (9);
    INSERT INTO m VALUES (1), (5))");
  SetUpSource();
  CaptureConfig config = Config();
  config.drift_check_interval = absl::Hours(1);  // it does not know of the third leaf
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  ASSERT_TRUE(running_->AwaitStreaming());
  AwaitCopied();
  Run("UPDATE t SET a = 1;"
      "CREATE TABLE m_3 PARTITION OF m FOR VALUES FROM (9) TO (12); INSERT INTO m VALUES (9);"
      "GRANT SELECT ON m_3 TO switchyard_capture");
  ASSERT_OK(Recopy("t"));
  ASSERT_OK(Recopy("m"));  // all leaves
  for (int i = 0; i < 50; ++i) Run(absl::StrCat("UPDATE t SET a = a + 1 WHERE id % 50 = ", i));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_request WHERE taken_at IS NULL", "0");
  ExpectReplicaEqualsSource();
  EXPECT_EQ(Generation("t"), "2");
  EXPECT_EQ(Generation("m_1"), "2");
  EXPECT_EQ(Generation("m_2"), "2");
  const std::vector<Event> copies = Copies();
  const auto last = std::ranges::find_if(copies.rbegin(), copies.rend(),
                                         [](const Event& event) { return event.has_copy_point(); });
  ASSERT_NE(last, copies.rend());
  EXPECT_TRUE(last->copy_point().recopy());
  EXPECT_EQ(last->copy_point().partitions(), 3u);
  EXPECT_EQ(Scalar("SELECT count(*) FROM pg_replication_slots WHERE temporary AND "
                   "database = current_database()"),
            "0");
  EXPECT_THAT(Recopy("nope"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no table nope")));
}

// Whatever was known of them when the copy was asked for.
TEST_F(CaptureCopyTest, TheLeavesOfATableAreThoseOfTheSnapshot) {
  tables_ = {{"", "t"}, {"", "m"}};
  Run(kPartitioned);
  SetUpSource();
  CaptureConfig config = Config();
  config.drift_check_interval = absl::Hours(1);
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  ASSERT_TRUE(running_->AwaitStreaming());
  AwaitCopied();
  const auto copied = [&] {
    return Scalar(
        "SELECT string_agg(table_name || generation, ' ' ORDER BY table_name) FROM "
        "switchyard.capture_copy WHERE state = 'done'");
  };
  Run("ALTER TABLE m DETACH PARTITION m_3; INSERT INTO m_3 VALUES (10)");
  ASSERT_OK(Recopy("m"));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_request WHERE taken_at IS NULL", "0");
  AwaitCopied();
  EXPECT_EQ(copied(), "m_12 m_22 t1");
  const std::string left =
      "SELECT state || generation FROM switchyard.capture_copy WHERE "
      "table_name = 'm_3'";
  EXPECT_EQ(Scalar(left), "gone1");
  EXPECT_EQ(Copies().back().copy_end().generation(), 2u);
  EXPECT_EQ(std::ranges::count_if(
                Copies(), [](const Event& event) { return event.copy_point().partitions() == 2; }),
            2);
  // What keeps the snapshot from being taken leaves time for more.
  const auto busy = Other();
  ASSERT_OK(busy->Execute("BEGIN; INSERT INTO t VALUES (1)"));
  ASSERT_OK(Recopy("m"));
  AwaitScalar(
      "SELECT count(*) FROM pg_replication_slots WHERE temporary AND database = "
      "current_database()",
      "1");
  Run("ALTER TABLE m DETACH PARTITION m_1; CREATE TABLE m_4 (day int PRIMARY KEY);"
      "INSERT INTO m_4 VALUES (20); GRANT SELECT ON m_4 TO switchyard_capture;"
      "ALTER TABLE m ATTACH PARTITION m_4 FOR VALUES FROM (20) TO (30)");
  ASSERT_OK(busy->Execute("COMMIT"));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_copy WHERE generation = 3", "1");
  AwaitCopied();
  EXPECT_EQ(copied(), "m_23 m_41 t1");
  // It comes back: what the log says of its first copy is not of this one.
  Run("ALTER TABLE m ATTACH PARTITION m_3 FOR VALUES FROM (10) TO (20)");
  ASSERT_OK(Recopy("m"));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_copy WHERE generation = 4", "1");
  AwaitCopied();
  EXPECT_EQ(copied(), "m_24 m_32 m_42 t1");
}

// Its rows came with the stream, and it may leave before anybody looks again.
TEST_F(CaptureCopyTest, APartitionIsKnownFromItsFirstChangeOn) {
  tables_ = {{"", "t"}, {"", "m"}};
  Run(kPartitioned);
  SetUpSource();
  CaptureConfig config = Config();
  config.drift_check_interval = absl::Hours(1);
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  ASSERT_TRUE(running_->AwaitStreaming());
  AwaitCopied();
  Run("CREATE TABLE m_4 PARTITION OF m FOR VALUES FROM (20) TO (30); INSERT INTO m VALUES (20)");
  AwaitCaughtUp();
  Run("ALTER TABLE m DETACH PARTITION m_4");
  ASSERT_OK(Recopy("t"));  // looks first
  AwaitScalar("SELECT count(*) FROM switchyard.capture_request WHERE taken_at IS NULL", "0");
  AwaitCopied();
  EXPECT_EQ(Scalar("SELECT string_agg(table_name || ' ' || reason, ',') FROM "
                   "switchyard.capture_suspect"),
            "m partition public.m_4: detached: its rows left without a DELETE");
}

// A reader can't tell the rows of one leaf from another's.
TEST_F(CaptureCopyTest, TheLeavesOfATableBeginAgainTogether) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin(kPartitioned);
  AwaitCopied();
  Run("REVOKE SELECT ON m_2 FROM switchyard_capture");
  ASSERT_OK(Recopy("m"));
  AwaitScalar("SELECT count(*) FROM switchyard.capture_copy WHERE error <> ''", "1");
  Run("GRANT SELECT ON m_2 TO switchyard_capture; UPDATE m SET day = day + 4 WHERE day = 2");
  ExpectReplicaEqualsSource();
  EXPECT_EQ(Scalar(kPointsOfLeaves), "1 true");
  EXPECT_EQ(Generation("t"), "1");
}

TEST_F(CaptureCopyTest, ALeafOfTheInitialCopyThatWasDoneBeginsAgainWithTheOthers) {
  tables_ = {{"", "t"}, {"", "m"}};
  Begin(kPartitioned);
  AwaitCopied();
  AwaitScalar("SELECT state FROM switchyard.capture_stream", "streaming");
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  // As a capture killed before the end of the second leaf leaves it, and a third that is gone.
  Run("UPDATE switchyard.capture_copy SET state = 'copying' WHERE table_name = 'm_2';"
      "UPDATE switchyard.capture_stream SET state = 'copying'; DROP TABLE m_3");
  Start();
  ASSERT_TRUE(running_->AwaitStreaming(2));
  Run("UPDATE m SET day = day + 4 WHERE day = 2");
  ExpectReplicaEqualsSource();
  AwaitScalar("SELECT state FROM switchyard.capture_stream", "streaming");
  EXPECT_EQ(Scalar(kPointsOfLeaves), "1 false");
  EXPECT_EQ(Generation("m_1"), "2");
  EXPECT_EQ(Generation("t"), "1");
}

TEST_F(CaptureCopyTest, ATableRewrittenAgainIsCopiedByALaterRound) {
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY, a int);"
      "INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i");
  AwaitCopied();
  Run("ALTER TABLE t ALTER a TYPE bigint");
  AwaitScalar("SELECT count(*) FROM switchyard.capture_suspect WHERE cleared_at IS NULL", "1");
  ASSERT_OK(Recopy("t"));
  AwaitScalar(
      "SELECT count(*) FROM switchyard.capture_copy WHERE state = 'done' AND generation = 2", "1");
  // What was seen lies before the copy.
  EXPECT_EQ(Scalar("SELECT c.lsn >= s.seen_lsn FROM switchyard.capture_copy c, "
                   "switchyard.capture_suspect s"),
            "t");
  Run("INSERT INTO t VALUES (0, 10000000000)");
  ExpectReplicaEqualsSource();
}

// Told in the source, with what to do; it goes on by itself.
TEST_F(CaptureCopyTest, AFailedCopySaysWhyUntilItSucceeds) {
  Begin("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  AwaitCopied();
  Run("REVOKE SELECT ON t FROM switchyard_capture");
  ASSERT_OK(Recopy("t"));
  const std::string error = "SELECT coalesce(error, '') FROM switchyard.capture_copy";
  AwaitScalar("SELECT (" + error +
                  ") LIKE 'permission denied for table t %; next: switchyard "
                  "check FILE%'",
              "t");
  Run("GRANT SELECT ON t TO switchyard_capture");
  AwaitCopied();
  EXPECT_EQ(Scalar(error), "");
  EXPECT_EQ(Generation("t") > "1", true);
}

TEST_F(CaptureCopyTest, APreparedTransactionIsNamedAndWaitedFor) {
  Run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (a int)");
  SetUpSource();
  Run("BEGIN; INSERT INTO other VALUES (1); PREPARE TRANSACTION 'forgotten'");
  CaptureConfig config = Config();
  config.slot_timeout = absl::Milliseconds(300);
  ::testing::internal::CaptureStderr();
  running_ = std::make_unique<testing::RunningCapture>(config, *log_);
  // Given up and tried again, on another connection, each time without a slot left behind.
  const std::string waiting =
      "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'";
  AwaitScalar(waiting, "1");
  const std::string first =
      Scalar("SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'walsender'");
  AwaitScalar(waiting + " AND pid <> " + first, "1");
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("forgotten"));
  EXPECT_EQ(running_->stats().epoch, 0u);
  Run("ROLLBACK PREPARED 'forgotten'");
  ASSERT_TRUE(running_->AwaitStreaming());
  ExpectReplicaEqualsSource();
}

TEST_F(CaptureCopyTest, TablesThatJoinTheMigrationAreCopied) {
  Begin(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE joins (id int PRIMARY KEY);"
      "INSERT INTO joins VALUES (1)");
  AwaitCopied();
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  tables_ = {{"", "t"}, {"", "joins"}};
  SetUpSource();
  Run("INSERT INTO joins VALUES (2)");
  Start();
  ASSERT_TRUE(running_->AwaitStreaming(2));
  Run("INSERT INTO joins VALUES (3)");
  ExpectReplicaEqualsSource();
  EXPECT_EQ(Generation("joins"), "1");
  EXPECT_EQ(Scalar("SELECT count(*) FROM switchyard.capture_suspect"), "0");
  // And leave it again.
  EXPECT_THAT(Stop(), StatusIs(absl::StatusCode::kCancelled, ::testing::_));
  tables_ = {{"", "t"}};
  Start();
  ASSERT_TRUE(running_->AwaitStreaming(3));
  EXPECT_EQ(Scalar("SELECT state || ' ' || generation FROM switchyard.capture_copy WHERE "
                   "relation_id = 'joins'::regclass"),
            "gone 1");  // which is not given out again
}

TEST_F(CaptureCopyTest, ATableDroppedBeforeItsCopyIsReported) {
  tables_ = {{"", "t"}, {"", "goes"}};
  Begin("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE goes (id int PRIMARY KEY)");
  AwaitCopied();
  ASSERT_OK(Recopy("goes"));
  Run("DROP TABLE goes");
  AwaitScalar("SELECT count(*) FROM switchyard.capture_suspect WHERE reason LIKE 'dropped%'", "1");
  Run("INSERT INTO t VALUES (1)");
  AwaitCaughtUp();
  EXPECT_FALSE(running_->ended());
  EXPECT_EQ(Replica().Rows("public", "t"), testing::SourceRows(*owner_, "t"));
}

TEST_F(CaptureCopyTest, ASnapshotDescribesItsTablesAsOfItself) {
  Run("CREATE TABLE t (id int PRIMARY KEY, gen int GENERATED ALWAYS AS (id) STORED, a text)");
  Cancel cancel;
  ASSERT_OK_AND_ASSIGN(
      Snapshot snapshot,
      Snapshot::Take({.dsn = server_->dsn(database_), .slot = "temporary_one", .temporary = true},
                     cancel));
  // The slot's own connection is not needed any more.
  AwaitScalar("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'temporary_one'", "0");
  const auto oid = static_cast<uint32_t>(std::stoul(Scalar("SELECT 't'::regclass::oid")));
  Run("ALTER TABLE t ADD COLUMN later int");
  ASSERT_OK_AND_ASSIGN(const auto tables, DescribeTables(snapshot, {oid, 1}));
  ASSERT_THAT(tables, SizeIs(1));
  ASSERT_EQ(tables[0].relation.columns_size(), 2);
  EXPECT_EQ(tables[0].relation.columns(1).name(), "a");
  EXPECT_TRUE(tables[0].relation.columns(0).in_identity());
}

}  // namespace
}  // namespace switchyard::capture
