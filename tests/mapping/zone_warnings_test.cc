// Times without a zone that become times with one: whether `check` says so, and what to write.
#include "tests/mapping/compile_fixture.h"

namespace switchyard::mapping {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ZoneWarningsTest : public CompileFixture {
 protected:
  // Of a mapping of OLD's `events` to NEW's.
  std::vector<std::string> Warnings(const std::string& forward) {
    SetUp();
    const absl::StatusOr<Plan> plan = CompileFile(
        "CREATE TABLE events (id int PRIMARY KEY, at timestamp NOT NULL, day date NOT NULL, "
        "said varchar(40) NOT NULL, sure timestamptz NOT NULL)",
        "CREATE TABLE events (id int PRIMARY KEY, at timestamptz, \"When\" timestamptz, "
        "sure timestamptz, wall timestamp)",
        forward);
    EXPECT_OK(plan);
    std::vector<std::string> messages;
    for (const CompileFault& warning : warnings_) messages.push_back(warning.message);
    return messages;
  }
};

TEST_F(ZoneWarningsTest, ACopyThatSaysNoZoneIsToldTheTwoCasts) {
  EXPECT_THAT(
      Warnings("  - {table: public.events, copy: events, drop: [day, said]}\n"),
      ElementsAre(
          "copy of public.events: public.events.at is timestamp with time zone but gets timestamp "
          "without time zone, "
          "which is taken to be UTC. Say which zone is meant: set: {at: \"\\\"at\\\" AT TIME "
          "ZONE 'UTC'\"}, or of another one, set: {at: \"\\\"at\\\" AT TIME ZONE "
          "'Europe/Berlin'\"}"));
}

TEST_F(ZoneWarningsTest, WhatIsAdvisedIsTaken) {
  EXPECT_THAT(Warnings("  - {table: public.events, copy: events, drop: [day, said], "
                       "set: {at: \"\\\"at\\\" AT TIME ZONE 'Europe/Berlin'\"}}\n"),
              IsEmpty());
  EXPECT_THAT(Warnings("  - {table: public.events, copy: events, drop: [at, said, day], "
                       "set: {When: \"\\\"day\\\"::timestamp AT TIME ZONE 'UTC'\"}}\n"),
              IsEmpty());
}

TEST_F(ZoneWarningsTest, OfARenamedDateTooAndTheRenameHasToGo) {
  EXPECT_THAT(Warnings("  - {table: public.events, copy: events, drop: [at, said], "
                       "rename: {day: When}}\n"),
              ElementsAre(AllOf(HasSubstr("public.events.When"), HasSubstr("gets date"),
                                HasSubstr("in place of the rename, drop: [day], set: {When: "
                                          "\"\\\"day\\\"::timestamp AT TIME ZONE 'UTC'\"}"))));
}

TEST_F(ZoneWarningsTest, ACastOfATextOrATimeWithinSqlIsOneToo) {
  EXPECT_THAT(Warnings("  - {table: public.events, copy: events, drop: [day, at, said], "
                       "set: {When: \"said::timestamptz\"}}\n"),
              ElementsAre(AllOf(HasSubstr("set.When of public.events: a text becomes"),
                                HasSubstr("X::timestamp AT TIME ZONE 'UTC'"))));
  EXPECT_THAT(Warnings("  - table: public.events\n"
                       "    select: SELECT id, greatest(at, sure) AS sure FROM events\n"),
              ElementsAre(HasSubstr("select of public.events: a timestamp becomes")));
}

TEST_F(ZoneWarningsTest, AndTheOtherWayRound) {
  EXPECT_THAT(Warnings("  - {table: public.events, copy: events, drop: [day, at, said], "
                       "rename: {sure: wall}}\n"),
              ElementsAre(HasSubstr("public.events.wall is timestamp without time zone but gets "
                                    "timestamp with time zone")));
}

TEST_F(ZoneWarningsTest, WhatHasAZoneIsNoMatter) {
  EXPECT_THAT(Warnings("  - {table: public.events, copy: events, drop: [day, at, said]}\n"),
              IsEmpty());
  EXPECT_THAT(Warnings("  - table: public.events\n"
                       "    select: SELECT id, '2020-01-01'::timestamptz AS at FROM events\n"),
              IsEmpty());
}

}  // namespace
}  // namespace switchyard::mapping
