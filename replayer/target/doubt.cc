#include "replayer/target/doubt.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/next_step.h"
#include "common/base/strings.h"

namespace switchyard::replayer {
namespace {

std::string NameOf(const mapping::SourcePlan& source) { return source.schema + "." + source.name; }

// By source: what the newest open request of the kind has as its result.
absl::StatusOr<std::map<int, std::string>> Open(pg::Session& session, const mapping::Plan& plan,
                                                const std::string& stream,
                                                const std::string& kind) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query("SELECT argument, result FROM switchyard.request WHERE stream = $1 AND "
                    "kind = $2 AND state = 'open' ORDER BY id",
                    {stream, kind}));
  std::map<int, std::string> sources;
  for (int i = 0; i < rows.rows(); ++i) {
    for (size_t s = 0; s < plan.sources.size(); ++s) {
      const mapping::SourcePlan& source = plan.sources[s];
      if (rows.text(i, 0) != source.name && rows.text(i, 0) != NameOf(source)) continue;
      sources[static_cast<int>(s)] = rows.str(i, 1);
    }
  }
  return sources;
}

std::set<int> Sources(const std::map<int, std::string>& open) {
  std::set<int> sources;
  for (const auto& [source, result] : open) sources.insert(source);
  return sources;
}

absl::Status Store(pg::Session& session, const std::string& stream,
                   const mapping::SourcePlan& source, const std::string& why) {
  return session
      .Query(
          "WITH known AS (UPDATE switchyard.request SET result = $3 WHERE stream = $1 AND "
          "kind = 'in_doubt' AND argument = $2 AND state = 'open' RETURNING id) "
          "INSERT INTO switchyard.request (stream, kind, argument, result) "
          "SELECT $1, 'in_doubt', $2, $3 WHERE NOT EXISTS (SELECT FROM known)",
          {stream, NameOf(source), why})
      .status();
}

}  // namespace

absl::StatusOr<Doubts> LoadDoubts(pg::Session& session, const mapping::Plan& plan,
                                  const std::string& stream) {
  ASSIGN_OR_RETURN(const auto in_doubt, Open(session, plan, stream, "in_doubt"));
  ASSIGN_OR_RETURN(const auto copied_again, Open(session, plan, stream, "recopy"));
  for (const auto& [source, why] : in_doubt) {
    if (!copied_again.contains(source)) return absl::FailedPreconditionError(why);
  }
  return Doubts{.in_doubt = Sources(in_doubt), .copied_again = Sources(copied_again)};
}

absl::Status StoreDoubts(pg::Session& session, const mapping::Plan& plan, const std::string& stream,
                         const changes::Batch& batch) {
  if (batch.unreadable) {
    RETURN_IF_ERROR(
        Store(session, stream, plan.sources[batch.unreadable->source], batch.unreadable->why));
  }
  if (batch.in_doubt.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto copied_again, Open(session, plan, stream, "recopy"));
  for (const int source : batch.in_doubt) {
    if (!copied_again.contains(source)) {
      return absl::AbortedError(
          absl::StrFormat("the re-copy of %s has ended meanwhile", NameOf(plan.sources[source])));
    }
    RETURN_IF_ERROR(
        Store(session, stream, plan.sources[source],
              absl::StrFormat("a partition of %1$s was truncated, and no copy of it is asked for; "
                              "next: switchyard recopy FILE %1$s",
                              NameOf(plan.sources[source]))));
  }
  return session
      .Query("UPDATE switchyard.stream SET state = 'catching_up' WHERE name = $1", {stream})
      .status();
}

absl::StatusOr<bool> EndDoubt(pg::Session& session, const mapping::SourcePlan& source,
                              const std::string& stream) {
  ASSIGN_OR_RETURN(
      const pg::Result ended,
      session.Query("UPDATE switchyard.request SET state = 'done', finished_at = "
                    "clock_timestamp() WHERE stream = $1 AND kind = 'in_doubt' AND argument = $2 "
                    "AND state = 'open'",
                    {stream, NameOf(source)}));
  return ended.affected() > 0;
}

absl::Status AnswerLoaded(pg::Session& session, const mapping::Plan& plan,
                          const std::string& stream) {
  ASSIGN_OR_RETURN(const auto copied_again, Open(session, plan, stream, "recopy"));
  for (const auto& [index, result] : copied_again) {
    const mapping::SourcePlan& source = plan.sources[index];
    ASSIGN_OR_RETURN(
        const pg::Result loaded,
        session.Query(
            "UPDATE switchyard.request SET state = 'done', result = 'loaded with the first copy', "
            "finished_at = clock_timestamp() WHERE stream = $1 AND kind = 'recopy' AND "
            "state = 'open' AND argument IN ($2, $3) AND source_lsn > '0/0' AND source_lsn <= "
            "(SELECT min(lsn) FROM switchyard.copy WHERE stream = $1 AND NOT gone AND "
            " relation_id = ANY($4::oid[]))",
            {stream, source.name, NameOf(source),
             absl::StrCat("{", absl::StrJoin(source.relation_ids, ","), "}")}));
    if (loaded.affected() > 0) RETURN_IF_ERROR(EndDoubt(session, source, stream).status());
  }
  return absl::OkStatus();
}

absl::Status StayInDoubt(pg::Session& session, const mapping::SourcePlan& source,
                         const std::string& stream, const std::string& why) {
  const std::string table = NameOf(source);
  const NextStep failed = SplitNextStep(
      why, absl::StrFormat(
               "mend that, run: switchyard recopy FILE %s, and start the replayer again", table));
  return session
      .Query(
          "UPDATE switchyard.request SET result = $3 WHERE stream = $1 AND kind = 'in_doubt' AND "
          "argument = $2 AND state = 'open'",
          {stream, table,
           absl::StrFormat("NEW does not show %s as OLD has it, its changes are left out, and the "
                           "copy that was to mend it failed: %s; next: %s",
                           table, failed.what, failed.next)})
      .status();
}

}  // namespace switchyard::replayer
