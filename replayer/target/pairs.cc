#include "replayer/target/pairs.h"

#include "common/base/log.h"
#include "common/records/id_map.h"
#include "common/records/quarantine_entries.h"
#include "replayer/write/patch_writer.h"

namespace switchyard::replayer {

absl::Status TakePairs(Stage& stage, const std::string& stream, Breadth breadth, Lsn lsn) {
  const mapping::PairsPlan& pairs = stage.plan().pairs;
  const bool all = breadth == Breadth::kAll;
  const std::string& rows = all ? pairs.all : pairs.changed;
  RETURN_IF_ERROR(
      Annotate(stage.Run(all ? pairs.take_all : pairs.take_changed), records::kIdMapTarget));
  ASSIGN_OR_RETURN(
      const int64_t parked,
      records::QuarantineEntries(stage.session(), stream)
          .AddPairs(
              rows, records::HasPairSql("sy_p.kind", "sy_p.old_id", "sy_p.new_id"), lsn,
              {.sqlstate = kConflict, .primary = "one of the two ids has another partner here"}));
  if (parked == 0) return absl::OkStatus();
  LogError("replayer", "pairs of ids put in quarantine",
           {{"stream", stream},
            {"pairs", std::to_string(parked)},
            {"next",
             "switchyard quarantine FILE list names them; mend the map on the side that is "
             "wrong, then: switchyard quarantine FILE retry"}});
  return absl::OkStatus();
}

absl::Status TakePairsAgain(Stage& stage, const std::string& stream, Lsn lsn) {
  records::QuarantineEntries entries(stage.session(), stream);
  const std::string there = records::HasPairSql("(image ->> 'kind')", "(image ->> 'old_id')",
                                                "(image ->> 'new_id')::uuid");
  RETURN_IF_ERROR(stage.Run(stage.plan().pairs.take_all));
  RETURN_IF_ERROR(entries.ForgetPairs(there));
  return TakePairs(stage, stream, Breadth::kAll, lsn);
}

}  // namespace switchyard::replayer
