// What the target's foreign keys refuse only at the end of a transaction, when everything is
// written and the statement that fails no longer says which change was at fault.
//
// The careful pass asks which rows are: parents that go while a row that stays refers to them, and
// children whose parent is not there. They are barred: the transaction is rolled back and applied
// once more, with the changes of barred rows (scopes, of keyed mappings) going to quarantine
// untried. That may bring out others, so it is done again until nothing new is found.
//
//   writes ...; status = refusals.Finish(pending, Care::kCareful);
//   session.Rollback(); ASSIGN_OR_RETURN(bool again, refusals.AddNewlyFound());
//   session.Begin(); refusals.Begin(); writes, but for refusals.Barred(mapping) ...
//
// Thread-compatible; all it is given must outlive it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/status.h"
#include "common/mapping/install/write_order.h"
#include "replayer/write/stage.h"

namespace switchyard::replayer {

struct BarredRow {
  mapping::MappingIndex mapping;
  std::vector<std::string> identity;  // its key's text, or of its scope
  absl::Status error;                 // one for which IsRefusedRow holds
};

class LateRefusals {
 public:
  // `barred` outlasts sessions: it is kept until the transaction is through.
  LateRefusals(Stage& stage, const mapping::TargetRules& rules, const mapping::WriteOrder& order,
               std::vector<BarredRow>& barred);

  // In a careful transaction, first: tells the session what is barred.
  absl::Status Begin();
  bool bars(mapping::MappingIndex mapping) const;
  struct Match {
    int64_t number = 0;  // sy__ord of the stage, or the number of the scope
    absl::Status error;
  };
  // Of what is staged, or of the numbered scopes.
  absl::StatusOr<std::vector<Match>> Barred(mapping::MappingIndex mapping);

  // Removes the rows noted for the mappings `pending`, has the database look at what it put off.
  // A status for which IsRefusedRow holds: a row that stays refers to one that goes, or to none.
  absl::Status Finish(const std::set<mapping::MappingIndex>& pending, Care care);
  // After the rollback of a careful transaction that was refused: whether more is barred now.
  absl::StatusOr<bool> AddNewlyFound();

 private:
  // A row of `child` whose parent is missing.
  struct Dangling {
    int reference = 0;
    mapping::MappingIndex child;
    std::vector<std::string> identity;
    std::vector<pg::Param> columns;
  };

  const mapping::Reference& Key(int index) const { return rules_.references[index]; }
  const std::vector<std::string>& Identity(mapping::MappingIndex mapping) const;
  std::string IdentityText(mapping::MappingIndex mapping, const std::string& row) const;
  // A condition: the row is the one with the identity in $`from` + 1 and the following.
  std::string IsRow(mapping::MappingIndex mapping, const std::string& row, size_t from) const;
  std::vector<mapping::MappingIndex> MappingsOf(const std::string& table) const;
  std::string Remove(mapping::MappingIndex mapping) const;
  std::string Staying(mapping::MappingIndex mapping, int reference) const;
  absl::Status CountStaying(mapping::MappingIndex mapping, int reference);
  absl::StatusOr<bool> TakeStaying(mapping::MappingIndex mapping, int reference);
  absl::Status FindStaying(const std::set<mapping::MappingIndex>& pending);
  absl::Status RemoveOrFind(mapping::MappingIndex mapping);
  absl::Status FindRefused(mapping::MappingIndex mapping);
  absl::Status LookAtPutOff();
  absl::Status FindDangling(int reference);
  absl::StatusOr<bool> AddNewlyFoundOf(const Dangling& dangling);
  bool NoteBarred(BarredRow row);
  absl::Status GoesTooEarly(int reference) const;
  absl::Status HasNoParent(int reference) const;

  Stage& stage_;
  const mapping::Plan& plan_;
  const mapping::TargetRules& rules_;
  const mapping::WriteOrder& order_;
  std::vector<BarredRow>& barred_;
  std::vector<BarredRow> found_;
  std::vector<Dangling> dangling_;
};

// A refusal by the key, as the database would say it.
absl::Status KeyViolated(const mapping::Reference& key, const std::string& text);
// "c"."fk" = t."id" AND ...
std::string RefersTo(const mapping::Reference& key, const std::string& child,
                     const std::string& parent);

}  // namespace switchyard::replayer
