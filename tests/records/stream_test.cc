#include "common/records/stream/stream.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::records {
namespace {

using ::testing::Each;
using ::testing::Not;

std::vector<std::string> NamesOf(const Stream& stream) {
  return {stream.name,          stream.slot,         stream.copy_slot,
          stream.publication,   stream.change_topic, stream.copy_topic,
          stream.mirror_schema, stream.view_prefix,  stream.temporary_mark};
}

spec::MigrationFile File(const std::string& name) {
  spec::MigrationFile file;
  file.name = name;
  file.old_db.dsn_env = "OLD_DSN";
  file.new_db.dsn_env = "NEW_DSN";
  return file;
}

TEST(StreamTest, ForwardKeepsTheNamesThatInstalledStreamsHave) {
  const spec::MigrationFile file = File("shop");
  const Stream stream = ForwardOf(file);
  EXPECT_EQ(stream.name, "shop.forward");
  EXPECT_EQ(stream.slot, "switchyard_shop_forward");
  EXPECT_EQ(stream.copy_slot, "switchyard_shop_forward_cp");
  EXPECT_EQ(stream.publication, "switchyard_shop_forward");
  EXPECT_EQ(stream.change_topic, "shop.forward.changes");
  EXPECT_EQ(stream.copy_topic, "shop.forward.copy");
  EXPECT_EQ(stream.mirror_schema, "switchyard_old");
  EXPECT_EQ(stream.view_prefix, "map_");
  EXPECT_EQ(stream.source.dsn_env, "OLD_DSN");
  EXPECT_EQ(stream.target.dsn_env, "NEW_DSN");
  EXPECT_EQ(stream.mapping, &file.forward);
}

TEST(StreamTest, ReverseRunsTheOtherWayUnderNamesOfItsOwn) {
  spec::MigrationFile file = File("shop");
  const Stream forward = ForwardOf(file);
  Stream reverse = ReverseOf(file);
  EXPECT_EQ(reverse.source.dsn_env, "NEW_DSN");
  EXPECT_EQ(reverse.target.dsn_env, "OLD_DSN");
  EXPECT_TRUE(reverse.mapping->mappings.empty());
  file.reverse.emplace();
  reverse = ReverseOf(file);
  EXPECT_EQ(reverse.mapping, &*file.reverse);
  for (const std::string& name : NamesOf(forward)) {
    EXPECT_THAT(NamesOf(reverse), Each(Not(name)));
  }
}

TEST(StreamTest, NamesOfTheLongestMigrationFit) {
  const std::string longest(40, 'm');
  for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
    const Stream stream = StreamNamed(longest, direction);
    EXPECT_LE(stream.copy_slot.size(), 63u);
    EXPECT_LE(stream.publication.size(), 63u);
  }
}

TEST(StreamTest, ANameTellsItsDirection) {
  const spec::MigrationFile file = File("a_reverse");
  EXPECT_EQ(DirectionOf(ForwardOf(file).name), Direction::kForward);
  EXPECT_EQ(DirectionOf(ReverseOf(file).name), Direction::kReverse);
}

// "a_forward" is a migration's name too: its slot is not that of another one's direction.
TEST(StreamTest, NoNameOfOneMigrationIsOneOfAnother) {
  const std::vector<std::string> migrations = {"a", "a_forward", "a_reverse", "a_forward_cp", "ab"};
  std::vector<std::string> seen;
  for (const std::string& migration : migrations) {
    for (const Direction direction : {Direction::kForward, Direction::kReverse}) {
      const Stream stream = StreamNamed(migration, direction);
      for (const std::string& name :
           {stream.name, stream.slot, stream.copy_slot, stream.change_topic, stream.copy_topic}) {
        EXPECT_THAT(seen, Each(Not(name)));
        seen.push_back(name);
      }
    }
  }
}

}  // namespace
}  // namespace switchyard::records
