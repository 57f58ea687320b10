// Promises 5, 6 and 7 of the cutover protocol, in every interleaving of two drivers within bounds:
// commands that are carried out late or never, answers that are lost, drivers that die, servers
// that end a fence or fail over. And each rule of it is needed: without it there is a way to lose.
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/model/search.h"

namespace switchyard::model {
namespace {

int FromEnvironment(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

// Larger ones by hand: SWITCHYARD_MODEL_EPOCHS=4 SWITCHYARD_MODEL_FAULTS=2.
Bounds BoundsOfRun() {
  return {.epochs = FromEnvironment("SWITCHYARD_MODEL_EPOCHS", 3),
          .faults = FromEnvironment("SWITCHYARD_MODEL_FAULTS", 1)};
}

void ExpectHolds(const Rules& rules) {
  const Found found = Search(rules, BoundsOfRun());
  EXPECT_EQ(found.fault, "") << absl::StrJoin(found.trace, "\n");
  std::cout << found.worlds << " worlds; " << found.unattended
            << " with both sides closed and no driver at work\n";
}

void ExpectFound(const Rules& rules) {
  const Found found = Search(rules, BoundsOfRun());
  EXPECT_NE(found.fault, "") << found.worlds << " worlds, and nothing was found";
  std::cout << found.fault << ":\n  " << absl::StrJoin(found.trace, "\n  ") << "\n";
}

TEST(CutoverModelTest, OneSideAcceptsWritesAndNoneIsLostInEveryInterleaving) { ExpectHolds({}); }

TEST(CutoverModelTest, ThatHoldsWhereBothServersMayFailOver) {
  ExpectHolds({.new_fails_over = true, .old_fails_over = true});
}

TEST(CutoverModelTest, ItIsFoundWhereALateFenceIsNotComparedWithOldsRow) {
  ExpectFound({.close_old_compares = false});
}

TEST(CutoverModelTest, ItIsFoundWhereALateChangeOfOwnerIsNotCompared) {
  ExpectFound({.open_new_compares = false});
}

TEST(CutoverModelTest, ItIsFoundWhereALateOpeningOfOldIsNotCompared) {
  ExpectFound({.open_old_compares = false});
}

TEST(CutoverModelTest, ItIsFoundWhereARowIsReadAgainInsteadOfAFreshEpoch) {
  ExpectFound({.fresh_epoch = false});
}

TEST(CutoverModelTest, ItIsFoundWhereOldsRowIsMovedFirst) { ExpectFound({.new_row_first = false}); }

TEST(CutoverModelTest, ItIsFoundWhereTheOwnerChangesBeforeTheFenceIsPermanent) {
  ExpectFound({.close_before_open = false});
}

TEST(CutoverModelTest, ItIsFoundWhereTheMarkerIsWrittenBeforeTheLocks) {
  ExpectFound({.marker_after_locks = false});
}

TEST(CutoverModelTest, ItIsFoundWhereADecisionIsForgottenByWhoTakesOver) {
  ExpectFound({.looks_for_decisions = false});
}

TEST(CutoverModelTest, ItIsFoundWhereNobodyAsksWhetherNewIsStillTheSameServer) {
  ExpectFound({.judges_history = false, .new_fails_over = true});
}

TEST(CutoverModelTest, ItIsFoundWhereANewThatFailedOverGivesEpochsOutTwice) {
  ExpectFound({.epochs_name_servers = false, .new_fails_over = true});
}

TEST(CutoverModelTest, ItIsFoundWhereStandbysOfOldAreNotWaitedFor) {
  ExpectFound({.waits_for_standbys = false, .old_fails_over = true});
}

TEST(CutoverModelTest, ItIsFoundWhereNobodyAsksWhoseStandbysHaveTheFence) {
  ExpectFound({.looks_after_flush = false, .old_fails_over = true});
}

TEST(CutoverModelTest, ItIsFoundWhereStandbysOfNewAreNotWaitedForOnTheWayBack) {
  ExpectFound({.waits_for_standbys = false, .new_fails_over = true});
}

}  // namespace
}  // namespace switchyard::model
