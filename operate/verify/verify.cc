#include "operate/verify/verify.h"

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "capture/publish/message_table.h"
#include "capture/publish/publisher.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"
#include "common/mapping/install/prepare.h"
#include "common/mapping/install/target_setup.h"
#include "common/mapping/sensitive/sensitive.h"
#include "common/pg/server_version.h"
#include "common/records/quarantine_entries.h"
#include "common/records/stream/stream.h"
#include "common/records/stream/stream_store.h"
#include "operate/connect.h"
#include "operate/request.h"
#include "operate/verify/repair.h"
#include "operate/workers.h"
#include "verify/column_types.h"
#include "verify/comparison.h"
#include "verify/full_pass.h"

namespace switchyard::operate {
namespace {

// More are stored, for --show.
constexpr int64_t kDifferencesOfATable = 100;
constexpr int64_t kDifferencesShownMax = 100'000;
constexpr char kNudge[] = "switchyard.verify";

// A transaction of its own is flushed at once, where a plain message waits for the next flush.
absl::Status Nudge(pg::Session& source, const std::string& stream) {
  if (source.server_version() < pg::kSendsMessages) {
    return capture::EmitMessage(source, stream, capture::kHeartbeatPrefix, "");
  }
  return source.Query("SELECT pg_logical_emit_message(true, $1, '')", {kNudge}).status();
}

std::string Shape(catalog::Catalog catalog) {
  for (catalog::Table& table : catalog.tables) table.rows_estimate = table.bytes = 0;
  return catalog::CatalogToJson(catalog);
}

// Of both kinds of tables that are compared: NEW's and mirrored ones.
std::vector<std::string> SensitiveColumns(const spec::MigrationFile& file) {
  return mapping::Sensitive(file.forward).AllWithMirror(records::ForwardOf(file).mirror_schema);
}

// What a pass is made of, and whether it still is that.
class Verification {
 public:
  Verification(const spec::MigrationFile& file, const Cancel& cancel)
      : file_(file), stream_(records::ForwardOf(file)), cancel_(cancel) {}

  const records::Stream& stream() const { return stream_; }
  absl::Status Connect();
  // FailedPrecondition: nothing can be compared, and why.
  absl::Status RequireRoles();
  absl::Status Compile();
  std::vector<verify::Comparison> Comparisons() const;
  std::vector<std::string> LeftOut() const;
  verify::PassOptions PassOptions(const VerifyOptions& options);
  absl::Status FillReport(const verify::PassResult& result, VerifyReport* report);
  absl::StatusOr<std::vector<std::string>> Repair(const VerifyReport& report) {
    return operate::Repair({.old_session = *old_session_,
                            .new_session = *new_session_,
                            .control = *control_,
                            .stream = stream_,
                            .plan = mapping_.plan,
                            .tables = report.tables},
                           cancel_);
  }
  const std::string& fingerprint() const { return mapping_.plan.fingerprint; }

 private:
  absl::Status RequireSame();
  verify::CompareInput Input() const {
    return {.plan = &mapping_.plan,
            .source = &mapping_.source,
            .target = &target_,
            .types = &types_,
            .source_in_utf8 = source_in_utf8_};
  }
  absl::StatusOr<catalog::Catalog> LoadTarget() {
    return catalog::LoadCatalog(*new_session_, catalog::TargetTables(*stream_.mapping), {});
  }

  const spec::MigrationFile& file_;
  const records::Stream stream_;
  const Cancel& cancel_;
  std::unique_ptr<pg::Session> old_session_;
  std::unique_ptr<pg::Session> new_session_;
  std::unique_ptr<pg::ControlSession> control_;
  mapping::PreparedMapping mapping_;
  catalog::Catalog target_;
  verify::ColumnTypes types_;
  bool source_in_utf8_ = true;
};

absl::Status Verification::Connect() {
  ASSIGN_OR_RETURN(old_session_, ConnectTo(stream_.source, "old", cancel_));
  ASSIGN_OR_RETURN(new_session_, ConnectTo(stream_.target, "new", cancel_));
  ASSIGN_OR_RETURN(control_, ConnectControl(stream_.target, "new", cancel_));
  return absl::OkStatus();
}

absl::Status Verification::RequireRoles() {
  RETURN_IF_ERROR(RequireStream(*control_, stream_.name));
  ASSIGN_OR_RETURN(const auto replay, ReplayAtWork(*new_session_, stream_.name));
  if (!replay.has_value()) {
    return Refuse("no replayer runs, so NEW can't be brought to the moment OLD is looked at",
                  "start it (switchyard run FILE), then verify again");
  }
  ASSIGN_OR_RETURN(const auto capture, CaptureAtWork(*old_session_, stream_.name));
  if (capture.has_value()) return absl::OkStatus();
  return Refuse("no capture runs, so NEW can't be brought to the moment OLD is looked at",
                "start it (switchyard run FILE), then verify again");
}

absl::Status Verification::Compile() {
  ASSIGN_OR_RETURN(mapping_, mapping::CompileMapping(file_, stream_, cancel_));
  ASSIGN_OR_RETURN(target_, LoadTarget());
  ASSIGN_OR_RETURN(const pg::Result encoding,
                   old_session_->Query("SELECT current_setting('server_encoding') = 'UTF8'"));
  source_in_utf8_ = encoding.boolean(0, 0);
  std::vector<std::string> tables;
  for (const mapping::MappingPlan& mapping : mapping_.plan.mappings) {
    tables.push_back(mapping.target);
  }
  ASSIGN_OR_RETURN(types_, verify::LoadColumnTypes(*new_session_, tables));
  return absl::OkStatus();
}

absl::Status Verification::RequireSame() {
  ASSIGN_OR_RETURN(const records::InstalledMapping installed,
                   records::StreamStore(*control_, stream_.name).Mapping());
  if (installed.fingerprint != fingerprint()) {
    return Refuse("NEW is made by another mapping than the file and OLD's tables give now",
                  "run: switchyard resume FILE, then verify again");
  }
  ASSIGN_OR_RETURN(catalog::Catalog source,
                   catalog::LoadCatalog(*old_session_, catalog::SourceTables(*stream_.mapping),
                                        {.schemas = file_.schemas}));
  ASSIGN_OR_RETURN(catalog::Catalog target, LoadTarget());
  if (Shape(std::move(source)) == Shape(mapping_.source) &&
      Shape(std::move(target)) == Shape(target_)) {
    return absl::OkStatus();
  }
  return Refuse("tables were changed (columns, keys or partitions) while they were compared",
                "verify again");
}

std::vector<verify::Comparison> Verification::Comparisons() const {
  return verify::ComparisonsOf(Input());
}

std::vector<std::string> Verification::LeftOut() const {
  std::vector<std::string> lines = verify::LeftOut(Input());
  for (const spec::TableName& table : mapping::LookupTables(*stream_.mapping)) {
    lines.push_back(absl::StrCat(table.ToString(), ": NEW's own, only looked up"));
  }
  return lines;
}

verify::PassOptions Verification::PassOptions(const VerifyOptions& options) {
  return {
      .snapshots = {.source = stream_.source.Connection(),
                    .target = stream_.target.Connection(),
                    .stream = stream_.name,
                    .slot = stream_.parity_slot,
                    .target_path =
                        mapping_.plan.calls_functions_by_path ? mapping_.plan.search_path : "",
                    .nudge = [this](pg::Session& source) { return Nudge(source, stream_.name); }},
      .fingerprint = fingerprint(),
      .whole = options.table.empty(),
      .rows_per_second_max = options.rows_per_second_max,
      .still_the_same = [this] { return RequireSame(); },
      .progress = options.progress};
}

absl::Status Verification::FillReport(const verify::PassResult& result, VerifyReport* report) {
  report->verdict = result.verdict;
  report->reason = result.reason;
  report->lsn = result.lsn;
  report->held = result.held;
  report->tables = result.tables;
  ASSIGN_OR_RETURN(report->quarantined,
                   records::QuarantineEntries(*control_, stream_.name).Count());
  records::ParityResults results(*control_, stream_.name);
  const std::vector<std::string> sensitive = SensitiveColumns(file_);
  std::set<std::string> seen;  // several mappings may fill one table
  for (const records::ParityTable& table : result.tables) {
    if (table.verdict != records::Verdict::kDifferent) continue;
    if (!seen.insert(table.table).second) continue;
    ASSIGN_OR_RETURN(const auto differences,
                     results.Differences(table.table, kDifferencesOfATable, sensitive));
    report->differences.insert(report->differences.end(), differences.begin(), differences.end());
  }
  return absl::OkStatus();
}

absl::Status NoSuchTable(const std::string& table, const std::vector<verify::Comparison>& all) {
  std::vector<std::string> names;
  for (const verify::Comparison& one : all) {
    names.push_back(one.table);
    names.push_back(one.table.substr(one.table.find('.') + 1));
  }
  const std::string nearest = NearestWord(table, names);
  return absl::NotFoundError(
      absl::StrCat("no mapping fills a table ", table, ", and none is mirrored under that name",
                   nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?")));
}

}  // namespace

absl::StatusOr<VerifyReport> Verify(const spec::MigrationFile& file, const VerifyOptions& options,
                                    const Cancel& cancel) {
  const absl::Time began = absl::Now();
  Verification verification(file, cancel);
  VerifyReport report{.stream = verification.stream().name};
  RETURN_IF_ERROR(verification.Connect());
  if (const absl::Status ready = verification.RequireRoles(); !ready.ok()) {
    if (!absl::IsFailedPrecondition(ready)) return ready;
    report.reason = std::string(StdSv(ready.message()));
    return report;
  }
  if (const absl::Status compiled = verification.Compile(); !compiled.ok()) {
    RETURN_IF_ERROR(cancel.status());
    report.reason = std::string(StdSv(compiled.message()));
    return report;
  }
  report.fingerprint = verification.fingerprint();
  report.left_out = verification.LeftOut();
  const std::vector<verify::Comparison> all = verification.Comparisons();
  const std::vector<verify::Comparison> chosen =
      options.table.empty() ? all : verify::ComparisonsOfTable(all, options.table);
  if (chosen.empty()) return NoSuchTable(options.table, all);
  const verify::PassResult result =
      verify::FullPass(verification.PassOptions(options), cancel).Run(chosen);
  RETURN_IF_ERROR(cancel.status());
  RETURN_IF_ERROR(verification.FillReport(result, &report));
  report.took = absl::Now() - began;
  if (options.repair) {
    ASSIGN_OR_RETURN(report.repairs, verification.Repair(report));
  }
  return report;
}

absl::StatusOr<DifferencesReport> ShowDifferences(const spec::MigrationFile& file,
                                                  const std::string& table, const Cancel& cancel) {
  DifferencesReport report{.stream = records::ForwardOf(file).name};
  ASSIGN_OR_RETURN(const auto control, ConnectControl(file.new_db, "new", cancel));
  RETURN_IF_ERROR(RequireStream(*control, report.stream));
  records::ParityResults results(*control, report.stream);
  ASSIGN_OR_RETURN(const std::vector<records::ParityTable> known, results.Tables());
  for (const records::ParityTable& one : known) {
    const bool named = one.table == table || absl::EndsWith(one.table, "." + table);
    if (!named || (!report.table.empty() && report.table != one.table)) continue;
    report.table = one.table;
    report.results.push_back(one);
  }
  if (report.results.empty()) {
    return WithNextStep(absl::NotFoundError(absl::StrCat(table, " was never compared")),
                        absl::StrCat("run: switchyard verify FILE --table ", table));
  }
  ASSIGN_OR_RETURN(report.differences,
                   results.Differences(report.table, kDifferencesShownMax, SensitiveColumns(file)));
  return report;
}

}  // namespace switchyard::operate
