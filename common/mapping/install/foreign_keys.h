// What the target enforces by itself while a plan's tables are written: foreign keys, unique
// indexes, triggers. Read from its catalogue as it is now.
//
//   ASSIGN_OR_RETURN(TargetRules rules, LoadTargetRules(*session, plan));
//   WriteOrder order = OrderWrites(plan, rules);             // write_order.h
//
// Thread safety: plain values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::mapping {

// A foreign key to or from a table that a plan fills. Tables are roots of their partitions.
struct Reference {
  std::string name;           // of the constraint
  std::string schema;         // the constraint's
  std::string child, parent;  // schema.table, as MappingPlan::display
  std::string child_quoted, parent_quoted;
  std::vector<std::string> columns;     // of the child
  std::vector<std::string> referenced;  // of the parent, in the same order
  // Quoted, by column: the parent's, where the child's is another one; else empty.
  std::vector<std::string> collations;
  // By column, OPERATOR(pg_catalog.=): the parent's value on its left; between two of the child's.
  std::vector<std::string> operators, child_operators;
  // OIDs, "1, 2", where only those parts of the child or of the parent have the key; else empty.
  std::string child_parts, parent_parts;
  bool deferrable = false;
  bool indexed = true;  // the child, by these columns
  bool full = false;    // MATCH FULL: NULL in all columns or in none
  // As in pg_constraint: 'a' no action, 'r' restrict, 'c' cascade, 'n' set null, 'd' set default.
  char on_delete = 'a';
  char on_update = 'a';

  // Does something to the child's rows when the parent's go.
  bool Acts() const { return on_delete == 'c' || on_delete == 'n' || on_delete == 'd'; }
  // The database waits for the end of the transaction, when told to, whichever side was changed.
  bool CanWait() const { return deferrable && on_delete == 'a' && on_update == 'a'; }
};

struct TargetRules {
  std::string role;  // whose session it is, quoted
  std::vector<Reference> references;
  // By MappingPlan::display: unique indexes and exclusion constraints, the primary key first, by
  // name: those that are checked at once; and the deferrable ones, quoted, with their schema.
  std::map<std::string, std::vector<std::string>> unique_at_once, unique_deferrable;
  // Quoted: DEFERRABLE constraints of and to these tables, constraint triggers too.
  std::vector<std::string> deferrable;
  // "public.t: touch_updated_at"; those of users, which fire for an ordinary session ...
  std::vector<std::string> triggers;
  // ... and those that fire for one with session_replication_role = replica.
  std::vector<std::string> replica_triggers;
};

// The session must not be in a failed transaction; takes no locks.
absl::StatusOr<TargetRules> LoadTargetRules(pg::Session& session, const Plan& plan);

}  // namespace switchyard::mapping
