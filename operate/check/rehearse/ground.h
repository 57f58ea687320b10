// Where made-up batches are tried: the product's own writers (replayer/write) over a plan that was
// moved into temporary tables, in one transaction of NEW that is never committed. After each batch
// every keyed mapping's table is held against its whole select.
//
//   ASSIGN_OR_RETURN(auto ground, Ground::Make(*session, std::move(temporary_plan)));
//   ASSIGN_OR_RETURN(std::string refused, ground->Fill(rows));
//   ASSIGN_OR_RETURN(Outcome outcome, ground->Try(changes, Ground::Then::kKeep));
//
// Thread-compatible; the session must outlive it and is its alone.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/pg/session.h"
#include "operate/check/rehearse/arms.h"
#include "operate/check/rehearse/made_rows.h"
#include "operate/check/rehearse/temporary_plan.h"
#include "replayer/write/touched_scopes.h"

namespace switchyard::operate {

// A scope whose rows differ from what the select gives.
struct Miss {
  mapping::MappingIndex mapping;
  std::string scope;    // JSON object: column -> text
  bool stayed = false;  // a row that was to go or change is there; else one that was to come is not
};

struct Outcome {
  std::string refused;  // why the batch could not be applied, as a row of NEW may be refused
  std::vector<Miss> misses;
  std::set<mapping::MappingIndex> changed;  // some row of their tables is another
};

class Ground {
 public:
  ~Ground();
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  // Rows of mirrors keep to OLD's CHECKs, where NEW can evaluate them.
  static absl::StatusOr<std::unique_ptr<Ground>> Make(pg::Session& session, TemporaryPlan plan,
                                                      const Constraints& constraints);

  // These rows and no others, everything derived from them as a whole. What it returns is why NEW
  // would refuse them; empty when they are there.
  absl::StatusOr<std::string> Fill(const Changes& rows);

  // As a large transaction comes: in two parts, of which only the second recomputes.
  void set_in_chunks(bool in_chunks) { in_chunks_ = in_chunks; }

  enum class Then { kKeep, kUndo, kHold };
  // After Fill. kKeep: the changes stay if they were applied and no scope was missed. kHold: the
  // same, but Settle has to say whether they do.
  absl::StatusOr<Outcome> Try(const Changes& changes, Then then);
  absl::Status Settle(Then then);
  // Whether a scope is missed where the rules lack this look-up. Undone.
  absl::StatusOr<bool> MissesWithout(const RuleArm& arm, const Changes& changes);

  // Calls `look` before the changes and once they are applied, and undoes them. InvalidArgument:
  // the database refused something of it.
  absl::Status Around(const Changes& changes, absl::FunctionRef<absl::Status()> look);

  pg::Session& session() { return session_; }
  const mapping::Plan& plan() const { return plan_.plan; }
  const TemporaryPlan& temporary() const { return plan_; }
  // As NEW's tables declare the columns of a mapping's scope.
  const std::vector<std::string>& scope_types(mapping::MappingIndex mapping) const {
    return scope_types_[mapping];
  }

 private:
  Ground(pg::Session& session, TemporaryPlan plan);
  absl::Status MakeTables();
  absl::Status AddChecks(const Constraints& constraints);
  absl::Status CompleteTargets();
  std::string CompareSql(mapping::MappingIndex mapping,
                         const std::map<std::string, std::string>& types) const;
  absl::Status Empty();
  absl::Status FillEmpty(const changes::Batch& batch);
  absl::Status Apply(const Changes& changes);
  absl::Status ApplyBatch(const changes::Batch& batch);
  absl::Status MakeRoom(const changes::Batch& batch);
  absl::Status WriteRowLocal(const changes::Batch& batch, mapping::MappingIndex mapping);
  // The digest of each table of NEW, beside what was missed.
  using Digests = std::map<mapping::MappingIndex, std::string>;
  absl::StatusOr<Digests> Compare(std::vector<Miss>* misses);
  // What the body met that is of the rows, not of the connection; undone then.
  absl::StatusOr<std::string> InSavepoint(absl::FunctionRef<absl::Status()> body);
  absl::Status Undo();

  pg::Session& session_;
  TemporaryPlan plan_;
  std::vector<std::vector<std::string>> scope_types_;  // by mapping
  std::string compare_;
  Digests digests_;  // of NEW's rows as they are
  Digests held_;     // once they are kept
  bool in_chunks_ = false;
  std::unique_ptr<replayer::Stage> stage_;
  std::unique_ptr<replayer::TableWriter> writer_;
  std::unique_ptr<replayer::TouchedScopes> touched_;
  int fills_ = 0;
};

}  // namespace switchyard::operate
