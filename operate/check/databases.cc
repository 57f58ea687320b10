#include "operate/check/databases.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "capture/source/failover.h"
#include "capture/source/source_setup.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"
#include "common/mapping/install/after_copy_check.h"
#include "common/mapping/install/analyze.h"
#include "common/mapping/install/install.h"
#include "common/mapping/install/target_setup.h"
#include "common/pg/error.h"
#include "common/pg/session.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "cutover/postgres/fence_facts.h"
#include "operate/check/stream.h"
#include "operate/check/write_mode.h"
#include "operate/connect.h"
#include "operate/enum_labels.h"
#include "operate/mapping_plan.h"

namespace switchyard::operate {
namespace {

using operate::CheckFault;
using Where = CheckFault::Where;

// One side of the migration while it is checked.
struct Side {
  Where where;
  std::string_view key;  // "old", "new": as in the file
  std::string name;      // "OLD", "NEW"
  std::unique_ptr<pg::Session> session;
  catalog::Catalog catalog;
};

void Connect(const spec::Endpoint& endpoint, const Cancel& cancel, Side* side,
             operate::CheckReport* report) {
  if (endpoint.dsn_env.empty() && endpoint.dsn_file.empty()) return;  // a fault of the file
  auto session = ConnectTo(endpoint, side->key, cancel);
  if (session.ok()) {
    side->session = *std::move(session);
    return;
  }
  Finding finding = FindingOf(session.status(), "");
  const std::string prefix = std::string(side->key) + ": ";
  if (finding.what.starts_with(prefix)) finding.what.erase(0, prefix.size());
  const bool mistake = absl::IsInvalidArgument(session.status());
  report->faults.push_back(
      {.where = side->where,
       .message = std::move(finding.what),
       .remedy = std::move(finding.next),
       .kind = mistake ? CheckFault::Kind::kMistake : CheckFault::Kind::kUnreachable});
}

absl::Status LoadTables(const spec::MigrationFile& file, const std::vector<spec::TableName>& names,
                        bool whole, Side* side, operate::CheckReport* report) {
  if (side->session == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(side->catalog,
                   catalog::LoadCatalog(*side->session, names, {.schemas = file.schemas}));
  int64_t bytes = 0;
  for (const catalog::Table& table : side->catalog.tables) bytes += table.bytes;
  std::string fact =
      absl::StrFormat("%s: database %s, Postgres %d.%d", side->name, side->catalog.database,
                      side->catalog.server_version / 10000, side->catalog.server_version % 10000);
  if (whole) {
    const size_t tables = names.size() - side->catalog.missing.size();
    absl::StrAppendFormat(&fact, ", %d mapped table%s, %s", tables, tables == 1 ? "" : "s",
                          HumanBytes(bytes));
  }
  report->facts.push_back(std::move(fact));
  return absl::OkStatus();
}

// Those that could be read, of a file with faults.
std::vector<spec::TableName> Named(std::vector<spec::TableName> names) {
  std::erase_if(names, [](const spec::TableName& name) { return name.name.empty(); });
  return names;
}

// What capture needs of OLD: rights, publication, settings.
absl::Status CheckSource(const spec::MigrationFile& file, bool whole, const Cancel& cancel,
                         Side& old_side, operate::CheckReport* report) {
  if (old_side.session == nullptr) return absl::OkStatus();
  capture::SourceOptions options = {.whole = whole,
                                    .failover = file.capture.failover.value_or(false)};
  if (!file.name.empty()) options.stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(const pg::Result slot,
                   old_side.session->Query("SELECT FROM pg_replication_slots WHERE slot_name = $1",
                                           {options.stream.slot}));
  // Missing tables are reported already, with the names they may have meant.
  catalog::Catalog there = old_side.catalog;
  there.missing.clear();
  ASSIGN_OR_RETURN(const std::vector<capture::SourceFault> faults,
                   capture::VerifySource(*old_side.session, options, there, slot.rows() > 0));
  for (const capture::SourceFault& fault : faults) {
    report->faults.push_back(
        {.where = Where::kOld, .message = fault.finding.what, .remedy = fault.finding.next});
  }
  for (const std::string& note : capture::VersionNotes(old_side.catalog)) {
    report->facts.push_back("OLD: " + note);
  }
  if (file.name.empty()) return absl::OkStatus();
  if (options.failover) {
    ASSIGN_OR_RETURN(const capture::FailoverNotes notes,
                     capture::LoadFailoverNotes(*old_side.session, options.stream.slot));
    for (const std::string& fact : notes.facts) report->facts.push_back("OLD: " + fact);
    for (const std::string& warning : notes.warnings) report->warnings.push_back("OLD: " + warning);
  }
  return CheckStream(file, options.stream, old_side.catalog, cancel, *old_side.session, report);
}

// Fine to check before `resume`, which a running stream needs.
absl::Status WarnOfAnotherMapping(const std::string& stream, const mapping::Plan& plan,
                                  pg::Session& session, operate::CheckReport* report) {
  ASSIGN_OR_RETURN(const records::InstalledMapping known,
                   records::StreamStore(session, stream).Mapping());
  if (known.fingerprint.empty() || known.fingerprint == plan.fingerprint) return absl::OkStatus();
  report->warnings.push_back(absl::StrFormat(
      "stream %s works with another mapping (fingerprint %s, now %s); if the change is meant, end "
      "replay and run: switchyard resume FILE",
      stream, known.fingerprint, plan.fingerprint));
  return absl::OkStatus();
}

// Before the first start the tables a mapping fills must be its own.
absl::Status CheckTargetsEmpty(const spec::MigrationFile& file, const mapping::Plan& plan,
                               pg::Session& session, operate::CheckReport* report) {
  const std::string stream = records::ForwardOf(file).name;
  ASSIGN_OR_RETURN(const bool begun, IsInstalled(session, stream));
  if (begun) return WarnOfAnotherMapping(stream, plan, session, report);
  if (const absl::Status alone = mapping::RefuseSecondStream(session, stream); !alone.ok()) {
    if (!absl::IsFailedPrecondition(alone)) return alone;
    Finding finding = FindingOf(alone, "");
    report->faults.push_back({.where = Where::kNew,
                              .message = std::move(finding.what),
                              .remedy = std::move(finding.next)});
    return absl::OkStatus();  // the tables it fills are not empty either
  }
  for (const mapping::MappingPlan& mapping : plan.mappings) {
    const absl::Status empty = mapping::RefuseForeignRows(session, mapping);
    if (empty.ok()) continue;
    if (!absl::IsFailedPrecondition(empty)) return empty;
    Finding finding = FindingOf(empty, "");
    report->faults.push_back({.where = Where::kNew,
                              .message = std::move(finding.what),
                              .remedy = std::move(finding.next)});
  }
  return absl::OkStatus();
}

// The role that replays fills tables whose statistics only their owner may make.
absl::Status TellOfAnalyze(const mapping::Plan& plan, pg::Session& session,
                           operate::CheckReport* report) {
  std::vector<std::string> tables;
  for (const mapping::MappingPlan& mapping : plan.mappings) tables.push_back(mapping.target);
  ASSIGN_OR_RETURN(const std::string note, mapping::AnalyzeNote(session, tables));
  if (!note.empty()) report->facts.push_back("NEW: " + note);
  return absl::OkStatus();
}

// Without the other side the mapping can't be compiled, which reports them with their place.
void ReportMissing(const Side& side, operate::CheckReport* report) {
  for (const spec::TableName& name : side.catalog.missing) {
    report->faults.push_back(
        {.where = side.where, .message = "there is no table " + name.ToString()});
  }
}

void AddFindings(const spec::MigrationFile& file, const CompileFindings& findings,
                 operate::CheckReport* report) {
  for (const mapping::CompileFault& each : findings.warnings) {
    report->warnings.push_back(absl::StrCat(each.file.empty() ? file.path : each.file, ":",
                                            each.at.line, ":", each.at.column, ": ", each.message));
  }
  for (const mapping::CompileFault& fault : findings.faults) {
    report->faults.push_back(
        {.where = Where::kFile,
         .file = fault.file.empty() ? file.path : fault.file,
         .line = fault.at.line,
         .column = fault.at.column,
         .message = fault.message,
         .kind = fault.right_missing ? CheckFault::Kind::kNotReady : CheckFault::Kind::kMistake});
  }
}

absl::Status CheckMapping(const spec::MigrationFile& file, Side& old_side, Side& new_side,
                          operate::CheckReport* report) {
  if (old_side.session == nullptr || new_side.session == nullptr) {
    ReportMissing(old_side, report);
    ReportMissing(new_side, report);
    return absl::OkStatus();
  }
  CompileFindings findings;
  ASSIGN_OR_RETURN(const std::vector<std::string> source_names, TableNames(*old_side.session));
  const absl::StatusOr<mapping::Plan> plan = CompileForCheck(
      records::ForwardOf(file), old_side.catalog, *new_side.session, source_names, &findings);
  AddFindings(file, findings, report);
  if (!plan.ok()) return findings.faults.empty() ? plan.status() : absl::OkStatus();
  RETURN_IF_ERROR(CheckWriteMode(*plan, *new_side.session, report));
  RETURN_IF_ERROR(TellOfAnalyze(*plan, *new_side.session, report));
  return CheckTargetsEmpty(file, *plan, *new_side.session, report);
}

// What replay needs of NEW.
absl::Status CheckTarget(const spec::MigrationFile& file, Side& new_side,
                         operate::CheckReport* report) {
  if (new_side.session == nullptr) return absl::OkStatus();
  const records::Stream stream = records::ForwardOf(file);
  ASSIGN_OR_RETURN(std::vector<Finding> faults,
                   mapping::VerifyTarget(*new_side.session, stream, new_side.catalog));
  ASSIGN_OR_RETURN(const std::vector<Finding> more,
                   mapping::VerifyAfterCopy(*new_side.session, file.after_copy, stream));
  faults.insert(faults.end(), more.begin(), more.end());
  for (const Finding& fault : faults) {
    report->faults.push_back({.where = Where::kNew, .message = fault.what, .remedy = fault.next});
  }
  return absl::OkStatus();
}

// What a cutover needs of either side, where the file has a way back; nothing that is copied or
// streamed needs it. `tables`: those that the application may write on one side only.
absl::Status WarnOfFence(const spec::MigrationFile& file, Side& side,
                         const std::vector<spec::TableName>& tables, operate::CheckReport* report) {
  if (side.session == nullptr || !file.reverse || file.name.empty()) return absl::OkStatus();
  std::vector<std::string> names;
  for (const catalog::Table& table : side.catalog.tables) {
    const bool mapped = std::ranges::any_of(tables, [&](const spec::TableName& name) {
      return name.name == table.name && (name.schema.empty() || name.schema == table.schema);
    });
    if (mapped && (table.kind == 'r' || table.kind == 'p')) names.push_back(table.Quoted());
  }
  ASSIGN_OR_RETURN(const std::vector<Finding> faults,
                   cutover::FindFenceFaults(*side.session, file.name, names));
  for (const Finding& fault : faults) {
    report->warnings.push_back(absl::StrCat(side.name, ": no cutover yet: ", TextOf(fault)));
  }
  return absl::OkStatus();
}

// False when they are one.
bool AreTwoDatabases(const Side& old_side, const Side& new_side, operate::CheckReport* report) {
  if (old_side.session == nullptr || new_side.session == nullptr) return true;
  const bool same = old_side.catalog.system_identifier == new_side.catalog.system_identifier &&
                    old_side.catalog.database == new_side.catalog.database;
  if (!same) return true;
  report->faults.push_back(
      {.where = Where::kNew,
       .message = absl::StrFormat("old and new are the same database: \"%s\" of the cluster with "
                                  "system identifier %d",
                                  new_side.catalog.database, new_side.catalog.system_identifier),
       .remedy = "name the database with the new schema under new",
       .kind = CheckFault::Kind::kMistake});
  return false;
}

// Each has what the other one lacks: true, and one fault instead of one for each table.
absl::StatusOr<bool> AreSwapped(const spec::MigrationFile& file, Side& old_side, Side& new_side,
                                operate::CheckReport* report) {
  if (old_side.session == nullptr || new_side.session == nullptr) return false;
  if (old_side.catalog.missing.empty() && new_side.catalog.missing.empty()) return false;
  const auto has_all = [&](Side& side,
                           const std::vector<spec::TableName>& names) -> absl::StatusOr<bool> {
    if (names.empty()) return false;
    ASSIGN_OR_RETURN(const catalog::Catalog found,
                     catalog::LoadCatalog(*side.session, names, {.schemas = file.schemas}));
    return found.missing.empty();
  };
  ASSIGN_OR_RETURN(const bool old_has_new, has_all(old_side, Named(TablesOfNew(file.forward))));
  if (!old_has_new) return false;
  ASSIGN_OR_RETURN(const bool new_has_old,
                   has_all(new_side, Named(catalog::SourceTables(file.forward))));
  if (!new_has_old) return false;
  report->faults.push_back({.where = Where::kFile,
                            .file = file.path,
                            .message = absl::StrFormat(
                                "old and new are swapped: database \"%s\", which it calls old, has "
                                "the tables of new, and \"%s\" those of old",
                                old_side.catalog.database, new_side.catalog.database),
                            .remedy = "exchange the connection strings",
                            .kind = CheckFault::Kind::kMistake});
  return true;
}

// What the stream from NEW to OLD needs of both, and whether its mapping fits. Whether OLD's tables
// are empty is not asked: they never are.
absl::Status CheckReverse(const spec::MigrationFile& file, Side& old_side, Side& new_side,
                          operate::CheckReport* report) {
  if (old_side.session == nullptr || new_side.session == nullptr) return absl::OkStatus();
  if (old_side.session->server_version() < mapping::kTargetVersionMin) {
    report->faults.push_back(
        {.where = Where::kOld,
         .message = absl::StrFormat("the file has reverse, which writes OLD, and that is Postgres "
                                    "%d: what is written is 14 or newer",
                                    old_side.session->server_version() / 10000),
         .remedy = "upgrade OLD, or take reverse out of the file"});
    return absl::OkStatus();
  }
  const records::Stream stream = records::ReverseOf(file);
  ASSIGN_OR_RETURN(const catalog::Catalog source, LoadSourceCatalog(stream, *new_side.session));
  ASSIGN_OR_RETURN(const pg::Result slot,
                   new_side.session->Query("SELECT FROM pg_replication_slots WHERE slot_name = $1",
                                           {stream.slot}));
  catalog::Catalog there = source;
  there.missing.clear();  // the compiler says where they are named
  ASSIGN_OR_RETURN(
      const std::vector<capture::SourceFault> lacking,
      capture::VerifySource(*new_side.session, {.stream = stream}, there, slot.rows() > 0));
  for (const capture::SourceFault& fault : lacking) {
    report->faults.push_back(
        {.where = Where::kNew, .message = fault.finding.what, .remedy = fault.finding.next});
  }
  ASSIGN_OR_RETURN(const catalog::Catalog target,
                   catalog::LoadCatalog(*old_side.session, TablesOfNew(*stream.mapping), {}));
  ASSIGN_OR_RETURN(const std::vector<Finding> faults,
                   mapping::VerifyTarget(*old_side.session, stream, target));
  for (const Finding& fault : faults) {
    report->faults.push_back({.where = Where::kOld, .message = fault.what, .remedy = fault.next});
  }
  CompileFindings findings;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, TableNames(*new_side.session));
  const absl::StatusOr<mapping::Plan> plan =
      CompileForCheck(stream, source, *old_side.session, names, &findings);
  AddFindings(file, findings, report);
  return plan.ok() || !findings.faults.empty() ? absl::OkStatus() : plan.status();
}

// `checked` as a warning where it says that a right is missing, which is a fault already.
absl::Status Excused(const absl::Status& checked, operate::CheckReport* report) {
  if (pg::StatusSqlState(checked) != "42501" || report->ok()) return checked;
  report->warnings.push_back(
      absl::StrCat("the mapping is held against both databases once the rights are there (",
                   checked.message(), ")"));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDatabases(const spec::MigrationFile& file, bool whole, const Cancel& cancel,
                            operate::CheckReport* report) {
  Side old_side = {.where = Where::kOld, .key = "old", .name = "OLD"};
  Side new_side = {.where = Where::kNew, .key = "new", .name = "NEW"};
  Connect(file.old_db, cancel, &old_side, report);
  Connect(file.new_db, cancel, &new_side, report);
  RETURN_IF_ERROR(cancel.status());
  RETURN_IF_ERROR(
      LoadTables(file, Named(catalog::SourceTables(file.forward)), whole, &old_side, report));
  RETURN_IF_ERROR(LoadTables(file, Named(TablesOfNew(file.forward)), whole, &new_side, report));
  ASSIGN_OR_RETURN(const bool swapped, AreSwapped(file, old_side, new_side, report));
  if (swapped) return absl::OkStatus();
  RETURN_IF_ERROR(CheckSource(file, whole, cancel, old_side, report));
  RETURN_IF_ERROR(CheckTarget(file, new_side, report));
  RETURN_IF_ERROR(WarnOfFence(file, old_side, catalog::SourceTables(file.forward), report));
  RETURN_IF_ERROR(WarnOfFence(file, new_side, catalog::TargetTables(file.forward), report));
  // What the mapping lacks in the wrong database is no news.
  if (!AreTwoDatabases(old_side, new_side, report)) return absl::OkStatus();
  if (whole) {
    for (std::string& lacks : MissingLabels(file.forward, old_side.catalog, new_side.catalog)) {
      report->warnings.push_back(std::move(lacks));
    }
    RETURN_IF_ERROR(Excused(CheckMapping(file, old_side, new_side, report), report));
    if (!file.reverse.has_value()) return absl::OkStatus();
    return Excused(CheckReverse(file, old_side, new_side, report), report);
  }
  if (old_side.session != nullptr || new_side.session != nullptr) {
    report->warnings.emplace_back(
        "the mapping is held against both databases once the file has no fault");
  }
  return absl::OkStatus();
}

}  // namespace switchyard::operate
