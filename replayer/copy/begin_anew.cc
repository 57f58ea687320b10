#include "replayer/copy/begin_anew.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"
#include "common/mapping/install/write_order.h"
#include "common/records/copies.h"
#include "common/records/copy_lanes.h"
#include "common/records/mark.h"
#include "common/records/missed_rows.h"
#include "common/records/proof/parity_results.h"
#include "common/records/quarantine_entries.h"
#include "common/records/relations.h"
#include "common/records/requests.h"
#include "common/records/stream/stream_store.h"
#include "replayer/copy/held_copy.h"
#include "replayer/target/write_path.h"

namespace switchyard::replayer {
namespace {

// Types in the mirror's schema may have changed on the source too.
std::string DropMirrorTypes(const std::string& mirror_schema) {
  constexpr char kDrop[] = R"(
  DECLARE type text;
  BEGIN
    FOR type IN SELECT format('%%I.%%I', n.nspname, t.typname)
                FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                LEFT JOIN pg_class c ON c.oid = t.typrelid
                WHERE n.nspname = %s
                  AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
    LOOP
      EXECUTE 'DROP TYPE IF EXISTS ' || type || ' CASCADE';
    END LOOP;
  END)";
  return absl::StrCat("DO ", QuoteLiteral(absl::StrFormat(kDrop, QuoteLiteral(mirror_schema))));
}

// Children first, and what refers in a circle at the commit: where foreign keys hold.
absl::Status EmptyTables(pg::Session& session, const mapping::Plan& plan,
                         const std::string& write_path) {
  ASSIGN_OR_RETURN(const mapping::TargetRules rules, mapping::LoadTargetRules(session, plan));
  RETURN_IF_ERROR(session.Execute("SET CONSTRAINTS ALL DEFERRED"));
  if (!write_path.empty()) {
    RETURN_IF_ERROR(session.Execute("SET LOCAL search_path = " + write_path));
  }
  for (const mapping::MappingIndex m :
       mapping::Backwards(mapping::OrderWrites(plan, rules).order)) {
    const mapping::MappingPlan& mapping = plan.mappings[m];
    if (mapping.keyed.patch.on) continue;  // no copy ever filled it
    const std::string owned = mapping.owned.empty() ? "" : " WHERE " + mapping.owned;
    RETURN_IF_ERROR(Annotate(session.Execute("DELETE FROM " + mapping.target + owned),
                             "emptying " + mapping.display));
  }
  RETURN_IF_ERROR(DropHeld(session, plan));
  for (const mapping::SourcePlan& source : plan.sources) {
    const std::string mirror = QuoteQualified(plan.mirror_schema, source.alias);
    RETURN_IF_ERROR(Annotate(session.Execute("DROP TABLE IF EXISTS " + mirror + " CASCADE"),
                             "dropping the mirror of " + source.name));
  }
  return session.Execute(DropMirrorTypes(plan.mirror_schema));
}

absl::Status ForgetPosition(pg::Session& session, const std::string& stream,
                            const TopicEnds& ends) {
  RETURN_IF_ERROR(records::Copies(session, stream).Forget());
  RETURN_IF_ERROR(records::CopyLanes(session, stream).End());
  RETURN_IF_ERROR(records::Relations(session, stream).Forget());
  RETURN_IF_ERROR(records::ForgetAllMissedRows(session, stream));
  RETURN_IF_ERROR(records::ParityResults(session, stream).ForgetAll());
  RETURN_IF_ERROR(records::QuarantineEntries(session, stream).ForgetAll());
  RETURN_IF_ERROR(records::Requests(session, stream).BeginAnew("everything is copied again"));
  return records::StreamStore(session, stream)
      .BeginAnew({.epoch = ends.epoch, .next_offset = ends.change}, ends.copy);
}

}  // namespace

absl::Status BeginAnew(const PgTargetOptions& options, const mapping::Plan& plan,
                       const TopicEnds& ends, const Cancel& cancel) {
  bool silent = false;
  ASSIGN_OR_RETURN(const auto session, OpenExclusively(options, cancel, &silent));
  ASSIGN_OR_RETURN(const std::string path, WritePath(*session, plan, silent));
  records::Gate gate(*session, options.stream);
  RETURN_IF_ERROR(gate.Claim({records::kResumes}));
  return session->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(gate.Pass(records::kResumes));
    // Waits for what a lane of a killed replayer may still be committing.
    RETURN_IF_ERROR(records::CopyLanes(*session, options.stream).Lock().status());
    RETURN_IF_ERROR(EmptyTables(*session, plan, path));
    return ForgetPosition(*session, options.stream, ends);
  });
}

}  // namespace switchyard::replayer
