#include "operate/mend/resume.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "capture/capture.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"
#include "common/mapping/install/install.h"
#include "common/mapping/install/prepare.h"
#include "common/mapping/plan_change.h"
#include "common/records/source/captured_tables.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "operate/connect.h"
#include "operate/enum_labels.h"
#include "operate/mend/recopy_request.h"
#include "operate/request.h"
#include "replayer/target/pg_target.h"

namespace switchyard::operate {
namespace {

// A table that capture does not follow yet can't be copied while streaming.
absl::Status RefuseUnknownTables(pg::Session& old_session, const std::string& stream,
                                 const mapping::Plan& plan, const mapping::PlanChange& change) {
  for (const mapping::SourcePlan& source : plan.sources) {
    const std::string table = source.schema + "." + source.name;
    if (std::ranges::count(change.recopy, table) == 0) continue;
    // Another table may have had the name.
    ASSIGN_OR_RETURN(
        const bool known,
        records::CapturedTables(old_session, stream).Follows(source.relation_id, table));
    if (known) continue;
    return Refuse(absl::StrFormat("capture does not follow %s yet", table),
                  "run, as OLD's owner, what `switchyard check FILE --print-setup` prints, start "
                  "capture again with this file, then run: switchyard resume FILE");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ResumeReport> Resume(const spec::MigrationFile& file, const Cancel& cancel) {
  const records::Stream stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(const auto old_session, ConnectTo(file.old_db, "old", cancel));
  ASSIGN_OR_RETURN(const auto new_session, ConnectTo(file.new_db, "new", cancel));
  ASSIGN_OR_RETURN(const auto control, ConnectControl(file.new_db, "new", cancel));
  RETURN_IF_ERROR(RequireStream(*control, stream.name));
  ASSIGN_OR_RETURN(const std::string dsn, file.new_db.Dsn());
  // Held until the end, so that no replayer starts with half of the change.
  const auto lock = replayer::OpenExclusively({.dsn = dsn, .stream = stream.name}, cancel);
  if (absl::IsAlreadyExists(lock.status())) {
    return Refuse(absl::StrCat(lock.status().message(), ": it goes on with the mapping it has"),
                  "end it, then run this again");
  }
  RETURN_IF_ERROR(Annotate(lock.status(), "new"));
  ASSIGN_OR_RETURN(const mapping::PreparedMapping compiled,
                   mapping::CompileMapping(file, stream, cancel));
  ASSIGN_OR_RETURN(
      const mapping::PlanChange change,
      mapping::InstalledChange(*new_session, stream.name, compiled.plan, compiled.source));
  RETURN_IF_ERROR(RefuseUnknownTables(*old_session, stream.name, compiled.plan, change));
  RETURN_IF_ERROR(mapping::PrepareMapping(file, stream, {.refresh = true}, cancel).status());
  ASSIGN_OR_RETURN(const std::vector<std::string> copied_again,
                   AskForOpenCopies(*old_session, *new_session, stream, compiled.plan));
  std::vector<uint32_t> mapped;
  for (const mapping::SourcePlan& source : compiled.plan.sources) {
    mapped.push_back(source.relation_id);
  }
  RETURN_IF_ERROR(capture::Capture::ForgetSuspects(*old_session, stream, mapped));
  RETURN_IF_ERROR(records::StreamStore(*new_session, stream.name).Resume());
  ASSIGN_OR_RETURN(const catalog::Catalog target,
                   catalog::LoadCatalog(*new_session, catalog::TargetTables(file.forward), {}));
  return ResumeReport{.stream = stream.name,
                      .changed = change.changed,
                      .added = change.added,
                      .removed = change.removed,
                      .copied_again = copied_again,
                      .derived_again = change.recompute,
                      .warnings = MissingLabels(file.forward, compiled.source, target)};
}

}  // namespace switchyard::operate
