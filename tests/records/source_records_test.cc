#include <string>
#include <vector>

#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/capture_suspects.h"
#include "common/records/source/captured_tables.h"
#include "deploy/sql/source.sql.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/records/records_fixture.h"
#include "tests/support/status_matchers.h"

namespace switchyard::records {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = CaptureStream::State;

// What capture keeps in a source, in a database that is one.
class SourceRecordsTest : public RecordsFixture {
 protected:
  static void SetUpTestSuite() {
    RecordsFixture::SetUpTestSuite();
    ASSERT_OK(postgres_->Execute("target", std::string(kSourceSql)));
  }
  void SetUp() override {
    RecordsFixture::SetUp();
    stream_.name = "shop.forward";
    stream_.slot = stream_.publication = "shop";
    ASSERT_OK(session_->Execute("TRUNCATE switchyard.capture_stream CASCADE"));
    ASSERT_OK(Streams().Begin(stream_, 7, 1));
  }

  CaptureStreams Streams() { return {*session_, stream_.name}; }
  CaptureCopies Copying() { return {*session_, stream_.name}; }
  CaptureSuspects Suspects() { return {*session_, stream_.name}; }
  CapturedTables Tables() { return {*session_, stream_.name}; }
  CaptureStream Loaded() {
    auto loaded = CaptureStreams(*control_, stream_.name).Load();  // by the other client
    EXPECT_OK(loaded);
    return loaded.ok() && loaded->has_value() ? **loaded : CaptureStream();
  }
  CopyStanding OnlyCopy() {
    const auto all = CaptureCopies(*control_, stream_.name).All();
    EXPECT_OK(all);
    return all.ok() && all->size() == 1 ? (*all)[0] : CopyStanding();
  }
  uint32_t Oid(const std::string& table) {
    const auto oid = session_->Query("SELECT $1::regclass::oid", {table});
    EXPECT_OK(oid);
    return oid.ok() ? static_cast<uint32_t>(oid->i64(0, 0)) : 0;
  }

  Stream stream_;
};

TEST_F(SourceRecordsTest, AStreamIsCreatedThenCopiedThenStreams) {
  EXPECT_EQ(Loaded().state, State::kCreating);
  EXPECT_EQ(Loaded().system_identifier, 7);
  ASSERT_OK(Streams().Created(Lsn(0x100), "topic"));
  EXPECT_EQ(Loaded().state, State::kCopying);
  EXPECT_EQ(Loaded().slot_lsn, Lsn(0x100));
  ASSERT_OK(
      Copying().Ask({{.relation_id = 42, .schema = "public", .name = "t"}}, CopyKind::kFirst));
  ASSERT_OK(Streams().FinishCopy());
  EXPECT_EQ(Loaded().state, State::kCopying);  // one is not done
  ASSERT_OK(Copying().Forget({42}));
  ASSERT_OK(Streams().FinishCopy());
  EXPECT_EQ(Loaded().state, State::kStreaming);
  EXPECT_EQ(ToString(Loaded().state), "streaming");
}

TEST_F(SourceRecordsTest, ARefusalKeepsItsNextStepUntilTheNextEpoch) {
  ASSERT_OK(Streams().NoteRefusal({"the slot is gone; next: of old", "begin anew"}));
  EXPECT_EQ(Loaded().refusal.what, "the slot is gone; next: of old");
  EXPECT_EQ(Loaded().refusal.next, "begin anew");
  ASSERT_OK_AND_ASSIGN(const uint64_t epoch, Streams().TakeEpoch(5));
  EXPECT_EQ(epoch, 6);
  EXPECT_TRUE(Loaded().refusal.empty());
  ASSERT_OK(Streams().MoveTo(2, epoch));
  EXPECT_EQ(Loaded().timeline, 2);
  EXPECT_EQ(Streams().MoveTo(3, epoch - 1).code(), absl::StatusCode::kAborted);
}

TEST_F(SourceRecordsTest, BeginningAnewClearsEverySuspectAndKeepsTheHigherEpoch) {
  ASSERT_OK(Streams().TakeEpoch(8).status());
  const Drift drift = {.relation_id = 42,
                       .schema = "public",
                       .name = "t",
                       .reason = "rewritten",
                       .next_step = "copy it again"};
  ASSERT_OK(Suspects().Note({drift}));
  ASSERT_OK(Suspects().Note({drift}));  // once for each reason
  ASSERT_OK_AND_ASSIGN(const auto open, Suspects().Open());
  ASSERT_THAT(open, SizeIs(1));
  EXPECT_EQ(open[0].table, "public.t");
  ASSERT_OK(Streams().BeginAnew(stream_, 3));
  EXPECT_EQ(Loaded().state, State::kCreating);
  EXPECT_EQ(Loaded().epoch, 9);
  ASSERT_OK_AND_ASSIGN(const auto none, Suspects().Open());
  EXPECT_THAT(none, IsEmpty());
}

TEST_F(SourceRecordsTest, ASuspectIsClearedByItsFormerNameAndWithItsTable) {
  const auto renamed = [](const std::string& name, const std::string& to) {
    return Drift{.relation_id = 42,
                 .schema = "public",
                 .name = name,
                 .reason = kRenamedTo + to,
                 .next_step = "rename it back",
                 .renamed_to = to};
  };
  ASSERT_OK(Suspects().Note({renamed("t", "public.u")}));
  ASSERT_OK_AND_ASSIGN(const auto open, Suspects().Open());
  EXPECT_THAT(open, SizeIs(1));
  ASSERT_OK(Suspects().Note({renamed("u", "public.t")}));
  ASSERT_OK_AND_ASSIGN(const auto back, Suspects().Open());
  EXPECT_THAT(back, IsEmpty());
  ASSERT_OK(Suspects().Note({{.relation_id = 43, .schema = "public", .name = "v", .reason = "x"}}));
  ASSERT_OK_AND_ASSIGN(const Lsn seen, Suspects().LastSeen({"x"}));
  EXPECT_TRUE(seen.valid());
  ASSERT_OK(Suspects().Forget({42}));
  ASSERT_OK_AND_ASSIGN(const auto kept, Suspects().Open());
  EXPECT_THAT(kept, IsEmpty());
}

TEST_F(SourceRecordsTest, WhatAFormerCopyReportsChangesNothing) {
  ASSERT_OK(session_->Execute(
      "DROP TABLE IF EXISTS public.t; CREATE TABLE public.t (id int PRIMARY KEY)"));
  const uint32_t oid = Oid("public.t");
  TableShape shape = {.relation_id = oid, .schema = "public", .name = "t"};
  ASSERT_OK(Tables().Replace({{oid, shape}}));
  ASSERT_OK_AND_ASSIGN(const auto asked, Tables().LeavesOf(oid));
  ASSERT_THAT(asked, SizeIs(1));
  ASSERT_OK(Copying().Ask(asked, CopyKind::kAgain));
  ASSERT_OK_AND_ASSIGN(auto copies, Copying().TakeUnfinished());
  ASSERT_THAT(copies, SizeIs(1));
  ASSERT_OK(Streams().TakeEpoch(2 * kCountsPerTimeline).status());
  ASSERT_OK(Copying().Begin(Lsn(0x100), &copies));
  EXPECT_EQ(copies[0].generation, 2 * kCountsPerTimeline);  // of this timeline
  ASSERT_OK(Copying().Begin(Lsn(0x200), &copies));
  EXPECT_EQ(copies[0].generation, 2 * kCountsPerTimeline + 1);

  CopyProgress progress = {.relation_id = oid, .generation = copies[0].generation - 1, .rows = 9};
  progress.done = true;
  ASSERT_OK(Copying().Note({progress}));
  EXPECT_EQ(OnlyCopy().state, "copying");
  progress.generation = copies[0].generation;
  progress.done = false;
  progress.waits = {std::string(kWaitsForLock) + "pid 1", "wait"};
  ASSERT_OK(Copying().Note({progress}));
  EXPECT_EQ(OnlyCopy().error.next, "wait");
  progress.done = true;
  ASSERT_OK(Copying().Note({progress}));
  EXPECT_EQ(OnlyCopy().state, "done");
  EXPECT_TRUE(OnlyCopy().error.empty());
  ASSERT_OK_AND_ASSIGN(const auto finished, Copying().Finished());
  ASSERT_THAT(finished, SizeIs(1));
  EXPECT_EQ(finished[0].generation(), copies[0].generation);
}

TEST_F(SourceRecordsTest, ATableIsKnownByWhatWasLookedAtAndByItsLeavesOfToday) {
  ASSERT_OK(session_->Execute(R"(
    DROP TABLE IF EXISTS public.m; CREATE TABLE public.m (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE public.m_1 PARTITION OF public.m FOR VALUES FROM (1) TO (2))"));
  const TableShapes shapes = {
      {Oid("public.m"),
       {.relation_id = Oid("public.m"), .schema = "public", .name = "m", .kind = 'p'}},
      {Oid("public.m_1"),
       {.relation_id = Oid("public.m_1"),
        .schema = "public",
        .name = "m_1",
        .root_id = Oid("public.m")}}};
  ASSERT_OK(Tables().Replace(shapes));
  ASSERT_OK_AND_ASSIGN(const TableShapes loaded, Tables().Load());
  EXPECT_EQ(loaded, shapes);
  ASSERT_OK_AND_ASSIGN(const auto named, Tables().Named("", "m"));
  EXPECT_THAT(named, ElementsAre(Oid("public.m")));
  ASSERT_OK_AND_ASSIGN(const bool follows, Tables().Follows(Oid("public.m"), "public.m"));
  EXPECT_TRUE(follows);
  ASSERT_OK(session_->Execute(
      "CREATE TABLE public.m_2 PARTITION OF public.m FOR VALUES FROM (2) TO (3)"));
  ASSERT_OK_AND_ASSIGN(const auto leaves, Tables().LeavesOf(Oid("public.m")));
  EXPECT_THAT(leaves, SizeIs(2));  // born since
  ASSERT_OK(Suspects().Note(
      {{.relation_id = Oid("public.m"), .schema = "public", .name = "m", .reason = "rewritten"}}));
  ASSERT_OK_AND_ASSIGN(const auto open, Suspects().Open());
  ASSERT_THAT(open, SizeIs(1));
  EXPECT_THAT(open[0].leaves, ElementsAre(Oid("public.m_1")));
}

}  // namespace
}  // namespace switchyard::records
