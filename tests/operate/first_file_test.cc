#include "operate/init/first_file.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operate/report/init_report.h"
#include "proto/control.pb.h"
#include "tests/operate/control_json.h"

namespace switchyard::operate {
namespace {

using catalog::Column;
using catalog::Table;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Column Of(const std::string& name, const std::string& type, bool not_null = false) {
  return {.name = name, .type = type, .not_null = not_null};
}

// The first column is the primary key.
Table Make(const std::string& schema, const std::string& name, std::vector<Column> columns) {
  Table table{.schema = schema, .name = name, .columns = std::move(columns)};
  table.columns[0].not_null = true;
  table.primary_key = {table.columns[0].name};
  table.unique_indexes = {
      {.name = name + "_pkey", .columns = {table.columns[0].name}, .primary = true}};
  return table;
}

// One type is another's if they are called alike; an integer passes as a bigint.
Fit ByName(const Column& from, const Column& to) {
  if (from.type == to.type) return Fit::kSame;
  if (from.type == "timestamp" && to.type == "timestamptz") return Fit::kZone;
  if (from.type == "integer" && to.type == "bigint") return Fit::kAssigns;
  if (from.type == "numeric" && to.type == "integer") return Fit::kLoses;
  return from.type == "text" ? Fit::kCasts : Fit::kNever;
}

FirstMapping Pair(std::vector<Table> old_tables, std::vector<Table> new_tables) {
  return PairTables({.tables = std::move(old_tables)}, {.tables = std::move(new_tables)}, ByName);
}

FirstMapping PairOne(std::vector<Column> from, std::vector<Column> to) {
  return Pair({Make("public", "t", std::move(from))}, {Make("public", "t", std::move(to))});
}

std::vector<std::string> Renames(const FirstMapping& mapping) {
  std::vector<std::string> renames;
  for (const FirstLine& line : mapping.tables.at(0).rename) {
    renames.push_back(line.column + " -> " + line.value);
  }
  return renames;
}

TEST(PairColumnsTest, OneNameAndOneTypeNeedNoWord) {
  const FirstMapping mapping =
      PairOne({Of("id", "integer"), Of("n", "integer")}, {Of("id", "bigint"), Of("n", "integer")});
  const FirstTable& table = mapping.tables.at(0);
  EXPECT_TRUE(table.rename.empty() && table.set.empty() && table.drop.empty());
}

TEST(PairColumnsTest, TheOnlyTwoOfOneTypeAreGuessedToBeOne) {
  EXPECT_THAT(Renames(PairOne({Of("id", "integer"), Of("fname", "text")},
                              {Of("id", "integer"), Of("label", "text")})),
              ElementsAre("fname -> label"));
}

TEST(PairColumnsTest, OfSeveralOfOneTypeNoneIsGuessedWithoutAlikeNames) {
  const FirstMapping mapping =
      PairOne({Of("id", "integer"), Of("aaa", "text"), Of("bbb", "text")},
              {Of("id", "integer"), Of("xxx", "text"), Of("yyy", "text", true)});
  EXPECT_THAT(Renames(mapping), IsEmpty());
  EXPECT_EQ(mapping.tables.at(0).drop.size(), 2U);
  ASSERT_EQ(mapping.tables.at(0).set.size(), 1U);
  EXPECT_THAT(mapping.tables.at(0).set[0].why, HasSubstr("yyy (text)"));
  EXPECT_THAT(mapping.tables.at(0).unfilled, ElementsAre("xxx"));
}

TEST(PairColumnsTest, NamesThatDifferInCaseAndUnderscoresAreGuessedFirst) {
  EXPECT_THAT(
      Renames(PairOne({Of("id", "integer"), Of("createdAt", "text"), Of("at", "text")},
                      {Of("id", "integer"), Of("moment", "text"), Of("created_at", "text")})),
      ElementsAre("createdAt -> created_at", "at -> moment"));
}

TEST(PairColumnsTest, NothingIsGuessedWhereTwoHaveAsMuchForThem) {
  EXPECT_THAT(Renames(PairOne({Of("id", "integer"), Of("x", "date"), Of("mail", "text")},
                              {Of("id", "integer"), Of("mail_a", "text"), Of("mail_b", "text")})),
              IsEmpty());
}

TEST(PairColumnsTest, NothingIsGuessedAcrossTypesThatDoNotFit) {
  EXPECT_THAT(Renames(PairOne({Of("id", "integer"), Of("x", "bytea")},
                              {Of("id", "integer"), Of("y", "text")})),
              IsEmpty());
}

TEST(PairTablesTest, ANameTwiceInOldNeedsAnAlias) {
  const FirstMapping mapping =
      Pair({Make("public", "t", {Of("id", "integer")}), Make("sales", "t", {Of("id", "integer")})},
           {Make("public", "t", {Of("id", "integer")}), Make("sales", "t", {Of("id", "integer")})});
  EXPECT_THAT(mapping.schemas, ElementsAre("public", "sales"));
  ASSERT_EQ(mapping.aliases.count("sales_t"), 1U);
  EXPECT_EQ(mapping.aliases.at("sales_t").ToString(), "sales.t");
  ASSERT_EQ(mapping.tables.size(), 2U);
  EXPECT_EQ(mapping.tables[0].source.name, "t");
  EXPECT_EQ(mapping.tables[1].source.name, "sales_t");
}

TEST(PairTablesTest, AGuessNeverTakesWhatANameTells) {
  const FirstMapping mapping = Pair({Make("public", "Order", {Of("id", "integer")}),
                                     Make("public", "order", {Of("id", "integer")})},
                                    {Make("public", "order", {Of("id", "integer")})});
  ASSERT_EQ(mapping.tables.size(), 1U);
  EXPECT_EQ(mapping.tables[0].source.name, "order");
  EXPECT_FALSE(mapping.tables[0].guessed);
  ASSERT_EQ(mapping.only_old.size(), 1U);
  EXPECT_EQ(mapping.only_old[0].table.name, "Order");
}

// One of everything.
FirstFile Shop() {
  Table old_orders =
      Make("public", "orders",
           {Of("id", "integer"), Of("customer_id", "integer"), Of("placed", "timestamp"),
            Of("total", "numeric"), Of("legacy \"no\"\nte", "bytea"), Of("state", "text"),
            Of("twice", "integer")});
  old_orders.columns.back().generated = true;
  old_orders.columns.back().generated_sql = "total * 2";
  Table new_orders = Make("public", "orders",
                          {Of("id", "uuid"), Of("customer_id", "uuid"), Of("placed", "timestamptz"),
                           Of("total", "integer"), Of("status", "text", true), Of("note", "jsonb"),
                           Of("region", "smallint", true), Of("twice", "integer")});
  Table old_log = Make("public", "log", {Of("line", "text")});
  old_log.primary_key.clear();
  old_log.unique_indexes.clear();
  old_log.columns[0].not_null = false;
  return WriteFirstFile(
      {.migration = "shop",
       .old_database = "shop",
       .new_database = "shop\n2",
       .old_db = {.dsn_env = "OLD_DSN"},
       .new_db = {.dsn_file = "secrets/new dsn"}},
      Pair({old_orders, old_log,
            Make("sales", "Customers", {Of("id", "integer"), Of("yes", "text")}),
            Make("public", "audit", {Of("id", "integer")})},
           {new_orders, Make("public", "log", {Of("line", "text")}),
            Make("public", "customers", {Of("id", "integer"), Of("Full Name", "text")}),
            Make("crm", "people", {Of("id", "integer"), Of("yes", "text"), Of("more", "text")})}));
}

TEST(FirstFileTest, IsAsTheGoldenFileHasIt) {
  const std::string path = std::string(SY_SOURCE_DIR) + "/tests/golden/init/shop.yaml";
  const FirstFile file = Shop();
  if (std::getenv("SWITCHYARD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << file.text;
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(file.text, golden.str());
  EXPECT_EQ(file.tables, 3);
}

// Taking the first "# " of each commented answer away.
TEST(FirstFileTest, ItsCommentedAnswersAreValidOnes) {
  std::istringstream lines(Shop().text);
  std::string answered;
  for (std::string line; std::getline(lines, line);) {
    const size_t at = std::min(line.find_first_not_of(' '), line.size());
    const std::string_view text = std::string_view(line).substr(at);
    const bool other = line.find("# or so") != std::string::npos;  // than the answer before it
    if (at == 0 && text.starts_with("#")) continue;
    if (text.starts_with("# ?") || text.starts_with("# note:") || other) continue;
    if (text.starts_with("# ")) line.erase(at, 2);
    answered += line + "\n";
  }
  // A select's file is not there, and nothing else is wrong.
  std::vector<spec::Fault> faults;
  const auto read = spec::ParseMigrationFile(answered, "shop.yaml", &faults);
  for (const spec::Fault& fault : faults) {
    EXPECT_THAT(fault.message, HasSubstr("there is no file")) << answered;
  }
}

TEST(FirstFileTest, NoNameBreaksOutOfItsLine) {
  EXPECT_THAT(Shop().text, Not(HasSubstr("legacy \"no\"\nte")));
  EXPECT_THAT(Shop().text, HasSubstr(R"("legacy \"no\"\x0ate")"));
}

TEST(InitReportTest, ItsJsonHasTheWordsOfTheProto) {
  const InitReport report = {.migration = "shop",
                             .path = "shop.yaml",
                             .yaml = "migration: shop\n",
                             .tables = 3,
                             .guesses = 1};
  control::v1::Init read;
  ASSERT_TRUE(testing::IsJsonOf(InitJson(report), &read)) << InitJson(report);
  EXPECT_EQ(read.tables(), 3);
  EXPECT_EQ(
      InitText(report),
      "shop.yaml: 3 tables copied by name, 1 guess to confirm (\"# guessed\"), 0 questions to "
      "answer (\"# ?\")\nNext: switchyard check shop.yaml\n");
}

}  // namespace
}  // namespace switchyard::operate
