// Tables in doubt: one of their partitions was emptied, so that the target holds rows of which the
// log can't tell whether they are still there. Until a re-copy is swapped in, their changes are
// left out and the target is not to be read; the copy and the log after it bring everything.
//
// Kept in switchyard.request, as kind `in_doubt`, in the transaction that passes the TRUNCATE.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/pg/session.h"

namespace switchyard::replayer {

struct Doubts {
  std::set<int> in_doubt;      // indices into Plan::sources
  std::set<int> copied_again;  // a re-copy is asked for
};

// FailedPrecondition: a table is in doubt and no copy of it is asked for.
absl::StatusOr<Doubts> LoadDoubts(pg::Session& session, const mapping::Plan& plan,
                                  const std::string& stream);

// In the transaction that passes the TRUNCATE. Aborted: the re-copy has ended meanwhile.
absl::Status StoreDoubts(pg::Session& session, const mapping::Plan& plan, const std::string& stream,
                         const std::vector<int>& sources);

// Once a copy is swapped in: whether the table was in doubt.
absl::StatusOr<bool> EndDoubt(pg::Session& session, const mapping::SourcePlan& source,
                              const std::string& stream);

// What to say of a table that stays in doubt.
absl::Status StillInDoubt(const mapping::SourcePlan& source, const std::string& why);

}  // namespace switchyard::replayer
