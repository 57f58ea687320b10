// check --rehearse on examples/studio-bookings: it finds nothing wrong with the rules told from the
// selects, and what is taken out of them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/mapping/install/prepare.h"
#include "operate/check/rehearse/rehearsal.h"
#include "tests/support/oracle/studio_example.h"
#include "tests/support/status_matchers.h"

namespace switchyard::operate {
namespace {

using Verdict = RehearsalReport::Verdict;

constexpr char kBetweenArms[] = "\nUNION ALL\n";
constexpr size_t kPlanted = 30;
// Of one seed. 20 were found within so many, 22 within 1,000.
constexpr int64_t kBatches = 300;
constexpr int kFoundLeast = 16;
// Of `p OR EXISTS`, where the row's own e-mail gives the same scope: nobody can notice.
constexpr char kSuperfluous[] = "IS NOT TRUE";

// One look-up left out of one rule.
struct Planted {
  std::string mapping, table, arm;
  spec::MigrationFile file;
};

class PlantedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(example_, testing::StudioExample::Start({.scale = 1, .nasty = true}));
    for (const auto& [name, value] : example_->environment())
      setenv(name.c_str(), value.c_str(), 1);
    ASSERT_OK_AND_ASSIGN(file_, spec::LoadMigrationFile(example_->migration_file()));
  }

  // With the rules of the table declared, `touches` in place of what the select tells.
  spec::MigrationFile Declared(const std::string& mapping, const std::string& table,
                               const std::string& touches) const {
    spec::MigrationFile file = file_;
    for (spec::Mapping& each : file.forward.mappings) {
      if (each.target.ToString() != mapping) continue;
      spec::TableName name{.name = table};
      if (const size_t dot = table.find('.'); dot != std::string::npos) {
        name = {.schema = table.substr(0, dot), .name = table.substr(dot + 1)};
      }
      each.from.push_back({.table = name, .touches = touches, .at = each.at});
    }
    return file;
  }

  absl::StatusOr<std::vector<Planted>> Plant() {
    ASSIGN_OR_RETURN(const mapping::PreparedMapping prepared,
                     mapping::CompileMapping(file_, records::ForwardOf(file_), never_));
    std::vector<Planted> all;
    for (const mapping::MappingPlan& mapping : prepared.plan.mappings) {
      for (const mapping::PlanRule& rule : mapping.rules) {
        const std::vector<std::string> arms = absl::StrSplit(rule.touches, kBetweenArms);
        for (size_t i = 0; i < arms.size(); ++i) {
          if (absl::StrContains(arms[i], kSuperfluous)) continue;
          std::vector<std::string> left = arms;
          left.erase(left.begin() + static_cast<ptrdiff_t>(i));
          const std::string touches =
              left.empty() ? "SELECT NULL::text WHERE false" : absl::StrJoin(left, kBetweenArms);
          all.push_back({mapping.display, rule.table, arms[i],
                         Declared(mapping.display, rule.table, touches)});
        }
      }
    }
    return all;
  }

  std::unique_ptr<testing::StudioExample> example_;
  spec::MigrationFile file_;
  Cancel never_;
};

TEST_F(PlantedTest, TheExampleItselfIsCleanWithinAMinute) {
  ASSERT_OK_AND_ASSIGN(const RehearsalReport report,
                       Rehearse(file_, {.seed = 11, .batches_max = 300}, never_));
  EXPECT_EQ(report.verdict, Verdict::kClean) << RehearsalText(report);
  std::cout << RehearsalText(report);
  EXPECT_LT(report.seconds, 60);
}

TEST_F(PlantedTest, WhatIsTakenOutOfARuleIsFound) {
  ASSERT_OK_AND_ASSIGN(std::vector<Planted> planted, Plant());
  std::cout << planted.size() << " look-ups\n";
  int found = 0;
  const absl::Time began = absl::Now();
  std::string missed;
  ASSERT_EQ(planted.size(), kPlanted);
  for (const Planted& each : planted) {
    ASSERT_OK_AND_ASSIGN(
        const RehearsalReport report,
        Rehearse(each.file, {.seed = 11, .batches_max = kBatches, .faults_max = 1}, never_));
    const bool right = !report.faults.empty() && report.faults[0].mapping == each.mapping;
    found += right;
    std::cout << each.mapping << " " << each.table << ": " << VerdictWord(report.verdict) << " "
              << report.batches << " " << report.refused << " " << report.seconds << " s, "
              << (report.faults.empty() ? ""
                                        : report.faults[0].table + ": " + report.faults[0].mutation)
              << " " << (!report.faults.empty() && report.faults[0].rule == each.arm) << std::endl;
    if (!right) {
      absl::StrAppend(&missed, each.mapping, " from ", each.table, " without ", each.arm, "\n",
                      RehearsalText(report));
    }
  }
  std::cout << absl::ToDoubleSeconds(absl::Now() - began) << " s\n";
  EXPECT_GE(found, kFoundLeast) << missed;
}

}  // namespace
}  // namespace switchyard::operate
