#include "replayer/target/doubt.h"

#include <map>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/copies.h"
#include "common/records/requests.h"
#include "common/records/stream/stream_store.h"

namespace switchyard::replayer {

using mapping::SourceIndex;
using records::RequestKind;
using records::Requests;

namespace {

std::string NameOf(const mapping::SourcePlan& source) { return source.schema + "." + source.name; }

// By source: what the newest open request of the kind has as its result.
absl::StatusOr<std::map<SourceIndex, std::string>> Open(pg::Session& session,
                                                        const mapping::Plan& plan,
                                                        const std::string& stream,
                                                        RequestKind kind) {
  ASSIGN_OR_RETURN(const auto requests, Requests(session, stream).Open(kind));
  std::map<SourceIndex, std::string> sources;
  for (const records::Request& request : requests) {
    for (const SourceIndex s : plan.source_indices()) {
      const mapping::SourcePlan& source = plan.sources[s];
      if (request.argument != source.name && request.argument != NameOf(source)) continue;
      sources[s] = request.result;
    }
  }
  return sources;
}

std::set<SourceIndex> Sources(const std::map<SourceIndex, std::string>& open) {
  std::set<SourceIndex> sources;
  for (const auto& [source, result] : open) sources.insert(source);
  return sources;
}

}  // namespace

absl::StatusOr<Doubts> LoadDoubts(pg::Session& session, const mapping::Plan& plan,
                                  const std::string& stream) {
  ASSIGN_OR_RETURN(const auto in_doubt, Open(session, plan, stream, RequestKind::kInDoubt));
  ASSIGN_OR_RETURN(const auto copied_again, Open(session, plan, stream, RequestKind::kRecopy));
  for (const auto& [source, why] : in_doubt) {
    if (copied_again.contains(source)) continue;
    const Finding doubt = ParseFinding(why);
    return Refuse(doubt.what, doubt.next);
  }
  return Doubts{.in_doubt = Sources(in_doubt), .copied_again = Sources(copied_again)};
}

absl::Status StoreDoubts(pg::Session& session, const mapping::Plan& plan, const std::string& stream,
                         const changes::Batch& batch) {
  if (batch.unreadable) {
    RETURN_IF_ERROR(
        Requests(session, stream)
            .Doubt(NameOf(plan.sources[batch.unreadable->source]), batch.unreadable->why));
  }
  if (batch.in_doubt.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto copied_again, Open(session, plan, stream, RequestKind::kRecopy));
  for (const SourceIndex source : batch.in_doubt) {
    if (!copied_again.contains(source)) {
      return absl::AbortedError(
          absl::StrFormat("the re-copy of %s has ended meanwhile", NameOf(plan.sources[source])));
    }
    const std::string table = NameOf(plan.sources[source]);
    RETURN_IF_ERROR(
        Requests(session, stream)
            .Doubt(table, TextOf({absl::StrFormat("a partition of %s was truncated, and no copy of "
                                                  "it is asked for",
                                                  table),
                                  "switchyard recopy FILE " + table})));
  }
  return records::StreamStore(session, stream).CatchUp();
}

absl::StatusOr<bool> EndDoubt(pg::Session& session, const mapping::SourcePlan& source,
                              const std::string& stream) {
  return Requests(session, stream).EndDoubt(NameOf(source));
}

absl::Status AnswerLoaded(pg::Session& session, const mapping::Plan& plan,
                          const std::string& stream) {
  ASSIGN_OR_RETURN(const auto copied_again, Open(session, plan, stream, RequestKind::kRecopy));
  for (const auto& [index, result] : copied_again) {
    const mapping::SourcePlan& source = plan.sources[index];
    ASSIGN_OR_RETURN(const std::optional<Lsn> point,
                     records::Copies(session, stream).OldestPoint(source.relation_ids));
    if (!point.has_value()) continue;
    ASSIGN_OR_RETURN(const bool loaded,
                     Requests(session, stream).AnswerLoaded({source.name, NameOf(source)}, *point));
    if (loaded) RETURN_IF_ERROR(EndDoubt(session, source, stream).status());
  }
  return absl::OkStatus();
}

absl::Status StayInDoubt(pg::Session& session, const mapping::SourcePlan& source,
                         const std::string& stream, const Finding& why) {
  const std::string table = NameOf(source);
  const Finding doubt = {
      absl::StrFormat("NEW does not show %s as OLD has it, its changes are left out, and the copy "
                      "that was to mend it failed: %s",
                      table, why.what),
      why.next.empty()
          ? absl::StrFormat("mend that, run: switchyard recopy FILE %s, and start the replayer "
                            "again",
                            table)
          : why.next};
  return Requests(session, stream).ExplainDoubt(table, TextOf(doubt));
}

}  // namespace switchyard::replayer
