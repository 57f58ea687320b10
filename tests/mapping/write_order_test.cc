#include "common/mapping/install/write_order.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace switchyard::mapping {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WriteOrderTest : public ::testing::Test {
 protected:
  WriteOrderTest() { rules_.role = "replay"; }

  // One mapping for each table, in this order; each with its key only.
  void Tables(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      plan_.mappings.push_back({.display = name, .target = name, .key = {"id"}});
      rules_.unique_at_once[name] = {name + "_pkey"};
    }
  }
  Reference& Key(const std::string& child, const std::string& parent) {
    rules_.references.push_back({.name = child + "_fk",
                                 .schema = "public",
                                 .child = child,
                                 .parent = parent,
                                 .child_quoted = child,
                                 .columns = {parent + "_id"},
                                 .referenced = {"id"}});
    return rules_.references.back();
  }
  // Mapping `reader` is computed from the table of `upstream`.
  void Reads(int reader, int upstream) {
    plan_.mappings[reader].keyed.touches.push_back({.upstream = MappingIndex(upstream)});
  }
  std::vector<std::string> Order() {
    order_ = OrderWrites(plan_, rules_);
    std::vector<std::string> names;
    for (const MappingIndex m : order_.order) names.push_back(plan_.mappings[m].display);
    return names;
  }

  Plan plan_;
  TargetRules rules_;
  WriteOrder order_;
};

TEST_F(WriteOrderTest, ParentsComeFirstAndRowsThatAreReferredToGoLate) {
  Tables({"detail", "child", "parent", "apart"});
  Key("detail", "child");
  Key("child", "parent");
  EXPECT_THAT(Order(), ElementsAre("parent", "apart", "child", "detail"));
  EXPECT_THAT(order_.problems, IsEmpty());
  EXPECT_FALSE(order_.targets[0].late);
  EXPECT_TRUE(order_.targets[1].late);
  EXPECT_TRUE(order_.targets[2].late);
  EXPECT_FALSE(order_.targets[3].late);
  EXPECT_TRUE(order_.targets[0].refers);
  EXPECT_FALSE(order_.targets[2].refers);
}

TEST_F(WriteOrderTest, AKeyThatCanWaitKeepsNoRowFromGoing) {
  Tables({"child", "parent", "reader"});
  Key("child", "parent").deferrable = true;
  Reads(2, 1);
  EXPECT_THAT(Order(), ElementsAre("parent", "reader", "child"));
  EXPECT_FALSE(order_.targets[1].late);
  EXPECT_THAT(order_.wait, ElementsAre("\"public\".\"child_fk\""));
  EXPECT_THAT(order_.problems, IsEmpty());
}

TEST_F(WriteOrderTest, ACircleNeedsAKeyThatCanWait) {
  Tables({"a", "b"});
  Key("a", "b");
  Key("b", "a");
  EXPECT_THAT(Order(), ElementsAre("b", "a"));
  ASSERT_THAT(order_.problems, SizeIs(1));
  EXPECT_THAT(order_.problems[0].what, HasSubstr("foreign key b_fk (b to a) can't be kept"));
  EXPECT_EQ(order_.problems[0].next,
            "ALTER TABLE b ALTER CONSTRAINT \"b_fk\" DEFERRABLE;  -- or: GRANT SET ON PARAMETER "
            "session_replication_role TO replay;");
  rules_.references[1].deferrable = true;
  EXPECT_THAT(Order(), ElementsAre("b", "a"));
  EXPECT_THAT(order_.problems, IsEmpty());
}

TEST_F(WriteOrderTest, AReaderMustNotSeeRowsThatAreStillToGo) {
  Tables({"parent", "child"});
  Key("child", "parent").on_delete = 'c';
  Reads(1, 0);
  Order();
  ASSERT_THAT(order_.problems, SizeIs(1));
  EXPECT_THAT(order_.problems[0].what, HasSubstr("child is computed from parent in between"));
  EXPECT_THAT(order_.problems[0].next,
              HasSubstr("make child_fk again without ON DELETE and ON UPDATE actions, DEFERRABLE"));
}

TEST_F(WriteOrderTest, AParentComputedFromItsChildIsACircle) {
  Tables({"child", "parent"});
  Key("child", "parent");
  Reads(1, 0);
  EXPECT_THAT(Order(), ElementsAre("child", "parent"));
  EXPECT_THAT(order_.problems, SizeIs(1));
}

TEST_F(WriteOrderTest, ChildrenMustNotGoWithARowThatIsTakenOutForAWhile) {
  Tables({"parent", "child"});
  Reference& key = Key("child", "parent");
  rules_.unique_at_once["parent"].push_back("parent_name_key");
  Order();
  EXPECT_THAT(order_.problems, IsEmpty());
  ASSERT_THAT(order_.warnings, SizeIs(1));
  EXPECT_THAT(order_.warnings[0], HasSubstr("a value of parent_name_key can't pass"));
  EXPECT_TRUE(order_.targets[1].blocks);
  for (const char action : {'c', 'n', 'd'}) {
    key.on_delete = action;
    Order();
    ASSERT_THAT(order_.problems, SizeIs(1)) << action;
    EXPECT_THAT(order_.problems[0].what, HasSubstr("which values of parent_name_key that"));
  }
}

TEST_F(WriteOrderTest, RestrictLetsNoValuesBeTraded) {
  Tables({"parent", "child"});
  Key("child", "parent").on_delete = 'r';
  rules_.unique_at_once["parent"].push_back("parent_name_key");
  Order();
  EXPECT_THAT(order_.problems, IsEmpty());
  ASSERT_THAT(order_.warnings, SizeIs(2));
  EXPECT_THAT(order_.warnings[0],
              HasSubstr("rows of parent can't trade values of parent_name_key while foreign key "
                        "child_fk (child to parent)"));
  EXPECT_THAT(order_.warnings[0], HasSubstr("GRANT SET ON PARAMETER"));
}

TEST_F(WriteOrderTest, ATableThatSeveralMappingsFillIsReferredToByKeysThatCanWait) {
  Tables({"parent", "parent", "child"});
  Reference& key = Key("child", "parent");
  Order();
  ASSERT_THAT(order_.problems, SizeIs(2));
  EXPECT_THAT(order_.problems[0].what,
              HasSubstr("foreign key child_fk (child to parent) refers to a table that several "
                        "mappings fill"));
  EXPECT_THAT(order_.problems[0].next, HasSubstr("ALTER CONSTRAINT \"child_fk\" DEFERRABLE;"));
  key.deferrable = true;
  Order();
  EXPECT_THAT(order_.problems, IsEmpty());
}

TEST_F(WriteOrderTest, RowsThatChangeByBeingTakenOutAreReferredToByKeysThatCanWait) {
  Tables({"parent", "child"});
  Reference& key = Key("child", "parent");
  plan_.mappings[0].write.take_out_updates = true;
  Order();
  ASSERT_THAT(order_.problems, SizeIs(1));
  EXPECT_THAT(order_.problems[0].what,
              HasSubstr("refers to a table with a GENERATED ALWAYS identity"));
  EXPECT_THAT(order_.problems[0].next, HasSubstr("DEFERRABLE"));
  key.deferrable = true;
  Order();
  EXPECT_THAT(order_.problems, IsEmpty());
}

TEST_F(WriteOrderTest, AKeyWithoutAnIndexIsWarnedOf) {
  Tables({"parent", "child"});
  Key("child", "parent").indexed = false;
  Key("child", "elsewhere").indexed = false;
  Order();
  ASSERT_THAT(order_.warnings, SizeIs(1));
  EXPECT_THAT(order_.warnings[0],
              HasSubstr("has no index: every row of parent that goes reads all of child. CREATE "
                        "INDEX ON child (\"parent_id\");"));
}

TEST_F(WriteOrderTest, AKeyToOtherColumnsMustBeAbleToWait) {
  Tables({"parent", "child"});
  Reference& key = Key("child", "parent");
  key.referenced = {"ref"};
  Order();
  EXPECT_THAT(order_.problems, SizeIs(1));
  key.deferrable = true;
  Order();
  EXPECT_THAT(order_.problems, IsEmpty());
}

TEST_F(WriteOrderTest, ATableThatRefersToItselfInsertsFirst) {
  Tables({"tree"});
  Key("tree", "tree");
  rules_.unique_at_once["tree"].push_back("tree_label_key");
  Order();
  EXPECT_THAT(order_.problems, IsEmpty());
  EXPECT_TRUE(order_.targets[0].late);
  EXPECT_TRUE(order_.targets[0].insert_first);
  EXPECT_TRUE(order_.targets[0].take_out_all);  // only its own rows are looked at in time
}

TEST_F(WriteOrderTest, TablesOfNewsOwnAskForNothing) {
  Tables({"parent"});
  Key("tokens", "parent").on_delete = 'c';
  Order();
  EXPECT_FALSE(order_.targets[0].late);
  EXPECT_THAT(order_.problems, IsEmpty());
}

// They would not go with their row, but with its being taken out.
TEST_F(WriteOrderTest, WarnsOfTablesOfNewsOwnThatGoWithARowThatIsTakenOutForAWhile) {
  const auto warnings = [&] {
    Order();
    EXPECT_THAT(order_.problems, IsEmpty());
    return order_.warnings;
  };
  Tables({"parent"});
  Reference& key = Key("tokens", "parent");
  rules_.unique_at_once["parent"].push_back("parent_name_key");
  for (const char action : {'c', 'n', 'd'}) {
    key.on_delete = action;
    ASSERT_THAT(warnings(), SizeIs(1)) << action;
    EXPECT_THAT(order_.targets[0].acting, SizeIs(1));
    EXPECT_THAT(
        order_.warnings[0],
        HasSubstr("foreign key tokens_fk (tokens to parent) deletes or changes rows of "
                  "tokens when rows of parent are taken out for a while, which values of "
                  "parent_name_key that change hands need; no mapping puts them back, so rows "
                  "they refer to go to quarantine. "));
    EXPECT_THAT(order_.warnings[0], HasSubstr("GRANT SET ON PARAMETER"));
  }
  rules_.unique_at_once["parent"].pop_back();
  EXPECT_THAT(warnings(), IsEmpty());
  for (bool* taken_out :
       {&plan_.mappings[0].write.take_out_updates, &plan_.mappings[0].write.take_out_moves,
        &plan_.mappings[0].keyed.take_out_only}) {
    *taken_out = true;
    ASSERT_THAT(warnings(), SizeIs(1));
    EXPECT_THAT(order_.warnings[0], HasSubstr("which its GENERATED ALWAYS identity needs"));
    *taken_out = false;
  }
  key.on_delete = 'r';
  rules_.unique_at_once["parent"].push_back("parent_name_key");
  EXPECT_THAT(warnings(), IsEmpty());
}

}  // namespace
}  // namespace switchyard::mapping
