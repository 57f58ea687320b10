// Rules derived from selects, by file: each case of tests/golden/derive/*.txt has the tables, a
// select as pg_get_viewdef() prints it, and the rules that come of it.
#include "common/mapping/derive/derive.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_replace.h"
#include "tests/support/oracle/derive_cases.h"

namespace switchyard::mapping::derive {
namespace {

using std::string;

string Print(const absl::StatusOr<Derivation>& derived) {
  if (!derived.ok()) return "fault: " + string(derived.status().message()) + "\n";
  string out;
  const auto name = [](const string& schema, const string& table) {
    return schema.empty() ? table : schema + "." + table;
  };
  for (const DerivedRule& rule : derived->rules) {
    out += name(rule.schema, rule.table) + ": " +
           absl::StrReplaceAll(rule.touches, {{"\n", "\n  "}}) + "\n";
    for (const IndexWish& wish : rule.wishes) {
      out += "  index " + name(wish.schema, wish.table) + ": " + wish.sql + "\n";
    }
  }
  for (const Underivable& each : derived->refused) {
    const char* rule[] = {"", ", a rule must be a query", ", no rule"};
    out += "refused " + name(each.schema, each.table) + rule[static_cast<int>(each.limit.form)] +
           ": " + each.why + "\n";
  }
  for (const string& each : derived->ties) out += "ties: " + each + "\n";
  for (const string& each : derived->nulls) out += "null: " + each + "\n";
  return out;
}

// The file with every case's result put in anew.
string Rerun(const string& text) {
  const DeriveFile file = ParseDeriveFile(text);
  string out = file.head;
  for (size_t i = 0; i < file.cases.size(); ++i) {
    const DeriveCase& one = file.cases[i];
    out += file.titles[i] + "\n" + one.select + "---\n" +
           Print(Derive(one.select, one.scope, file.facts)) + "\n";
  }
  return out;
}

TEST(DeriveTest, EverySelectOfTheFilesGivesItsRules) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(SY_SOURCE_DIR "/tests/golden/derive")) {
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    const string again = Rerun(text.str());
    if (std::getenv("SWITCHYARD_UPDATE_GOLDEN") != nullptr) std::ofstream(entry.path()) << again;
    EXPECT_EQ(text.str(), again) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 2);
}

}  // namespace
}  // namespace switchyard::mapping::derive
