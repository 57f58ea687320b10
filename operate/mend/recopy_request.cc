#include "operate/mend/recopy_request.h"

#include "capture/capture.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/records/requests.h"

namespace switchyard::operate {
namespace {

std::string Argument(const spec::TableName& table) { return table.schema + "." + table.name; }

// A copy that is under way may be of another shape: only one that begins from now on counts.
absl::Status AskOld(pg::Session& old_session, pg::Session& new_session,
                    const records::Stream& stream, int64_t request, const spec::TableName& table) {
  records::Requests requests(new_session, stream.name);
  ASSIGN_OR_RETURN(const pg::Result now, old_session.Query("SELECT pg_current_wal_insert_lsn()"));
  ASSIGN_OR_RETURN(const Lsn from, Lsn::Parse(now.text(0, 0)));
  RETURN_IF_ERROR(requests.CountFrom(request, from));
  const absl::Status asked = capture::Capture::Recopy(old_session, stream, table);
  const absl::Status noted =
      asked.ok() ? requests.NoteSourceAsked(request)
                 : requests.Answer(request, records::RequestState::kFailed,
                                   TextOf(FindingOf(pg::WithNextStepFor(asked), "")));
  RETURN_IF_ERROR(asked);
  return noted;
}

}  // namespace

absl::StatusOr<int64_t> RequestRecopy(pg::Session& old_session, pg::Session& new_session,
                                      const records::Stream& stream, const spec::TableName& table) {
  // NEW first: the position kept here must lie before the copy's own point. A request that is open
  // is taken up again; one that ended before OLD was asked is asked of OLD now.
  ASSIGN_OR_RETURN(const records::Requests::Recopy request,
                   records::Requests(new_session, stream.name).AskRecopy(Argument(table)));
  if (!request.source_asked) {
    RETURN_IF_ERROR(AskOld(old_session, new_session, stream, request.id, table));
  }
  return request.id;
}

absl::StatusOr<std::vector<std::string>> AskForOpenCopies(pg::Session& old_session,
                                                          pg::Session& new_session,
                                                          const records::Stream& stream,
                                                          const mapping::Plan& plan) {
  std::vector<std::string> tables;
  for (const mapping::SourcePlan& source : plan.sources) {
    const spec::TableName table = {.schema = source.schema, .name = source.name};
    ASSIGN_OR_RETURN(const auto open,
                     records::Requests(new_session, stream.name).OpenRecopies(Argument(table)));
    for (const records::Requests::Recopy& recopy : open) {
      if (recopy.source_asked) continue;
      RETURN_IF_ERROR(AskOld(old_session, new_session, stream, recopy.id, table));
    }
    if (!open.empty()) tables.push_back(Argument(table));
  }
  return tables;
}

}  // namespace switchyard::operate
