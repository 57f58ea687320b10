#include "replayer/resume.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/log.h"
#include "common/mapping/install/install.h"

namespace switchyard::replayer {

Resume::Resume(std::string stream, PgTarget& target, const mapping::Plan& plan)
    : stream_(std::move(stream)), target_(target), plan_(plan) {}

std::vector<std::string> Resume::tables() const {
  return open_ ? open_->work.recompute : std::vector<std::string>();
}

absl::Status Resume::Load() {
  open_.reset();
  ASSIGN_OR_RETURN(const pg::Result row,
                   target_.session().Query("SELECT id, argument FROM switchyard.request WHERE "
                                           "stream = $1 AND kind = 'resume' AND state = 'open' "
                                           "ORDER BY id LIMIT 1",
                                           {stream_}));
  if (row.rows() == 0) return absl::OkStatus();
  Request request{.id = row.str(0, 0)};
  ASSIGN_OR_RETURN(request.work, mapping::ResumeWorkFromText(row.text(0, 1)));
  open_ = std::move(request);
  return absl::OkStatus();
}

absl::Status Resume::Step(Recopy& recopy) {
  ASSIGN_OR_RETURN(const std::optional<int64_t> copying, recopy.KeepFrom());
  if (copying) return absl::OkStatus();
  // Those that were derived where the copies were swapped in are up to date.
  if (!recopy.TakeDerived()) RETURN_IF_ERROR(DeriveChanged());
  RETURN_IF_ERROR(target_.session()
                      .Query("UPDATE switchyard.request SET state = 'done', result = 'resumed', "
                             "finished_at = clock_timestamp() WHERE id = $1::bigint",
                             {open_->id})
                      .status());
  return Load();
}

absl::Status Resume::DeriveChanged() {
  const std::vector<std::string>& tables = open_->work.recompute;
  LogInfo("replayer", "deriving tables of the changed mapping",
          {{"stream", stream_}, {"tables", absl::StrCat(tables.size())}});
  RETURN_IF_ERROR(target_.stream().SetDoing("derives anew: " + absl::StrJoin(tables, ", ")));
  RETURN_IF_ERROR(mapping::BuildMirrorIndexes(target_.session(), plan_));
  RETURN_IF_ERROR(target_.RecomputeWhole(tables));
  return target_.stream().SetDoing("");
}

}  // namespace switchyard::replayer
