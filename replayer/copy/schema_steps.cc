#include "replayer/copy/schema_steps.h"

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/mapping/fingerprint.h"
#include "common/pg/settings.h"
#include "common/records/stream/progress.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::replayer {
namespace {

// Of each step, by the fingerprint of its text: the oids of the tables that were filled when it
// ran.
using StepsRun = std::map<std::string, std::string>;

absl::StatusOr<StepsRun> LoadStepsRun(pg::Session& session, const std::string& stream) {
  ASSIGN_OR_RETURN(const std::string lines, records::StreamStore(session, stream).StepsRun());
  StepsRun run;
  for (const auto line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    run.insert(std::pair<std::string, std::string>(absl::StrSplit(line, absl::MaxSplits(' ', 1))));
  }
  return run;
}

absl::StatusOr<std::string> FilledTables(pg::Session& session, const mapping::Plan& plan) {
  std::set<std::string> oids;
  for (const mapping::MappingPlan& mapping : plan.mappings) {
    ASSIGN_OR_RETURN(const pg::Result oid,
                     session.Query("SELECT $1::regclass::oid", {mapping.target}));
    oids.insert(oid.str(0, 0));
  }
  return absl::StrJoin(oids, ",");
}

absl::StatusOr<bool> AllThere(pg::Session& session, const std::string& oids) {
  ASSIGN_OR_RETURN(
      const pg::Result missing,
      session.Query("SELECT count(*) FROM unnest(string_to_array($1, ',')::oid[]) AS t (oid) "
                    "WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.oid)",
                    {oids}));
  return missing.i64(0, 0) == 0;
}

// Its names are looked for where those of mapping SQL are. It may set a path of its own, which is
// not to outlast it; the one before is the transaction's alone.
absl::Status RunStep(pg::Session& session, const std::string& path, const std::string& sql) {
  ASSIGN_OR_RETURN(const pg::Result before, session.Query("SHOW search_path"));
  RETURN_IF_ERROR(session.Execute("SET LOCAL search_path = " + path));
  RETURN_IF_ERROR(session.Execute(sql));
  RETURN_IF_ERROR(session.Execute(absl::StrCat("SET search_path = ", pg::kSearchPath)));
  return session.Query("SELECT pg_catalog.set_config('search_path', $1, true)", {before.str(0, 0)})
      .status();
}

}  // namespace

absl::Status RunSchemaSteps(pg::Session& session, const mapping::Plan& plan,
                            const std::string& stream,
                            const std::vector<std::pair<std::string, std::string>>& steps) {
  ASSIGN_OR_RETURN(StepsRun run, LoadStepsRun(session, stream));
  ASSIGN_OR_RETURN(const std::string tables, FilledTables(session, plan));
  const std::string hint =
      run.empty() ? ""
                  : " (after an earlier copy steps were run that are changed now, or some tables "
                    "were made again; "
                    "what they made is still there, so a step must be able to run twice)";
  records::Step shown = {.steps = static_cast<int>(steps.size())};
  for (const auto& [name, sql] : steps) {
    ++shown.step;
    const std::string step = mapping::Fingerprint().Add(sql).Hex();
    const auto before = run.find(step);
    if (before != run.end()) {
      ASSIGN_OR_RETURN(const bool there, AllThere(session, before->second));
      LogInfo("replayer", there ? "schema step was run already" : "schema step is run again",
              {{"step", name}});
      if (there) continue;
    } else {
      LogInfo("replayer", "schema step after the copy", {{"step", name}});
    }
    shown.work = "after_copy " + name;
    RETURN_IF_ERROR(records::ShowStep(session, shown));
    RETURN_IF_ERROR(
        Annotate(RunStep(session, plan.search_path, sql), absl::StrCat("after_copy ", name, hint)));
    run[step] = tables;
  }
  const auto line = absl::PairFormatter(" ");
  return records::StreamStore(session, stream).SetStepsRun(absl::StrJoin(run, "\n", line));
}

}  // namespace switchyard::replayer
