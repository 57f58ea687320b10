// From a batch that missed a scope to what a person can mend: the smallest batch that still misses
// one, the table whose rule lacks it, and the derived look-up that would have named it.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/spec/migration_file.h"
#include "operate/check/rehearse/ground.h"
#include "operate/check/rehearse/report.h"

namespace switchyard::operate {

class FaultFinder {
 public:
  // `possible`: whether OLD could be so after part of a batch. `derive` compiles the mapping with
  // every rule told from its select that can be; called once, at the first fault. All must outlive
  // it.
  FaultFinder(Ground& ground, const spec::MigrationFile& file, bool show_values,
              std::function<bool(const Changes&)> possible,
              std::function<absl::StatusOr<mapping::Plan>()> derive)
      : ground_(ground),
        file_(file),
        sensitive_(file.forward),
        show_values_(show_values),
        possible_(std::move(possible)),
        derive_(std::move(derive)) {}

  // `changes` just missed `misses`, and were undone.
  absl::Status Add(const Changes& changes, const std::vector<Miss>& misses);
  // One for each mapping, table and column.
  const std::vector<RehearsalFault>& faults() const { return faults_; }

 private:
  // A look-up of a rule, and the table whose changed rows it is over.
  struct Arm {
    std::string table;  // as under `from`
    std::string sql;    // as under `from`
  };

  absl::StatusOr<Changes> Smallest(Changes changes, mapping::MappingIndex mapping, Miss* miss);
  absl::StatusOr<bool> StillMisses(const Changes& changes, mapping::MappingIndex mapping,
                                   Miss* miss);
  absl::StatusOr<Arm> LackingArm(const Changes& changes, const Miss& miss);
  absl::Status LoadArms();
  std::string RowsOf(const std::string& table) const;
  std::string ArmSql(const Arm& arm, const Miss& miss) const;
  absl::StatusOr<RehearsalFault> Describe(const Changes& changes, const Miss& miss,
                                          const Arm& lacking) const;
  absl::StatusOr<std::string> Mutation(const RowChange& change) const;
  // `values`, a JSON object of columns of the table, without those that nobody is shown.
  absl::StatusOr<std::string> Shown(const std::string& table, const std::string& values) const;
  std::string Changed(const RowChange& change) const;
  const mapping::PlanRule* RuleOf(mapping::MappingIndex mapping, const std::string& table) const;

  Ground& ground_;
  const spec::MigrationFile& file_;
  const mapping::Sensitive sensitive_;
  const bool show_values_;
  const std::function<bool(const Changes&)> possible_;
  const std::function<absl::StatusOr<mapping::Plan>()> derive_;
  bool arms_loaded_ = false;
  std::map<std::string, std::vector<Arm>> arms_;  // by the table that a mapping fills
  std::map<int, int> looked_at_;                  // misses by mapping
  std::set<std::vector<std::string>> known_;
  std::vector<RehearsalFault> faults_;
};

}  // namespace switchyard::operate
