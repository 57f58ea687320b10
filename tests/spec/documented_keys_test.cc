// docs/migration-file.md against the parser: every key of a section has its row, and every row is a
// key. What the parser knows it says itself, in the fault about a key that is none.
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/strings.h"
#include "common/spec/migration_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::spec {
namespace {

using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAreArray;

using Keys = std::set<std::string>;

// Far from every key, so that none is suggested.
constexpr char kNoKey[] = "qqqqqqqqqqqqqqqqqqqq";

// `text` holds kNoKey once.
Keys KnownKeys(const std::string& text) {
  std::vector<Fault> faults;
  EXPECT_FALSE(ParseMigrationFile(text, "shop.yaml", &faults).ok());
  for (const Fault& fault : faults) {
    const std::vector<std::string> parts = absl::StrSplit(fault.message, "; known keys: ");
    if (parts.size() != 2 || !absl::StrContains(parts[0], kNoKey)) continue;
    const std::vector<std::string> keys = absl::StrSplit(parts[1], ", ");
    return {keys.begin(), keys.end()};
  }
  ADD_FAILURE() << "no fault lists the keys of: " << text;
  return {};
}

// The first column of the tables under `heading`: "| `old`, `new` | ..." gives old and new.
Keys DocumentedKeys(const std::string& heading) {
  std::ifstream in(absl::StrCat(SY_SOURCE_DIR, "/docs/migration-file.md"));
  Keys keys;
  bool inside = false;
  bool found = false;
  for (std::string line; std::getline(in, line);) {
    if (absl::StartsWith(line, "#")) {
      inside = absl::StrReplaceAll(line, {{"#", ""}}) == " " + heading;
      found |= inside;
    }
    if (!inside || !absl::StartsWith(line, "| `")) continue;
    // Every other piece stands between backticks.
    const std::string cell = line.substr(2, line.find(" |") - 2);
    const std::vector<std::string> pieces = absl::StrSplit(cell, '`');
    for (size_t i = 1; i < pieces.size(); i += 2) keys.insert(pieces[i]);
  }
  EXPECT_TRUE(found) << "no heading " << heading;
  return keys;
}

// A file whose unknown key stands in `section`, a whole top-level entry.
std::string With(const std::string& section) {
  const bool endpoint = absl::StartsWith(section, "old: ");
  return absl::StrCat("migration: shop\nnew: {dsn_env: B}\n",
                      endpoint ? "" : "old: {dsn_env: A}\n") +
         absl::StrReplaceAll(section, {{"KEY", absl::StrCat(kNoKey, ": 1")}}) + "\n";
}

struct Section {
  std::string heading;
  std::string text;
};

class DocumentedKeysTest : public ::testing::TestWithParam<Section> {};

TEST_P(DocumentedKeysTest, AreThoseOfTheParser) {
  EXPECT_THAT(DocumentedKeys(GetParam().heading),
              UnorderedElementsAreArray(KnownKeys(With(GetParam().text))));
}

INSTANTIATE_TEST_SUITE_P(
    Sections, DocumentedKeysTest,
    ::testing::Values(Section{"Top level", "forward: []\nKEY"},
                      Section{"`old`, `new`", "old: {KEY}"},
                      Section{"`forward`, `reverse`", "forward: {KEY}"},
                      Section{"A mapping", "forward: [{KEY}]"},
                      Section{"An id rule", "forward: {ids: [{KEY}], tables: []}"},
                      Section{"`capture`", "capture: {KEY}"}, Section{"`replay`", "replay: {KEY}"}),
    [](const auto& info) {
      std::string name;
      for (const char c : info.param.heading) {
        if (absl::ascii_isalpha(static_cast<unsigned char>(c))) name += c;
      }
      return name;
    });

// The map of Kafka's properties takes any key; the log itself takes two.
TEST(DocumentedLogKeysTest, AreThoseOfTheParser) {
  EXPECT_EQ(KnownKeys(With("log: {KEY}")), (Keys{"sqlite", "kafka"}));
  EXPECT_THAT(DocumentedKeys("`log`"),
              IsSupersetOf(Keys{"bootstrap.servers", "env", "single_broker"}));
  std::ifstream in(absl::StrCat(SY_SOURCE_DIR, "/docs/migration-file.md"));
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  for (const char* opening : {"\n`sqlite: PATH`: ", "\n`kafka:` "}) {
    EXPECT_TRUE(absl::StrContains(text, opening)) << opening;
  }
}

}  // namespace
}  // namespace switchyard::spec
