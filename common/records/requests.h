// What is asked of running roles, and what they answered: switchyard.request of a target. People
// ask (a copy of a table, a retry), and so does what can't go on by itself: a table in doubt, which
// takes no changes until a copy of it is swapped in. A request is open until it is answered.
//
//   ASSIGN_OR_RETURN(const auto open, Requests(session, stream).Open(RequestKind::kResume));
//
// `table` is schema.name of a source's table; people may have left out the schema.
// Thread safety: as the session, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/lsn.h"
#include "common/base/status.h"
#include "common/pg/rows.h"
#include "common/records/stream/position.h"

namespace switchyard::records {

enum class RequestKind {
  kRecopy,           // of the table that is its argument
  kQuarantineRetry,  // of the entry that is its argument, or of all
  kBreachApply,      // of the breach that is its argument
  kResume,           // with what is to be made again (mapping/plan_change.h)
  kInDoubt,          // the table that is its argument; the result says why, and the way out
};

enum class RequestState { kOpen, kDone, kFailed };

struct Request {
  int64_t id = 0;
  std::string argument;
  RequestState state = RequestState::kOpen;
  std::string result;
};

// From where on a copy of a table can be rolled forward.
struct RecopyFrom {
  Position position;  // where the stream stood when it was asked for; without covered_lsn
  Lsn source_lsn;     // a copy as of an earlier point is no answer
};

class Requests {
 public:
  Requests(pg::Sql sql, std::string stream) : sql_(std::move(sql)), stream_(std::move(stream)) {}

  // Oldest first.
  absl::StatusOr<std::vector<Request>> Open(RequestKind kind);
  // Of people, that wait for a role.
  absl::StatusOr<int64_t> CountOpen();
  absl::StatusOr<std::optional<Request>> Find(int64_t id);

  // Writes it down and tells the roles. Its number.
  absl::StatusOr<int64_t> Submit(RequestKind kind, const std::string& argument);
  // Open -> done or failed.
  absl::Status Answer(int64_t id, RequestState outcome, const std::string& result);
  // Whatever is open fails. Points at which tables were swapped in mean nothing any more: those of
  // a source that may have gone back behind them.
  absl::Status BeginAnew(const std::string& why);
  // Those of a kind fail; their arguments.
  absl::StatusOr<std::vector<std::string>> FailOpen(RequestKind kind, const std::string& why);

  // --- copies of tables

  struct Recopy {
    int64_t id = 0;
    bool source_asked = false;
  };
  // A request for a copy: the open one, or one made now at the stream's position.
  absl::StatusOr<Recopy> AskRecopy(const std::string& table);
  // The open ones of a table.
  absl::StatusOr<std::vector<Recopy>> OpenRecopies(const std::string& table);
  // Only a copy that begins at `now` of the source or later answers it.
  absl::Status CountFrom(int64_t id, Lsn now);
  absl::Status NoteSourceAsked(int64_t id);
  // One for each table in doubt that has none.
  absl::Status AskForDoubted();
  // Where the log is needed from, for what is open.
  absl::StatusOr<std::optional<int64_t>> KeepFrom();
  absl::StatusOr<std::optional<RecopyFrom>> OldestRecopy(const std::vector<std::string>& names);
  // The open ones of a table. `copied`: the table was swapped in as of that point.
  absl::Status AnswerRecopy(const std::vector<std::string>& names, RequestState outcome,
                            const std::string& result, std::optional<Lsn> copied);
  // Those of a table that the first copy, as of `point`, is young enough for. Whether there were.
  absl::StatusOr<bool> AnswerLoaded(const std::vector<std::string>& names, Lsn point);
  // Whether the table was swapped in as of `seen` or later.
  absl::StatusOr<bool> WasRecopied(const std::string& table, Lsn seen);

  // --- tables in doubt

  // Puts it in doubt, or says anew why it is.
  absl::Status Doubt(const std::string& table, const std::string& why);
  // Puts it in doubt with what it was asked of before being void: it was of another shape.
  absl::Status DoubtAfterChange(const std::string& table, const std::string& why);
  // Says anew why it is; nothing where it is not.
  absl::Status ExplainDoubt(const std::string& table, const std::string& why);
  // Whether it was.
  absl::StatusOr<bool> EndDoubt(const std::string& table);

 private:
  const pg::Sql sql_;
  const std::string stream_;
};

}  // namespace switchyard::records
