#include "replayer/target/doubt.h"

#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::replayer {
namespace {

std::string NameOf(const mapping::SourcePlan& source) { return source.schema + "." + source.name; }

absl::StatusOr<std::set<int>> Open(pg::Session& session, const mapping::Plan& plan,
                                   const std::string& stream, const std::string& kind) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session.Query("SELECT argument FROM switchyard.request WHERE stream = $1 AND kind = $2 "
                    "AND state = 'open'",
                    {stream, kind}));
  std::set<int> sources;
  for (int i = 0; i < rows.rows(); ++i) {
    for (size_t s = 0; s < plan.sources.size(); ++s) {
      const mapping::SourcePlan& source = plan.sources[s];
      if (rows.text(i, 0) != source.name && rows.text(i, 0) != NameOf(source)) continue;
      sources.insert(static_cast<int>(s));
    }
  }
  return sources;
}

}  // namespace

absl::StatusOr<Doubts> LoadDoubts(pg::Session& session, const mapping::Plan& plan,
                                  const std::string& stream) {
  Doubts doubts;
  ASSIGN_OR_RETURN(doubts.in_doubt, Open(session, plan, stream, "in_doubt"));
  ASSIGN_OR_RETURN(doubts.copied_again, Open(session, plan, stream, "recopy"));
  for (const int source : doubts.in_doubt) {
    if (doubts.copied_again.contains(source)) continue;
    return StillInDoubt(plan.sources[source], "a partition of it was truncated");
  }
  return doubts;
}

absl::Status StoreDoubts(pg::Session& session, const mapping::Plan& plan, const std::string& stream,
                         const std::vector<int>& sources) {
  if (sources.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::set<int> copied_again, Open(session, plan, stream, "recopy"));
  for (const int source : sources) {
    if (!copied_again.contains(source)) {
      return absl::AbortedError(
          absl::StrFormat("the re-copy of %s has ended meanwhile", NameOf(plan.sources[source])));
    }
    RETURN_IF_ERROR(session
                        .Query("INSERT INTO switchyard.request (stream, kind, argument) "
                               "SELECT $1, 'in_doubt', $2 WHERE NOT EXISTS "
                               "(SELECT FROM switchyard.request WHERE stream = $1 AND "
                               " kind = 'in_doubt' AND argument = $2 AND state = 'open')",
                               {stream, NameOf(plan.sources[source])})
                        .status());
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

absl::Status StillInDoubt(const mapping::SourcePlan& source, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrFormat(
      "%1$s holds rows that may be gone from the source, and its changes wait: %2$s; next: "
      "switchyard recopy FILE %1$s",
      NameOf(source), why));
}

}  // namespace switchyard::replayer
