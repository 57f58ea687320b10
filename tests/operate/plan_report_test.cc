#include "operate/report/plan_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"

namespace switchyard::operate {
namespace {

PlanReport Example() {
  return {.migration = "shop",
          .fingerprint = "5f1c",
          .tables = {{.table = "public.users",
                      .reads = {"owners", "customers"},
                      .why_keyed = "its select reads more than one row",
                      .scope = {"email"},
                      .columns = {"id", "email"},
                      .owns = "source = 'old'"},
                     {.table = "public.bookings",
                      .row_local = true,
                      .reads = {"bookings"},
                      .columns = {"id"}}},
          .mirror_schema = "switchyard_old",
          .mirrors = {{.table = "public.owners",
                       .columns = {"id", "email"},
                       .indexes = {"CREATE INDEX i ON o ((lower(email)))"}}},
          .unread_columns = {"bookings.note"},
          .unread_tables = {"public.visits"},
          .ignored = {"audit_log"}};
}

TEST(PlanReportTest, SaysHowEachTableComesAbout) {
  EXPECT_EQ(PlanReportText(Example()), R"(shop: 2 tables of NEW, fingerprint 5f1c
  public.users     by scope    from owners, customers
  public.bookings  row by row  from bookings

public.users: recomputed by email
  because its select reads more than one row
  only rows where source = 'old'
  fills
    id, email

public.bookings: each row of OLD gives its own row
  fills
    id

Mirrored in NEW (schema switchyard_old)
  public.owners
    id, email
    CREATE INDEX i ON o ((lower(email)))

Columns of OLD that no mapping reads (map them or list them under ignore)
  bookings.note

Tables of OLD that no mapping reads (map them or list them under ignore)
  public.visits

Left behind, as said under ignore
  audit_log
)");
}

TEST(PlanReportTest, BreaksLongListsIntoLines) {
  PlanReport report = Example();
  report.unread_columns.assign(20, "a_rather_long_column");
  const std::string text = PlanReportText(report);
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 100u);
    at = end + 1;
  }
}

TEST(PlanReportTest, SaysWhatIsPatchedAndHow) {
  PlanReport report = Example();
  report.tables[0].patch = true;
  report.tables[0].vanish = "leave";
  report.tables[0].lossy = {"email", "name"};
  EXPECT_THAT(PlanReportText(report),
              ::testing::HasSubstr("  patched: only what changed in its rows is written\n"
                                   "    rows before: from a second session, which sees the mirror "
                                   "as it was\n"
                                   "    rows that vanish: leave\n"
                                   "    written, but not compared with what the table has: email, "
                                   "name\n"));
  control::v1::Plan message;
  ASSERT_TRUE(testing::IsJsonOf(PlanReportJson(report), &message));
  EXPECT_EQ(message.tables(0).patch().vanish(), "leave");
  EXPECT_EQ(message.tables(0).patch().lossy_size(), 2);
  EXPECT_FALSE(message.tables(1).has_patch());
}

TEST(PlanReportTest, JsonIsTheMessageOfControlProto) {
  control::v1::Plan message;
  ASSERT_TRUE(testing::IsJsonOf(PlanReportJson(Example()), &message));
  EXPECT_EQ(message.tables_size(), 2);
  EXPECT_TRUE(message.tables(1).row_local());
  EXPECT_EQ(message.mirrors(0).indexes_size(), 1);
}

}  // namespace
}  // namespace switchyard::operate
