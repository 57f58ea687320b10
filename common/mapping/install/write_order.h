// In which order a plan's tables are written where the target's foreign keys hold: for a role that
// may not set session_replication_role. Pure.
//
// Parents are written before their children. Of a row that goes there are three kinds of table:
//   - nothing mapped refers to it, or only by DEFERRABLE keys without actions: rows go with its
//     write, as everywhere else, and the database looks at the keys before the commit;
//   - anything else: `late`. Rows that nothing refers to any more go at once, the others after
//     every table was written, children first. So no ON DELETE or ON UPDATE action ever meets a
//     row that stays;
//   - neither is possible (a mapping reads the table and would see rows that are gone; a circle;
//     unique values could only be handed over by taking rows out that others cascade from): a
//     problem, with the constraint's name and the ways out.
#pragma once

#include <string>
#include <vector>

#include "common/base/finding.h"
#include "common/mapping/install/foreign_keys.h"
#include "common/mapping/plan.h"

namespace switchyard::mapping {

struct WriteOrder {
  struct Target {
    bool late = false;
    bool referenced = false;    // by a table that is mapped
    bool refers = false;        // to one that is mapped
    bool insert_first = false;  // rows refer to rows of the same table
    // Its rows refer, by a key looked at at once, to a table whose unique values may pass on.
    bool blocks = false;
    // Rows that go may be taken out in one statement with what is put in: only rows of this table
    // have to be looked at in time.
    bool take_out_all = false;
    std::vector<int> references;  // to it, from mapped tables: into TargetRules::references
    std::vector<int> acting;      // to it, from any table, with an ON DELETE action; likewise
  };

  std::vector<MappingIndex> order;  // upserts; what goes late, backwards
  std::vector<Target> targets;      // by mapping
  std::vector<std::string> wait;    // quoted constraints that can't be looked at any earlier
  std::vector<Finding> problems;
  // What works but for one case: a unique value taken over from a row that goes while a row that
  // refers to it stays, in one transaction of the source.
  std::vector<std::string> warnings;
};

WriteOrder OrderWrites(const Plan& plan, const TargetRules& rules);

// `order` backwards. (clang 14 can't read libstdc++'s views.)
inline std::vector<MappingIndex> Backwards(const std::vector<MappingIndex>& order) {
  return {order.rbegin(), order.rend()};
}

}  // namespace switchyard::mapping
