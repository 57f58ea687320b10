#include "operate/mend/recopy.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "capture/capture.h"
#include "capture/publish/log_coverage.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/mapping/install/prepare.h"
#include "common/records/cutover/ownership.h"
#include "common/records/source/capture_streams.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "common/spec/values.h"
#include "operate/connect.h"
#include "operate/log_options.h"
#include "operate/mapping_plan.h"
#include "operate/mend/recopy_request.h"
#include "operate/request.h"
#include "replayer/copy/begin_anew.h"

namespace switchyard::operate {
namespace {

bool IsNamed(const spec::TableName& name, std::string_view schema, std::string_view table) {
  return name.name == table && (name.schema.empty() || name.schema == schema);
}

// What somebody may have meant who names no table that is copied: a partition, or a table of NEW.
Finding WhatItIs(const spec::MigrationFile& file, const catalog::Catalog& catalog,
                 const spec::TableName& name) {
  for (const catalog::Table& table : catalog.tables) {
    const catalog::Table* root = catalog.FindOid(table.root_oid);
    if (root == nullptr || root == &table || !IsNamed(name, table.schema, table.name)) continue;
    return {absl::StrFormat("%s is a partition of %s", table.Display(), root->Display()),
            "switchyard recopy FILE " + root->Display()};
  }
  for (const spec::Mapping& mapping : file.forward.mappings) {
    if (!IsNamed(name, mapping.target.schema, mapping.target.name)) continue;
    std::vector<std::string> sources;
    if (mapping.copy.has_value()) sources.push_back(mapping.copy->ToString());
    for (const spec::TableName& table : mapping.reads) {
      if (table.schema.empty()) sources.push_back(table.ToString());  // else NEW's
    }
    if (sources.empty()) continue;
    return {absl::StrFormat("%s is a table of NEW, made of %s", mapping.target.ToString(),
                            absl::StrJoin(sources, ", ")),
            "copy what it is made of, as in: switchyard recopy FILE " + sources[0]};
  }
  return {};
}

absl::StatusOr<const catalog::Table*> FindTable(const spec::MigrationFile& file,
                                                const catalog::Catalog& catalog,
                                                const std::string& written) {
  const std::optional<spec::TableName> name = spec::ParseTableName(written);
  if (!name.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", written, "\" is no table name; it must be like public.users"));
  }
  std::vector<std::string> known;
  const catalog::Table* found = nullptr;
  for (const catalog::Table& table : catalog.tables) {
    // Part of another that is mapped; one that is mapped alone is a table by itself.
    if (table.root_oid != table.oid && catalog.FindOid(table.root_oid) != nullptr) continue;
    known.push_back(spec::TableName{.schema = table.schema, .name = table.name}.ToString());
    known.push_back(spec::TableName{.name = table.name}.ToString());
    if (!IsNamed(*name, table.schema, table.name)) continue;
    if (found != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s may be %s or %s: write it with its schema", written, found->Display(),
                          table.Display()));
    }
    found = &table;
  }
  if (found != nullptr) return found;
  for (const spec::TableName& name : catalog.missing) {
    if (written != name.ToString() && written != name.name) continue;
    return Refuse(absl::StrCat("OLD has no table ", written, " (any more)"),
                  "where it has another name now, give that one in the migration file, end replay, "
                  "and run: switchyard resume FILE");
  }
  if (const Finding other = WhatItIs(file, catalog, *name); !other.empty()) {
    return WithNextStep(absl::InvalidArgumentError(other.what), other.next);
  }
  const std::string nearest = NearestWord(written, known);
  return absl::InvalidArgumentError(
      absl::StrCat("no mapping reads a table ", written, " of OLD",
                   nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

// A copy of it would wait for ever: the installed mapping reads the table that had its name.
absl::Status RefuseAnotherTable(pg::Session& new_session, const std::string& stream,
                                const catalog::Table& table) {
  ASSIGN_OR_RETURN(const records::InstalledMapping mapping,
                   records::StreamStore(new_session, stream).Mapping());
  if (mapping.catalog.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const catalog::Catalog installed, catalog::CatalogFromJson(mapping.catalog));
  for (const catalog::Table& known : installed.tables) {
    if (known.schema != table.schema || known.name != table.name) continue;
    if (known.oid == table.oid) return absl::OkStatus();
    return Refuse(
        absl::StrFormat(
            "%s of OLD is another table than the one that is mapped: it was made again, "
            "or took its name",
            table.Display()),
        "run, as OLD's owner, what `switchyard check FILE --print-setup` prints, end replay and "
        "start capture again, run: switchyard resume FILE, then start replay");
  }
  return absl::OkStatus();
}

// As when OLD was restored from a backup of before it.
absl::Status RefuseOldWithoutSetup(pg::Session& old_session) {
  ASSIGN_OR_RETURN(const bool there, records::CaptureStreams(old_session, "").IsThere());
  if (there) return absl::OkStatus();
  return Refuse("OLD has no tables of Switchyard",
                "run, as OLD's owner, what `switchyard check FILE --print-setup` prints, then run "
                "this again");
}

// The slot goes to nobody while what it stands for is being forgotten.
absl::Status RefuseRunningCapture(pg::Session& old_session, const records::Stream& stream) {
  ASSIGN_OR_RETURN(const pg::Result slot,
                   old_session.Query("SELECT active_pid FROM pg_replication_slots WHERE slot_name "
                                     "= $1 AND active",
                                     {stream.slot}));
  if (slot.rows() == 0) return absl::OkStatus();
  return Refuse(absl::StrFormat("capture still streams from slot %s (backend %s of OLD)",
                                stream.slot, slot.text(0, 0)),
                "end it first, with every standby, then run this again");
}

absl::StatusOr<int64_t> NextOffset(eventlog::EventLog& log, const std::string& topic) {
  const absl::StatusOr<eventlog::TopicInfo> info = log.Describe(topic);
  if (absl::IsNotFound(info.status())) return 0;  // it will be made
  RETURN_IF_ERROR(info.status());
  return info->next;
}

// One that nobody has written with: what a capture that was thought dead still writes is older.
absl::StatusOr<uint64_t> UnusedEpoch(pg::Session& old_session, pg::Session& new_session,
                                     eventlog::EventLog& log, const records::Stream& stream,
                                     const Cancel& cancel) {
  ASSIGN_OR_RETURN(const auto begun, records::CaptureStreams(old_session, stream.name).Load());
  ASSIGN_OR_RETURN(const records::StreamState applied,
                   records::StreamStore(new_session, stream.name).Load());
  uint64_t epoch = applied.position.epoch;
  if (begun.has_value()) epoch = std::max(epoch, begun->epoch);
  const auto coverage = capture::FindLogCoverage(log, stream.change_topic, cancel);
  if (!coverage.ok() && !absl::IsNotFound(coverage.status())) return coverage.status();
  if (coverage.ok()) epoch = std::max(epoch, coverage->epoch);
  return epoch + 1;
}

// Its tables have what nobody else has.
absl::Status RefuseWhereNewOwns(pg::ControlSession& session, const std::string& migration) {
  ASSIGN_OR_RETURN(const std::optional<records::Ownership> row,
                   records::NewOwnership(session, migration).Load());
  if (!row.has_value() || row->owner == records::Side::kOld) return absl::OkStatus();
  return Refuse(
      absl::StrFormat("NEW owns since %s (epoch %d): a copy of OLD would take the place of "
                      "what its application wrote",
                      absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", row->changed, absl::UTCTimeZone()),
                      row->owner_epoch),
      "switchyard status FILE shows both streams; give OLD its side back first");
}

}  // namespace

absl::StatusOr<RecopyReport> Recopy(const spec::MigrationFile& file, const RecopyOptions& options,
                                    const Cancel& cancel) {
  const records::Stream stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(const auto old_session, ConnectTo(file.old_db, "old", cancel));
  ASSIGN_OR_RETURN(const auto new_session, ConnectTo(file.new_db, "new", cancel));
  ASSIGN_OR_RETURN(const auto control, ConnectControl(file.new_db, "new", cancel));
  RETURN_IF_ERROR(RequireStream(*control, stream.name));
  ASSIGN_OR_RETURN(const catalog::Catalog catalog, LoadSourceCatalog(stream, *old_session));
  ASSIGN_OR_RETURN(const catalog::Table* table, FindTable(file, catalog, options.table));
  RETURN_IF_ERROR(RefuseAnotherTable(*new_session, stream.name, *table));
  ASSIGN_OR_RETURN(const int64_t request,
                   RequestRecopy(*old_session, *new_session, stream,
                                 {.schema = table->schema, .name = table->name}));
  RecopyReport report = {.stream = stream.name, .table = table->Display(), .request = request};
  if (!options.wait.has_value()) return report;
  records::Requests requests(*control, stream.name);
  ASSIGN_OR_RETURN(report.answer, AwaitAnswer(requests, request, *options.wait, cancel));
  return report;
}

absl::StatusOr<RecopyAllReport> RecopyAll(const spec::MigrationFile& file, const Cancel& cancel) {
  const records::Stream stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(const auto old_session, ConnectTo(file.old_db, "old", cancel));
  ASSIGN_OR_RETURN(const auto new_session, ConnectTo(file.new_db, "new", cancel));
  ASSIGN_OR_RETURN(const auto control, ConnectControl(file.new_db, "new", cancel));
  RETURN_IF_ERROR(RequireStream(*control, stream.name));
  RETURN_IF_ERROR(RefuseWhereNewOwns(*control, file.name));
  RETURN_IF_ERROR(RefuseOldWithoutSetup(*old_session));
  RETURN_IF_ERROR(RefuseRunningCapture(*old_session, stream));
  ASSIGN_OR_RETURN(const mapping::PreparedMapping compiled,
                   mapping::CompileMapping(file, stream, cancel));
  ASSIGN_OR_RETURN(const auto log, OpenLog(file, cancel));
  replayer::TopicEnds ends;
  ASSIGN_OR_RETURN(ends.change, NextOffset(*log, stream.change_topic));
  ASSIGN_OR_RETURN(ends.copy, NextOffset(*log, stream.copy_topic));
  ASSIGN_OR_RETURN(ends.epoch, UnusedEpoch(*old_session, *new_session, *log, stream, cancel));
  ASSIGN_OR_RETURN(const std::string dsn, file.new_db.Dsn());
  const absl::Status emptied =
      replayer::BeginAnew({.dsn = dsn, .stream = stream.name}, compiled.plan, ends, cancel);
  if (absl::IsAlreadyExists(emptied)) {
    return Refuse(StdSv(emptied.message()),
                  "end it first, with every standby, then run this again");
  }
  RETURN_IF_ERROR(Annotate(emptied, "new"));
  RETURN_IF_ERROR(Annotate(capture::Capture::BeginAnew(*old_session, stream, ends.epoch), "old"));
  return RecopyAllReport{.stream = stream.name,
                         .tables = static_cast<int64_t>(compiled.plan.sources.size())};
}

}  // namespace switchyard::operate
