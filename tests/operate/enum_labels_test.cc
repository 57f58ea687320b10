#include "operate/enum_labels.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace switchyard::operate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kMood = 70'001;
constexpr uint32_t kState = 90'001;

catalog::Catalog With(uint32_t type, const std::string& name, const std::string& column,
                      std::vector<std::string> labels) {
  catalog::Catalog catalog;
  catalog.tables = {
      {.schema = "public",
       .name = "notes",
       .columns = {{.name = "id", .type_oid = 23}, {.name = column, .type_oid = type}}}};
  catalog.types = {{.oid = type, .schema = "public", .name = name, .labels = std::move(labels)}};
  return catalog;
}

std::vector<std::string> Missing(const std::string& mapping, const catalog::Catalog& old_catalog,
                                 const catalog::Catalog& new_catalog) {
  const auto file = spec::ParseMigrationFile(
      "migration: shop\nold: {dsn_env: A}\nnew: {dsn_env: B}\nforward:\n" + mapping, "shop.yaml");
  EXPECT_OK(file);
  return MissingLabels(file->forward, old_catalog, new_catalog);
}

TEST(EnumLabelsTest, NamesTheValuesThatNewLacks) {
  const catalog::Catalog old_catalog = With(kMood, "mood", "mood", {"sad", "it's ok", "great"});
  const catalog::Catalog new_catalog = With(kState, "state", "mood", {"great", "new"});
  constexpr char kCopy[] = "  - {table: public.notes, copy: notes}\n";
  EXPECT_THAT(
      Missing(kCopy, old_catalog, new_catalog),
      ElementsAre("column mood of public.notes is of NEW's type public.state, which lacks 'sad', "
                  "'it''s ok' of OLD's public.mood: rows with such a value wait in quarantine. On "
                  "NEW: ALTER TYPE \"public\".\"state\" ADD VALUE 'sad'; ALTER TYPE "
                  "\"public\".\"state\" ADD VALUE 'it''s ok';"));
  EXPECT_THAT(
      Missing(kCopy, old_catalog, With(kState, "state", "mood", {"great", "it's ok", "sad"})),
      IsEmpty());
  EXPECT_THAT(Missing("  - {table: public.notes, copy: notes, set: {mood: \"'great'\"}}\n",
                      old_catalog, new_catalog),
              IsEmpty());
  EXPECT_THAT(
      Missing("  - {table: public.notes, copy: notes, drop: [mood]}\n", old_catalog, new_catalog),
      IsEmpty());
}

TEST(EnumLabelsTest, FollowsAColumnThatIsRenamed) {
  EXPECT_THAT(
      Missing("  - {table: public.notes, copy: notes, rename: {mood: state}}\n",
              With(kMood, "mood", "mood", {"sad"}), With(kState, "state", "state", {"great"})),
      ::testing::SizeIs(1));
}

}  // namespace
}  // namespace switchyard::operate
