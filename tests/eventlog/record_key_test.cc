#include "common/eventlog/record_key.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::eventlog {
namespace {

using Values = std::vector<std::optional<std::string>>;

std::string KeyOf(std::string_view schema, std::string_view table, const Values& values) {
  RecordKey key(schema, table);
  key.Start();
  for (const auto& value : values) {
    if (value.has_value()) {
      key.AddText(*value);
    } else {
      key.AddNull();
    }
  }
  return std::string(key.Finish());
}

TEST(RecordKeyTest, HasTheDocumentedBytes) {
  EXPECT_EQ(KeyOf("public", "bookings", {"42", std::nullopt, ""}),
            std::string("public\0bookings\0t42\0n\0t", 23));
}

TEST(RecordKeyTest, DiffersWheneverTableOrIdentityDiffer) {
  const std::vector<std::string> keys = {
      KeyOf("public", "a", {"1", "2"}), KeyOf("public", "a", {"12"}),
      KeyOf("public", "a", {"1", ""}),  KeyOf("public", "a", {"", "1"}),
      KeyOf("public", "a", {"1"}),      KeyOf("public", "a", {}),
      KeyOf("public", "a", {""}),       KeyOf("public", "a", {std::nullopt}),
      KeyOf("public", "a", {"n"}),      KeyOf("public", "a", {"*"}),
      KeyOf("public", "at1", {}),       KeyOf("publica", "", {"1"}),
      KeyOf("public.a", "1", {}),       KeyOf("other", "a", {"1"})};
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
}

TEST(RecordKeyTest, IsUsedAgainForTheNextRow) {
  RecordKey key("public", "a");
  for (const char* value : {"first and long", "2"}) {
    key.Start();
    key.AddText(value);
    EXPECT_EQ(key.Finish(), KeyOf("public", "a", {value}));
  }
}

TEST(RecordKeyTest, NamesTheTableAloneWhenTheIdentityIsTooLong) {
  const std::string star("public\0a\0*", 10);
  EXPECT_EQ(KeyOf("public", "a", {std::string(5000, 'x')}), star);
  EXPECT_EQ(KeyOf("public", "a", {std::string(3000, 'x'), std::string(3000, 'y'), "z"}), star);
  const std::string just_fits(RecordKey::kBytesMax - 10, 'x');
  EXPECT_EQ(KeyOf("public", "a", {just_fits}).size(), RecordKey::kBytesMax);
}

}  // namespace
}  // namespace switchyard::eventlog
