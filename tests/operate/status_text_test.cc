#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/records/stream/phase.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/operate/status_facts.h"

namespace switchyard::operate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Text(const StreamFacts& facts, const StreamFacts* previous = nullptr) {
  return StatusText({.migration = "shop", .streams = {Assess(facts, previous)}}, {});
}

TEST(StatusTextTest, ShowsAStreamThatKeepsUp) {
  StreamFacts before = StreamingFacts();
  before.target_now = Noon() - absl::Seconds(1);
  before.rows = 58'760;
  before.transactions = 4'904;
  EXPECT_EQ(Text(StreamingFacts(), &before), R"(shop.forward  streaming  epoch 3
  source      0/5A3F1220
  captured    0/5A3F1220
  applied     0/5A3F0000
  lag         4.5 kB, 0.25 s
  applying    1,240 rows/s, 96 transactions/s
  quarantine  empty
  log         42 records not applied
  slot        switchyard_shop_forward, active, keeps 16 MB of WAL, 1.0 GB to the limit
)");
}

TEST(StatusTextTest, ShowsTheCopyTableByTable) {
  EXPECT_THAT(Text(CopyingFacts()), HasSubstr(R"(
  copy, 1 of 4 tables done, 203,012 rows, 47 MB, 9,228 rows/s
    public.bookings   loading   50%  156,000 of ~312,000 rows   40 MB   7,800 rows/s, 2.0 MB/s          20 s left
    public.studios    done     100%               47,012 rows  7.0 MB  23,506 rows/s, 3.5 MB/s
    public.customers  copying    0%        0 of ~158,000 rows     0 B                           time left unknown
    public.sessions   pending                          0 rows     0 B
)"));
}

TEST(StatusTextTest, FoldsPartitionsAndKeepsALongListShort) {
  StreamFacts facts = CopyingFacts();
  facts.copy.clear();
  for (int i = 0; i < 55; ++i) {
    facts.copy.push_back({.table = absl::StrCat("public.pay_", i),
                          .asked_as = "public.pay",
                          .capture_state = i < 30 ? "done" : "pending",
                          .rows_estimate = 100,
                          .loaded = i < 30,
                          .rows_loaded = i < 30 ? 100 : 0});
  }
  EXPECT_THAT(Text(facts),
              HasSubstr("copy, 0 of 1 tables done, 3,000 rows, 0 B\n"
                        "    public.pay (55 partitions)  copying  55%  3,000 of ~5,500 rows"));
  for (int i = 0; i < 30; ++i) {
    facts.copy.push_back(
        {.table = absl::StrCat("public.t", i), .capture_state = "done", .loaded = i > 0});
  }
  EXPECT_THAT(Text(facts), AllOf(HasSubstr("copy, 29 of 31 tables done"), HasSubstr("public.t0 "),
                                 HasSubstr("    and 11 more tables\n")));
  const std::string screen =
      StatusText({.migration = "shop", .streams = {Assess(facts, nullptr)}}, {.lines_max = 14});
  EXPECT_EQ(std::ranges::count(screen, '\n'), 14);
  EXPECT_THAT(screen, AllOf(HasSubstr("public.pay "), HasSubstr("public.t0 ")));
}

TEST(StatusTextTest, SaysWhatTheSlotWaitsFor) {
  StreamFacts facts = CopyingFacts();
  facts.slot_waits_for = {"pid 412 (psql, database shop, open for 5m0s)"};
  EXPECT_THAT(Text(facts), HasSubstr("to the limit\n"
                                     "              waits for pid 412 (psql, database shop, open "
                                     "for 5m0s)\n"));
}

TEST(StatusTextTest, SaysWhichRoleDoesNotRun) {
  StreamFacts facts = StreamingFacts();
  facts.capture_active = facts.replay_active = true;
  EXPECT_THAT(Text(facts), Not(HasSubstr("runs")));
  facts.replay_active = false;
  EXPECT_THAT(Text(facts), HasSubstr("epoch 3\n  no replayer runs: nothing is applied\n"
                                     "    next: switchyard replay FILE\n"));
  facts.capture_active = false;
  EXPECT_THAT(Text(facts), HasSubstr("  no role runs: nothing is captured, nothing is applied\n"
                                     "    next: switchyard run FILE\n"));
  facts.stop_reason = {"a column is gone", "resume"};
  facts.replay_phase = records::Phase::kStopped;
  EXPECT_THAT(Text(facts), HasSubstr("    next: resume\n  no role runs: nothing is captured, "
                                     "nothing is applied\n  source"));
}

// What OLD alone knows of a copy would read as rows that are not there.
TEST(StatusTextTest, LeavesOutTheCopyWhileNewCanNotBeAsked) {
  StreamFacts facts = CopyingFacts();
  facts.target_error = {"can't connect", ""};
  EXPECT_THAT(Text(facts), Not(HasSubstr("rows")));
}

TEST(StatusTextTest, SaysUnknownNeverZero) {
  StreamFacts facts;
  facts.stream = "shop.forward";
  facts.source_error = {"can't connect to the database at db1 port 5432: Connection refused", ""};
  facts.target_error = {"can't connect to the database at db2 port 5432: Connection refused", ""};
  EXPECT_EQ(Text(facts), R"(shop.forward  unknown
  old: can't connect to the database at db1 port 5432: Connection refused
  new: can't connect to the database at db2 port 5432: Connection refused
  source      unknown
  captured    unknown
  applied     unknown
  lag         unknown
  applying    unknown
  quarantine  unknown
  log         unknown
  slot        unknown
)");
}

TEST(StatusTextTest, ShowsTheLog) {
  StreamFacts facts = StreamingFacts();
  facts.applied_offset = facts.log.next_offset;
  EXPECT_THAT(Text(facts), HasSubstr("  log         all applied\n"));
  facts.log = {.bytes = int64_t{3} << 30, .free_bytes = int64_t{100} << 20};
  EXPECT_THAT(Text(facts), HasSubstr("  log         file of 3.0 GB, 100 MB left on its disk\n"));
  facts.log = {.error = {"shop.log.db: No such file or directory", ""}};
  EXPECT_THAT(Text(facts), HasSubstr("  log         unknown: shop.log.db: No such file"));
  facts.log = {.error = {"broker away", ""}, .unreachable = true};
  EXPECT_THAT(Text(facts), AllOf(HasSubstr("streaming  epoch 3\n  log: broker away\n"),
                                 HasSubstr("  log         unknown\n")));
}

TEST(StatusTextTest, ShowsTheLastRehearsalAndWhetherItIsOfThisMapping) {
  StreamFacts facts = StreamingFacts();
  EXPECT_THAT(Text(facts), Not(HasSubstr("rehearsed")));
  facts.rehearsal = RehearsalFacts{
      .verdict = "clean", .batches = 1000, .seed = 7, .age = absl::Hours(3), .this_mapping = true};
  EXPECT_THAT(Text(facts), HasSubstr("  rehearsed   clean, 1,000 batches, 3 h"));
  facts.rehearsal->verdict = "faults";
  facts.rehearsal->faults = 2;
  facts.rehearsal->this_mapping = false;
  EXPECT_THAT(Text(facts), HasSubstr("faults (2), 1,000 batches"));
  EXPECT_THAT(
      Text(facts),
      HasSubstr("of another mapping\n              next: switchyard check FILE --rehearse"));
}

TEST(StatusTextTest, ShowsWhatAPersonMustActOn) {
  StreamFacts facts = StreamingFacts();
  facts.replay_phase = records::Phase::kStopped;
  facts.stop_reason = {"table bookings lost column note", "mend the file, switchyard resume"};
  facts.quarantined = 12;
  facts.open_requests = 1;
  facts.slot->active = false;
  facts.slot->bytes_to_limit = -5;
  facts.suspects = {{.table = "public.users",
                     .reason = "rewritten by ALTER TABLE",
                     .next_step = "switchyard recopy FILE public.users"}};
  const std::string text = Text(facts);
  EXPECT_THAT(text, HasSubstr("stopped  epoch 3\n  table bookings lost column note\n"
                              "    next: mend the file, switchyard resume\n"));
  EXPECT_THAT(text, HasSubstr("  quarantine  12 rows\n"));
  EXPECT_THAT(text, HasSubstr("  requests    1 waiting\n"));
  EXPECT_THAT(text, HasSubstr("nobody reads it, keeps 16 MB of WAL (over the limit"));
  EXPECT_THAT(text, HasSubstr("  suspect     public.users: rewritten by ALTER TABLE\n"
                              "              next: switchyard recopy FILE public.users\n"));
}

TEST(StatusTextTest, SaysWhatTheLastComparisonFound) {
  StreamFacts facts = StreamingFacts();
  EXPECT_THAT(Text(facts), Not(HasSubstr("parity")));
  facts.parity = ParityFacts{
      .verdict = records::Verdict::kClean,
      .lsn = Lsn(0x5A3F0000),
      .age = absl::Seconds(12),
      .tables = {{.table = "public.a", .rows = 1000}, {.table = "public.b", .rows = 234}}};
  EXPECT_THAT(Text(facts),
              HasSubstr("  parity      clean, 2 tables, 1,234 rows as of 0/5A3F0000, 12 s ago\n"));
  facts.parity->verdict = records::Verdict::kInconclusive;
  facts.parity->reason = "the mapping was changed since; next: switchyard verify FILE";
  EXPECT_THAT(Text(facts), HasSubstr("12 s ago\n              the mapping was changed since\n"
                                     "              next: switchyard verify FILE\n"));
  facts.parity->under_way = true;
  EXPECT_THAT(Text(facts), HasSubstr("  parity      under way or cut short, begun 12 s ago\n"));
}

TEST(StatusTextTest, SaysWhatTheReplayerIsAt) {
  StreamFacts facts = StreamingFacts();
  facts.replay_active = true;
  facts.open_recopies = {"public.a", "public.b"};
  EXPECT_THAT(Text(facts), HasSubstr("  replay      waits for the copy of public.a, public.b\n"));
  facts.doing = "derives anew: public.c";
  EXPECT_THAT(Text(facts), HasSubstr("  replay      derives anew: public.c\n"));
  facts.doing = "swaps in the copy of public.a";
  facts.step = 3;
  facts.steps = 7;
  facts.step_work = "derives public.c";
  EXPECT_THAT(Text(facts), HasSubstr("  replay      swaps in the copy of public.a; step 3 of 7: "
                                     "derives public.c\n"));
  facts.step_transaction = Noon() - absl::Seconds(50);
  EXPECT_THAT(Text(facts), HasSubstr("derives public.c, for 50 s, about 1 min 30 s left\n"));
  facts.step = facts.steps;
  EXPECT_THAT(Text(facts), HasSubstr("step 7 of 7: derives public.c, for 50 s\n"));
  facts.replay_active = false;
  EXPECT_THAT(Text(facts), Not(HasSubstr("public.c")));
}

TEST(StatusTextTest, GivesEachRoleItsReasonAndNextStep) {
  StreamFacts facts = StreamingFacts();
  facts.replay_phase = records::Phase::kStopped;
  facts.stop_reason = {"the log has a gap", "copy again"};
  facts.refusal = {"the slot is gone", "begin anew"};
  facts.source_error = {"down", "start it"};
  EXPECT_THAT(Text(facts), HasSubstr("  capture: the slot is gone\n    next: begin anew\n"
                                     "  replay: the log has a gap\n    next: copy again\n"
                                     "  old: down\n    next: start it\n"));
}

TEST(StatusTextTest, ShowsWhyATableIsNotCopied) {
  StreamFacts facts = CopyingFacts();
  facts.copy[2].error = {"permission denied", "switchyard check FILE"};
  EXPECT_THAT(Text(facts), HasSubstr("  can't copy  public.customers: permission denied\n"
                                     "              next: switchyard check FILE\n"));
  facts = StreamingFacts();  // of a copy once more, too
  facts.copy = {{.table = "public.users", .recopy = true, .error = {"denied", ""}, .loaded = true}};
  EXPECT_THAT(Text(facts), HasSubstr("can't copy  public.users: denied\n"));
}

TEST(StatusTextTest, ColoursOnlyWhenAsked) {
  const StatusReport report = {.streams = {Assess(StreamingFacts(), nullptr)}};
  EXPECT_THAT(StatusText(report, {.color = true}), HasSubstr("\x1b[32mstreaming\x1b[0m"));
  EXPECT_THAT(StatusText(report, {.color = false}), Not(HasSubstr("\x1b")));
}

TEST(StatusTextTest, LeavesOutACopyThatIsDone) {
  StreamFacts facts = StreamingFacts();
  facts.copy = {{.table = "public.users", .loaded = true}};
  EXPECT_THAT(Text(facts), Not(HasSubstr("copy")));
}

}  // namespace
}  // namespace switchyard::operate
