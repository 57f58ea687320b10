// Rows and scopes that a target refused, and wait: switchyard.quarantine. One entry for each row
// (by its key) or scope of what `target` names (mapping::QuarantineTarget), in its newest state.
//
//   none --AddRow, AddScope--> waits --Forget, Forget...--> none
//   waits --AddRow, Fold--> waits, with a newer change of the row   (insert, then delete: none)
//   waits --Refuse, RefuseScope--> waits, with what refused it this time
//
// What an entry keeps of a row is computed where the row stands, in a stage, by SQL of the
// caller's. Within the caller's transaction, all of it that writes. Thread safety: as the session,
// which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/error.h"
#include "common/pg/rows.h"

namespace switchyard::records {

// What is to be done once the target takes it.
enum class EntryOperation { kInsert, kUpdate, kDelete, kRecompute };
std::string ToString(EntryOperation operation);

struct QuarantineEntry {
  int64_t id = 0;
  std::string target;
  std::string scope;  // JSON: the row's key, or the scope
  EntryOperation operation = EntryOperation::kRecompute;
  std::string lsn;  // of the newest change
  std::string sqlstate;
  std::string error;
  int64_t events = 0;
  absl::Time first_seen;
  absl::Time last_seen;
  std::string image;  // JSON, as are these; empty: there is none
  std::string before;
  // Of a scope of a patched mapping, arrays: `before` its rows before the first change that was
  // refused, `image` as they are to be, and what the target has in their place.
  std::string there;
  std::string detail;
};

// Of one row of a stage, known as sy_s.
struct StagedRowSql {
  std::string table;    // which holds the row: the stage, or what was kept of it
  std::string old_key;  // jsonb each
  std::string new_key;
  std::string image;
};

// How an entry of a row gets back to a stage: expressions over the columns of the entry.
struct EntryRowSql {
  std::string stage;
  std::string absent;  // which values were not sent
  std::string values;
};

// Numbered scopes, in a table of the columns of a scope and sy__n.
struct ScopesSql {
  std::string table;
  std::string equal;      // of the scopes e and s
  std::string condition;  // on s: which scopes are meant
};

// Of one scope of a patched mapping: jsonb arrays of rows, computed where they stand.
struct ScopeImagesSql {
  std::string before;
  std::string after;  // NULL: can't be computed
  std::string there;
};

// Where before-images of scopes are put.
struct BeforeRowsSql {
  std::string table;
  std::string same_scope;           // of its row sy_f and the scope sy_e
  std::vector<std::string> values;  // of the table's columns, from its row type sy_x
};

class QuarantineEntries {
 public:
  QuarantineEntries(pg::Sql sql, std::string stream)
      : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // --- what there is

  absl::StatusOr<int64_t> Count();
  struct Counts {
    int64_t all = 0;
    int64_t own_fault = 0;  // refused for what they are, not for another row that is there, or not
  };
  absl::StatusOr<Counts> CountByFault();
  struct Frequent {
    std::string target;
    std::string sqlstate;
    int64_t entries = 0;
  };
  // What refuses most. There are entries.
  absl::StatusOr<Frequent> MostFrequent();
  // Those that have entries.
  absl::StatusOr<std::vector<std::string>> Targets();
  absl::StatusOr<std::vector<int64_t>> IdsOf(const std::string& target);
  // Those after the entry `after` that another row stood in the way of, when they were tried last.
  absl::StatusOr<std::vector<int64_t>> ClashesOf(const std::string& target, int64_t after,
                                                 std::optional<int64_t> limit);
  // Those that a foreign key refused, likewise.
  absl::StatusOr<std::vector<int64_t>> WaitingOf(const std::string& target, int64_t after,
                                                 int64_t limit);
  // Whether the entry is there, and of that target.
  absl::StatusOr<bool> Has(int64_t id);
  absl::StatusOr<bool> Has(int64_t id, const std::string& target);
  struct Page {
    int64_t total = 0;
    std::vector<QuarantineEntry> entries;  // without image, before and detail
  };
  // `hidden`: in scope, before and image the values of these columns are digests of them. Each
  // "table|column": NEW's table, as entries name it; column * for all.
  absl::StatusOr<Page> List(int64_t limit, const std::vector<std::string>& hidden);
  absl::StatusOr<std::optional<QuarantineEntry>> Find(int64_t id,
                                                      const std::vector<std::string>& hidden);

  // --- rows

  // The row of that number was refused. An entry of its key takes it in.
  absl::Status AddRow(const std::string& target, const StagedRowSql& row, int64_t number, Lsn lsn,
                      const pg::ErrorFields& error);
  struct Folded {
    int64_t id = 0;
    std::string key;  // JSON: that of the row now
    bool nothing_left = false;
  };
  // Changes of rows that wait, out of the stage into their entries, which have no key from then on:
  // keys may go round among them. Each is to get its own (MoveTo), or to be forgotten.
  absl::StatusOr<std::vector<Folded>> Fold(const std::string& target, const StagedRowSql& row,
                                           Lsn lsn);
  absl::Status MoveTo(int64_t id, const std::string& key);
  // Into the stage, under that number.
  absl::Status Stage(int64_t id, int64_t number, const EntryRowSql& row);
  // It was refused again.
  absl::Status Refuse(int64_t id, const pg::ErrorFields& error);

  // --- scopes

  // `scope` is JSON.
  absl::Status AddScope(const std::string& target, const std::string& scope, Lsn lsn,
                        const pg::ErrorFields& error);
  // Somebody wants it to be computed again, by the next retry. An entry that it has is left alone.
  absl::Status AskRecompute(const std::string& target, const std::string& scope, Lsn lsn,
                            const std::string& why);
  // Those scopes were refused again; whether any had an entry.
  absl::StatusOr<bool> RefuseScopes(const std::string& target, const ScopesSql& scopes, Lsn lsn,
                                    const pg::ErrorFields& error);
  // Keeps with the entries of those scopes what is known of their rows.
  absl::Status KeepImages(const std::string& target, const ScopesSql& scopes,
                          const ScopeImagesSql& images);
  // Of those scopes that have an entry with a before-image, into the table: that one replaces what
  // the table has of them.
  absl::Status TakeBefore(const std::string& target, const ScopesSql& scopes,
                          const BeforeRowsSql& rows);
  // Those scopes went through; whether any had an entry.
  absl::StatusOr<bool> ForgetScopes(const std::string& target, const ScopesSql& scopes);
  // The scope of an entry, into a table of these columns (quoted).
  absl::Status Touch(int64_t id, const std::string& table, const std::vector<std::string>& columns);

  // --- pairs of ids

  // `pairs`: a table of kind, old_id, new_id, main, by, of which those meet another partner here
  // for which `there` (over sy_p) is not so. How many.
  absl::StatusOr<int64_t> AddPairs(const std::string& pairs, const std::string& there, Lsn lsn,
                                   const pg::ErrorFields& error);
  // Those that are there by now. `there`: over `image`.
  absl::Status ForgetPairs(const std::string& there);

  // --- no entries any more

  absl::Status Forget(int64_t id);
  absl::Status ForgetTarget(const std::string& target);
  // But for scopes.
  absl::Status ForgetRowsOf(const std::string& target);
  absl::Status ForgetAll();

 private:
  std::string EntriesOf(const ScopesSql& scopes) const;

  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
