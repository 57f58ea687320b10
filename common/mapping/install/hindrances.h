// What of the target's own may keep a row from being written as it was given, without an error:
// rules, and BEFORE triggers for each row, which may return NULL or another row; or change it
// afterwards: a trigger whose function writes a table that a mapping fills; or lose it: a table
// that is UNLOGGED. Read from its catalogue; of triggers and rules only those that fire for the
// session that writes.
//
//   ASSIGN_OR_RETURN(const Hindrances there, Hindrances::Load(*session, plan));
//   ... BEGIN, write ...
//   ASSIGN_OR_RETURN(const bool same, there.StillSo(*session, {"public.t"}));  // before COMMIT
//
// A table that is written is locked against new triggers and rules until the transaction ends: what
// StillSo finds just before that is what there was when the rows were written.
//
// Thread safety: a plain value.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::mapping {

struct Hindrance {
  std::string table;   // MappingPlan::display
  std::string what;    // "trigger keep_out of public.t (BEFORE INSERT)", "rule r of ..."
  std::string remedy;  // SQL, as its owner runs it
  // Why nothing may be written while it is there; empty where what is written can be looked at.
  std::string refusal;
};

class Hindrances {
 public:
  // For whom they are to fire: this session as it is; one with session_replication_role = replica;
  // any other.
  enum class Role { kSession, kReplica, kOrigin };

  static absl::StatusOr<Hindrances> Load(pg::Session& session, const Plan& plan,
                                         Role role = Role::kSession);

  const std::vector<Hindrance>& all() const { return all_; }
  // Triggers that write by themselves, by EXECUTE perhaps or where they call functions: not what
  // they were seen to write, which is refused.
  const std::vector<Hindrance>& beside() const { return beside_; }
  // Of this table (MappingPlan::display).
  std::vector<Hindrance> Of(const std::string& table) const;
  bool any(const std::string& table) const { return tables_.contains(table); }
  // Whether these tables have what they had at Load, for a session of the same kind: also the same
  // columns of the same types (what that means: install/target_shape.h).
  absl::StatusOr<bool> StillSo(pg::Session& session, const std::set<std::string>& tables) const;

 private:
  std::vector<Hindrance> all_;
  std::vector<Hindrance> beside_;
  // By table: the OIDs of all triggers (with which version of their function) and rules, its name
  // and a digest of its columns.
  std::map<std::string, std::set<std::string>> ids_;
  std::set<std::string> tables_;                           // that have some
  std::map<std::string, std::vector<std::string>> parts_;  // OIDs: each table, its partitions
};

// FailedPrecondition, with the next step, where there is one of which nobody can tell what became
// of the rows.
absl::Status RefuseHindrances(const Hindrances& hindrances);
// One of Hindrances::beside(), for who may know better, with the next step.
std::string MayWriteBeside(const Hindrance& one);
// As RefuseHindrances, for a table that does not hold what was written. `not_so`: how many of
// `rows` rows.
absl::Status NotAsWritten(const Hindrances& hindrances, const std::string& table, int64_t not_so,
                          int64_t rows);

}  // namespace switchyard::mapping
