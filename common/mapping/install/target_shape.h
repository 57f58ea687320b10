// What a target's tables are like where the mapping fills them: another type, or another column
// under a name, and rows would be kept otherwise than was checked when the plan was made, or in the
// wrong column, without an error.
//
//   ASSIGN_OR_RETURN(const TargetShape then, TargetShape::Load(*session, plan));
//   ...
//   ASSIGN_OR_RETURN(const TargetShape now, TargetShape::Load(*session, plan));
//   RETURN_IF_ERROR(then.RefuseOther(now));
//
// That a table changed at all while it was written is seen by install/hindrances.h.
//
// Thread safety: a plain value.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/status.h"
#include "common/catalog/narrowing.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::mapping {

class TargetShape {
 public:
  static absl::StatusOr<TargetShape> Load(pg::Session& session, const Plan& plan);

  // FailedPrecondition, with the next step: a table or column that is filled is not there `now`, or
  // is another one, or of a type that keeps less without a word. What nothing fills may come and
  // go, and types may get wider, or refuse more.
  absl::Status RefuseOther(const TargetShape& now) const;

 private:
  struct Column {
    int64_t number = 0;
    std::string type;             // as people write it
    catalog::AssignedType holds;  // of a domain, what it is over
    int64_t collation = 0;
    bool generated = false;
  };
  static absl::Status RefuseOtherType(const Column& was, const Column& is, const std::string& what,
                                      const std::string& table);
  struct Table {
    int64_t oid = 0;
    std::map<std::string, Column> columns;  // that are filled
  };
  std::map<std::string, Table> tables_;  // by MappingPlan::display
};

}  // namespace switchyard::mapping
