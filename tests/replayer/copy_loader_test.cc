// Promise 3 for the copy: each chunk is loaded once, whichever of the lanes got how far.
#include "replayer/copy/copy_loader.h"

#include <optional>

#include "replayer/copy/derive_copy.h"
#include "tests/support/replay_fixture.h"

namespace switchyard::replayer {
namespace {

using ::testing::HasSubstr;

constexpr char kTables[] =
    "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)";
// b goes by way of a load table, for its mapping is more than a list of columns.
constexpr char kMapping[] =
    "  - {table: public.a, copy: a}\n"
    "  - {table: public.b, copy: b, set: {v: \"upper(v)\"}}\n";
constexpr char kRows[] =
    "INSERT INTO a SELECT i, 'a' || i FROM generate_series(1, 1000) i;"
    "INSERT INTO b SELECT i, 'b' || i FROM generate_series(1, 1000) i";

class CopyLoaderTest : public testing::ReplayFixture {
 protected:
  struct Run {
    std::unique_ptr<PgTarget> target;
    std::unique_ptr<CopyLoader> loader;
  };

  // A replayer's loader, which has read what was loaded before.
  Run Begin(int workers = 3) {
    Run run;
    run.target = std::make_unique<PgTarget>(options_.target, plan_, cancel_);
    EXPECT_OK(run.target->Open());
    run.loader = std::make_unique<CopyLoader>(
        *run.target, plan_,
        CopyLoaderOptions{.stream = "test.forward",
                          .workers = workers,
                          .transaction_bytes_max = transaction_bytes_max_});
    EXPECT_OK(run.loader->Start());
    return run;
  }

  std::vector<std::pair<int64_t, std::string>> Events() {
    std::vector<std::pair<int64_t, std::string>> events;
    auto reader = log_->OpenReader(options_.copy_topic, 0);
    EXPECT_OK(reader);
    std::vector<eventlog::LogRecord> records;
    do {
      EXPECT_OK((*reader)->Read(absl::ZeroDuration(), &records));
      for (const auto& record : records) events.emplace_back(record.offset, record.payload);
    } while (!records.empty());
    return events;
  }

  // Gives the loader what stands from its place to `end`.
  absl::Status Feed(CopyLoader& loader, int64_t end) {
    const int64_t from = loader.first_offset();
    for (const auto& [offset, payload] : Events()) {
      if (offset < from || offset >= end) continue;
      event::v1::Event event;
      EXPECT_TRUE(event.ParseFromString(payload));
      RETURN_IF_ERROR(loader.Add(event, offset));
    }
    return absl::OkStatus();
  }

  // As the replayer does once everything is loaded.
  absl::Status Finish(Run& run) {
    RETURN_IF_ERROR(run.loader->Finish());
    ASSIGN_OR_RETURN(const records::CopyPoints points,
                     records::Copies(*new_, "test.forward").Range());
    return DeriveCopy(*run.target, plan_, "test.forward", points.last, {});
  }

  void ExpectWhole() {
    EXPECT_EQ(New("SELECT count(*), count(DISTINCT id), min(v), max(v) FROM a"),
              "1000|1000|a1|a999");
    EXPECT_EQ(New("SELECT count(*), count(DISTINCT id), min(v), max(v) FROM b"),
              "1000|1000|B1|B999");
    EXPECT_EQ(New("SELECT rows, done FROM switchyard.copy ORDER BY 1"), "1000|t\n1000|t");
    EXPECT_EQ(New("SELECT count(*) FROM switchyard.copy_lane"), "0");
  }

  Cancel cancel_;
  int64_t transaction_bytes_max_ = 1;  // a transaction a chunk
};

TEST_F(CopyLoaderTest, LoadsEachChunkOnceThroughSeveralLanes) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_TRUE(run.loader->complete());
  ASSERT_OK(Finish(run));
  ExpectWhole();
}

TEST_F(CopyLoaderTest, GoesOnFromWhereEachLaneWas) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  const auto events = Events();
  for (size_t end = 1; end < events.size(); ++end) {
    Run run = Begin();
    // Ended in the middle of whatever the lanes are at.
    ASSERT_OK(Feed(*run.loader, events[end].first));
  }
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(Finish(run));
  ExpectWhole();
}

TEST_F(CopyLoaderTest, GivesUpWhatALaneHasNotCommitted) {
  transaction_bytes_max_ = 1 << 30;
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  const auto events = Events();
  {
    Run run = Begin();
    ASSERT_OK(Feed(*run.loader, events[events.size() / 2].first));
  }
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(Finish(run));
  ExpectWhole();
}

TEST_F(CopyLoaderTest, ACopyUnderWayKeepsItsLanes) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  const auto events = Events();
  {
    Run run = Begin(4);
    ASSERT_OK(Feed(*run.loader, events[events.size() / 2].first));
  }
  EXPECT_EQ(New("SELECT count(*) FROM switchyard.copy_lane"), "4");
  Run run = Begin(2);
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(Finish(run));
  ExpectWhole();
}

TEST_F(CopyLoaderTest, ACopyStartedAgainLeavesNothingOfTheOneBefore) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  {
    Run run = Begin();
    ASSERT_OK(Feed(*run.loader, INT64_MAX));
  }
  ASSERT_OK(OnOld("DELETE FROM b WHERE id > 1000 OR id = 7; INSERT INTO b VALUES (7, 'b7')"));
  ASSERT_OK(capture_->Recopy("b"));
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(Finish(run));
  ExpectWhole();
}

// Rows of one leaf can't be told from another's: those of both go when one begins again.
TEST_F(CopyLoaderTest, ALeafThatBeginsAgainAloneWaitsForTheOthers) {
  ASSERT_OK(
      Prepare("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);"
              "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);"
              "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (9000)",
              "CREATE TABLE p (id int PRIMARY KEY)", "  - {table: public.p, copy: p}\n",
              "INSERT INTO p SELECT generate_series(1, 2000)"));
  ASSERT_OK(capture_->Recopy("p2"));
  {
    Run run = Begin();
    ASSERT_OK(Feed(*run.loader, INT64_MAX));
    ASSERT_OK(run.loader->Commit());
    EXPECT_FALSE(run.loader->complete());
  }
  {
    Run run = Begin();
    EXPECT_FALSE(run.loader->complete());
  }
  ASSERT_OK(capture_->RecopyLeaves({"p1", "p2"}));
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_TRUE(run.loader->complete());
  ASSERT_OK(Finish(run));
  EXPECT_EQ(New("SELECT count(*), min(id), max(id) FROM p"), "2000|1|2000");
}

TEST_F(CopyLoaderTest, ALeafThatIsGoneWhenTheOthersBeginAgainIsNotWaitedFor) {
  ASSERT_OK(
      Prepare("CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);"
              "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);"
              "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000);"
              "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (2000) TO (3000)",
              "CREATE TABLE p (id int PRIMARY KEY)", "  - {table: public.p, copy: p}\n",
              "INSERT INTO p SELECT generate_series(1, 2999)"));
  ASSERT_OK(OnOld("DROP TABLE p2"));
  ASSERT_OK(capture_->RecopyLeaves({"p1", "p3"}));
  {
    Run run = Begin();
    ASSERT_OK(Feed(*run.loader, INT64_MAX));
    ASSERT_OK(run.loader->Commit());
  }
  Run run = Begin();
  ASSERT_TRUE(run.loader->complete());
  ASSERT_OK(Finish(run));
  EXPECT_EQ(New("SELECT count(*), count(*) FILTER (WHERE id BETWEEN 1000 AND 1999) FROM p"),
            "1999|0");
  // As of when NEW is, before the first commit of the stream tells.
  EXPECT_EQ(New("SELECT s.commit_time = min(c.copied_at) FROM switchyard.stream s, "
                "switchyard.copy c WHERE NOT c.gone GROUP BY s.commit_time"),
            "t");
  // Nothing older than that copy is to be read again.
  EXPECT_EQ(New("SELECT s.lsn + 1 = min(c.lsn) FROM switchyard.stream s, switchyard.copy c "
                "WHERE NOT c.gone GROUP BY s.lsn"),
            "t");
}

// The chain of the copy topic, as previous_commit_lsn is that of the other.
TEST_F(CopyLoaderTest, ACopyThatCaptureHadFinishedAndThatIsMissingIsALoss) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  const auto a = static_cast<uint32_t>(std::stoul(Old("SELECT 'a'::regclass::oid")));
  ASSERT_OK(capture_->CopyHello({{a, 1}, {12345, 7}}));  // also one that is not mapped
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(capture_->CopyHello({{a, 2}}));
  const absl::Status lost = Feed(*run.loader, INT64_MAX);
  EXPECT_EQ(lost.code(), absl::StatusCode::kDataLoss) << lost;
  EXPECT_THAT(std::string(lost.message()), HasSubstr("does not hold the copy of public.a"));
}

// Also where no commit tells: what the copy shows may never have been.
TEST_F(CopyLoaderTest, ACopyOfAFormerPrimaryIsALoss) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  const std::string point = New("SELECT max(lsn) FROM switchyard.copy");
  ASSERT_OK_AND_ASSIGN(const Lsn copied, Lsn::Parse(point));
  ASSERT_OK(capture_->CopyHello({}, copied));
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(capture_->CopyHello({}, Lsn(copied.value() - 1)));
  const absl::Status lost = Feed(*run.loader, INT64_MAX);
  EXPECT_EQ(lost.code(), absl::StatusCode::kDataLoss) << lost;
  EXPECT_THAT(std::string(lost.message()), HasSubstr("was copied as of " + point));
}

TEST_F(CopyLoaderTest, AChunkThatIsMissingIsALoss) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  Run run = Begin();
  absl::Status status;
  int chunks = 0;
  for (const auto& [offset, payload] : Events()) {
    event::v1::Event event;
    ASSERT_TRUE(event.ParseFromString(payload));
    if (event.has_copy_chunk() && ++chunks == 3) continue;
    status = run.loader->Add(event, offset);
    if (!status.ok()) break;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 900 rows on the log, 1000 were read"));
}

TEST_F(CopyLoaderTest, ALaneWhosePlaceMovedStopsTheCopy) {
  ASSERT_OK(Prepare(kTables, kTables, kMapping, kRows));
  Run run = Begin();
  const auto events = Events();
  ASSERT_OK(Feed(*run.loader, events[events.size() / 2].first));
  ASSERT_OK(run.loader->Commit());  // lets go of the lanes' rows
  ASSERT_OK(OnNew("UPDATE switchyard.copy_lane SET next_offset = next_offset + 1000"));
  absl::Status status = Feed(*run.loader, INT64_MAX);
  if (status.ok()) status = Finish(run);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
}

TEST_F(CopyLoaderTest, ARefusedRowIsParkedAndTheOtherRowsAreLoadedOnce) {
  transaction_bytes_max_ = 5000;  // a few chunks of both tables
  ASSERT_OK(Prepare(kTables,
                    "CREATE TABLE a (id int PRIMARY KEY, v text CHECK (v <> 'a777'));"
                    "CREATE TABLE b (id int PRIMARY KEY, k int, v text CHECK (v <> 'b3'))",
                    "  - {table: public.a, copy: a}\n"
                    "  - {table: public.b, copy: b, set: {k: 1}}\n",
                    kRows));
  const auto events = Events();
  for (size_t end = 1; end < events.size(); end += 5) {
    Run run = Begin();
    ASSERT_OK(Feed(*run.loader, events[end].first));
  }
  Run run = Begin();
  ASSERT_OK(Feed(*run.loader, INT64_MAX));
  ASSERT_OK(Finish(run));
  EXPECT_EQ(New("SELECT count(*), count(DISTINCT id) FROM a"), "999|999");
  EXPECT_EQ(New("SELECT count(*), count(DISTINCT id) FROM b"), "999|999");
  EXPECT_EQ(New("SELECT rows, done FROM switchyard.copy ORDER BY 1"), "1000|t\n1000|t");
  EXPECT_EQ(New("SELECT target, scope ->> 'id' FROM switchyard.quarantine ORDER BY 1"),
            "public.a|777\npublic.b|3");
}

}  // namespace
}  // namespace switchyard::replayer
