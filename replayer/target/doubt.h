// Tables in doubt: the target does not show them as the source has them, and the log can't mend it.
// One of their partitions was emptied, so that nobody can tell which rows are gone; the log holds
// rows of a shape that the mapping can't read; or their mapping was replaced. Until a re-copy is
// swapped in, their changes are left out, whatever shape they have, and the target is not to be
// read; the copy and the log after it bring everything.
//
// Kept in switchyard.request, as kind `in_doubt`, `result` being what to say while no copy is asked
// for; in the transaction that passes the TRUNCATE, or that applies what is before the first such
// row, or that replaces the mapping (mapping::InstallTarget, which also asks for the copies).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/finding.h"
#include "common/base/status.h"
#include "common/changes/batch.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

struct Doubts {
  std::set<mapping::SourceIndex> in_doubt;
  std::set<mapping::SourceIndex> copied_again;  // a re-copy is asked for
};

// FailedPrecondition: a table is in doubt and no copy of it is asked for.
absl::StatusOr<Doubts> LoadDoubts(pg::Session& session, const mapping::Plan& plan,
                                  const std::string& stream);

// What `batch` puts in doubt, in its transaction. Aborted: the re-copy that it counts on has ended
// meanwhile.
absl::Status StoreDoubts(pg::Session& session, const mapping::Plan& plan, const std::string& stream,
                         const changes::Batch& batch);

// Once a copy is swapped in: whether the table was in doubt.
absl::StatusOr<bool> EndDoubt(pg::Session& session, const mapping::SourcePlan& source,
                              const std::string& stream);

// Before streaming: a table that was asked for while the first copy was under way, and that came
// with it, waits for no other copy.
absl::Status AnswerLoaded(pg::Session& session, const mapping::Plan& plan,
                          const std::string& stream);

// Once a copy has failed: what is to be said of the table if it is in doubt. A step that `why`
// lacks is to mend that and to copy again.
absl::Status StayInDoubt(pg::Session& session, const mapping::SourcePlan& source,
                         const std::string& stream, const Finding& why);

}  // namespace switchyard::replayer
