#include "replayer/resume.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/log.h"
#include "common/mapping/install/install.h"
#include "common/records/requests.h"

namespace switchyard::replayer {

Resume::Resume(std::string stream, PgTarget& target, const mapping::Plan& plan)
    : stream_(std::move(stream)), target_(target), plan_(plan) {}

std::vector<std::string> Resume::tables() const {
  return open_ ? open_->work.recompute : std::vector<std::string>();
}

absl::Status Resume::Load() {
  open_.reset();
  ASSIGN_OR_RETURN(
      const auto open,
      records::Requests(target_.session(), stream_).Open(records::RequestKind::kResume));
  if (open.empty()) return absl::OkStatus();
  Request request{.id = open[0].id};
  ASSIGN_OR_RETURN(request.work, mapping::ResumeWorkFromText(open[0].argument));
  open_ = std::move(request);
  return absl::OkStatus();
}

absl::Status Resume::Step(Recopy& recopy) {
  ASSIGN_OR_RETURN(const std::optional<int64_t> copying, recopy.KeepFrom());
  if (copying) return absl::OkStatus();
  // Those that were derived where the copies were swapped in are up to date.
  if (!recopy.TakeDerived()) RETURN_IF_ERROR(DeriveChanged());
  RETURN_IF_ERROR(records::Requests(target_.session(), stream_)
                      .Answer(open_->id, records::RequestState::kDone, "resumed"));
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
