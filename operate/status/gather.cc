#include "operate/status/gather.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/finding.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"
#include "common/pg/error.h"
#include "common/pg/replication/slot.h"
#include "common/pg/server_version.h"
#include "common/records/breaches.h"
#include "common/records/copies.h"
#include "common/records/cutover/ownership.h"
#include "common/records/mark.h"
#include "common/records/missed_rows.h"
#include "common/records/proof/parity_results.h"
#include "common/records/proof/rehearsals.h"
#include "common/records/quarantine_entries.h"
#include "common/records/requests.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/capture_suspects.h"
#include "common/records/stream/progress.h"
#include "common/records/stream/stream_store.h"
#include "operate/connect.h"
#include "operate/workers.h"

namespace switchyard::operate {
namespace {

using operate::CopyTable;
using operate::StreamFacts;

// Every time travels as microseconds since 1970.
constexpr char kNowUs[] = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

std::optional<int64_t> OptionalI64(const pg::Result& row, int at, int column) {
  if (row.is_null(at, column)) return std::nullopt;
  return row.i64(at, column);
}

std::optional<absl::Time> OptionalTime(const pg::Result& row, int at, int column) {
  if (row.is_null(at, column)) return std::nullopt;
  return absl::FromUnixMicros(row.i64(at, column));
}

// NULL is 0/0.
absl::StatusOr<Lsn> LsnOf(const pg::Result& row, int at, int column) {
  if (row.is_null(at, column)) return Lsn();
  return Lsn::Parse(row.text(at, column));
}

// -1 stands for "not known" in the copy's tables.
std::optional<int64_t> Known(int64_t estimate) {
  return estimate >= 0 ? std::optional(estimate) : std::nullopt;
}

absl::Status AskSlot(pg::Session& session, const std::string& slot, StreamFacts* facts) {
  const bool tells = session.server_version() >= pg::kTellsSlotWal;
  ASSIGN_OR_RETURN(
      const pg::Result row,
      session.Query(absl::StrFormat("SELECT active, %s, restart_lsn, confirmed_flush_lsn, %s "
                                    "FROM pg_replication_slots WHERE slot_name = $1",
                                    tells ? "coalesce(wal_status, '')" : "''",
                                    tells ? "safe_wal_size" : "NULL"),
                    {slot}));
  if (row.rows() == 0) return absl::OkStatus();
  operate::SlotFacts& out = facts->slot.emplace();
  out.name = slot;
  out.active = row.boolean(0, 0);
  out.wal_status = row.str(0, 1);
  ASSIGN_OR_RETURN(out.restart, LsnOf(row, 0, 2));
  ASSIGN_OR_RETURN(out.confirmed_flush, LsnOf(row, 0, 3));
  out.bytes_to_limit = OptionalI64(row, 0, 4);
  return absl::OkStatus();
}

// A capture that streams and can't look at the tables beside it lets their DDL pass unseen.
absl::Status AskLastLook(pg::Session& session, const spec::CaptureSettings& settings,
                         StreamFacts* facts) {
  if (!facts->slot || !facts->slot->active) return absl::OkStatus();
  const absl::Duration limit = std::max(absl::Minutes(1), 10 * settings.drift_check_interval);
  ASSIGN_OR_RETURN(const std::optional<absl::Duration> ago,
                   records::CaptureStreams(session, facts->stream).LastLookBefore(limit));
  if (!ago.has_value()) return absl::OkStatus();
  facts->suspects.push_back(
      {.table = "every table",
       .reason =
           absl::StrFormat("capture has not looked at OLD's catalogue for %s: what the stream "
                           "does not show (DDL, partitions) passes unseen",
                           absl::FormatDuration(*ago)),
       .next_step = "its log says why (\"the source could not be checked\"); it is made good once "
                    "it can look again",
       .lacks = true});
  return absl::OkStatus();
}

// The entry of a table, made at first mention.
CopyTable& EntryFor(CopyIndex* index, int64_t relation_id, const std::string& name,
                    std::vector<CopyTable>* copy) {
  const auto [it, is_new] = index->emplace(relation_id, copy->size());
  if (is_new) copy->push_back({.table = name});
  return (*copy)[it->second];
}

absl::Status AskCapture(pg::Session& session, CopyIndex* index, StreamFacts* facts) {
  const records::CaptureStreams streams(session, facts->stream);
  ASSIGN_OR_RETURN(const bool there, streams.IsThere());
  if (!there) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::optional<records::CaptureStream> record, streams.Load());
  if (!record.has_value()) return absl::OkStatus();
  facts->capture_state = std::string(ToString(record->state));
  facts->capture_epoch = static_cast<int64_t>(record->epoch);
  facts->refusal = record->refusal;

  ASSIGN_OR_RETURN(const std::vector<records::CopyStanding> copies,
                   records::CaptureCopies(session, facts->stream).All());
  for (const records::CopyStanding& copy : copies) {
    CopyTable& table = EntryFor(index, copy.relation_id, copy.table, &facts->copy);
    table.recopy = copy.recopy;
    table.capture_state = copy.state;
    table.rows_estimate = Known(copy.rows_estimate);
    table.bytes_estimate = Known(copy.bytes_estimate);
    table.rows_captured = copy.rows;
    table.bytes_captured = copy.bytes;
    table.error = copy.error;
    table.asked_as = copy.root;
  }
  return absl::OkStatus();
}

// Rows that were to be changed in NEW and were not there.
absl::Status AskMissedRows(pg::Session& session, StreamFacts* facts) {
  ASSIGN_OR_RETURN(const std::vector<records::MissedRows> all,
                   records::LoadMissedRows(session, facts->stream));
  records::ParityResults parity(session, facts->stream);
  for (const records::MissedRows& missed : all) {
    // A position p holds the commits up to p, a comparison as of L those below L.
    ASSIGN_OR_RETURN(const bool clean,
                     parity.IsCleanSince(missed.source, Lsn(missed.last_lsn.value() + 1)));
    if (clean) continue;
    facts->suspects.push_back(
        {.table = missed.source,
         .reason = absl::StrFormat("%d rows of it that were to be changed or deleted were not in "
                                   "%s, the first at %s: something else writes to NEW",
                                   missed.rows, missed.table, missed.first_lsn.ToString()),
         .next_step = "find out what, then copy it again: switchyard recopy FILE " + missed.source,
         .lacks = true,
         .rows = missed.rows,
         .first_lsn = missed.first_lsn});
  }
  return absl::OkStatus();
}

absl::Status AskParity(pg::Session& session, StreamFacts* facts) {
  records::ParityResults results(session, facts->stream);
  ASSIGN_OR_RETURN(const std::optional<records::ParityPass> pass, results.LastPass());
  if (!pass.has_value()) return absl::OkStatus();
  ParityFacts& parity = facts->parity.emplace();
  parity.under_way = !pass->finished.has_value();
  parity.verdict = pass->verdict;
  parity.reason = pass->reason;
  parity.fingerprint = pass->fingerprint;
  ASSIGN_OR_RETURN(const pg::Result now, session.Query(absl::StrCat("SELECT ", kNowUs)));
  parity.age = absl::FromUnixMicros(now.i64(0, 0)) - pass->finished.value_or(pass->begun);
  ASSIGN_OR_RETURN(parity.tables, results.Tables());
  std::erase_if(parity.tables, [&](const records::ParityTable& table) {
    return table.fingerprint != pass->fingerprint;
  });
  for (const records::ParityTable& table : parity.tables) {
    parity.lsn = std::min(parity.lsn.value_or(table.lsn), table.lsn);
  }
  ASSIGN_OR_RETURN(const records::InstalledMapping installed,
                   records::StreamStore(session, facts->stream).Mapping());
  if (installed.fingerprint == pass->fingerprint) return absl::OkStatus();
  parity.verdict = records::Verdict::kInconclusive;
  parity.reason = TextOf({"the mapping was changed since", "run: switchyard verify FILE"});
  return absl::OkStatus();
}

absl::Status AskStreamRow(pg::Session& session, StreamFacts* facts) {
  records::StreamStore store(session, facts->stream);
  ASSIGN_OR_RETURN(const std::optional<records::StreamState> state, store.Find());
  if (!state.has_value()) return absl::OkStatus();
  facts->replay_phase = state->phase;
  facts->stop_reason = ParseFinding(state->stop_reason);
  facts->replay_epoch = static_cast<int64_t>(state->position.epoch);
  facts->applied = std::max(state->position.lsn, state->position.covered_lsn);
  facts->applied_time = state->commit_time;
  facts->hold = state->hold_lsn;
  facts->transactions = state->transactions;
  facts->rows = state->rows;
  facts->applied_offset = state->position.next_offset;
  ASSIGN_OR_RETURN(facts->doing, store.Doing());
  return absl::OkStatus();
}

// A slot is made once every transaction that had written has ended: who holds it up.
absl::Status AskSlotBlockers(pg::Session& session, StreamFacts* facts) {
  constexpr size_t kShownMax = 5;
  ASSIGN_OR_RETURN(const std::vector<pg::SlotBlocker> blockers,
                   pg::FindSlotBlockers(session, absl::Seconds(1)));
  for (const pg::SlotBlocker& blocker : blockers) {
    if (facts->slot_waits_for.size() == kShownMax) break;
    facts->slot_waits_for.push_back(blocker.ToString());
  }
  return absl::OkStatus();
}

absl::Status AskLoad(pg::Session& session, CopyIndex* index, StreamFacts* facts) {
  ASSIGN_OR_RETURN(const std::vector<records::Copy> copies,
                   records::Copies(session, facts->stream).All());
  for (const records::Copy& copy : copies) {
    CopyTable& table = EntryFor(index, copy.relation_id, copy.table, &facts->copy);
    table.loaded = copy.state != records::CopyState::kLoading;
    table.gone = copy.state == records::CopyState::kGone;
    table.rows_loaded = copy.rows;
    table.bytes_loaded = copy.bytes;
    if (!table.rows_estimate.has_value()) table.rows_estimate = copy.rows_estimate;
    if (!table.bytes_estimate.has_value()) table.bytes_estimate = copy.bytes_estimate;
    table.started = copy.started;
    table.finished = copy.finished;
    table.worked = copy.worked;
  }
  return absl::OkStatus();
}

absl::Status AskCounts(pg::Session& session, StreamFacts* facts) {
  ASSIGN_OR_RETURN(facts->quarantined, records::QuarantineEntries(session, facts->stream).Count());
  ASSIGN_OR_RETURN(facts->breaches, records::CountBreaches(session, facts->stream));
  records::Requests requests(session, facts->stream);
  ASSIGN_OR_RETURN(facts->open_requests, requests.CountOpen());
  ASSIGN_OR_RETURN(const auto open, requests.Open(records::RequestKind::kRecopy));
  for (const records::Request& recopy : open) facts->open_recopies.push_back(recopy.argument);
  return absl::OkStatus();
}

// Of the mapping that is installed; else the newest.
absl::Status AskRehearsal(pg::Session& session, StreamFacts* facts) {
  ASSIGN_OR_RETURN(const std::vector<records::KeptRehearsal> all,
                   records::LoadRehearsals(session, facts->stream));
  if (all.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string installed,
                   records::StreamStore(session, facts->stream).Fingerprint());
  const auto same = std::ranges::find(all, installed, &records::KeptRehearsal::fingerprint);
  const records::KeptRehearsal& shown = same == all.end() ? all.front() : *same;
  facts->rehearsal = RehearsalFacts{.verdict = shown.verdict,
                                    .batches = shown.batches,
                                    .faults = shown.faults,
                                    .seed = shown.seed,
                                    .age = shown.age,
                                    .this_mapping = installed.empty() || same != all.end()};
  return absl::OkStatus();
}

// Connects when there is no live session.
absl::Status KeepConnected(const spec::Endpoint& endpoint, std::string_view side,
                           const Cancel& cancel, std::unique_ptr<pg::Session>* session) {
  if (*session != nullptr && (*session)->alive()) return absl::OkStatus();
  ASSIGN_OR_RETURN(*session, ConnectTo(endpoint, side, cancel));
  return absl::OkStatus();
}

}  // namespace

absl::Status StreamGatherer::AskSource(CopyIndex* index, StreamFacts* facts) {
  RETURN_IF_ERROR(KeepConnected(stream_.source, source_side(), cancel_, &source_));
  ASSIGN_OR_RETURN(const auto capture, CaptureAtWork(*source_, facts->stream));
  facts->capture_active = capture.has_value();
  // A capture that has begun has a slot: whether it has is asked first.
  RETURN_IF_ERROR(AskCapture(*source_, index, facts));
  if (facts->capture_state.has_value()) {
    ASSIGN_OR_RETURN(suspects_, records::CaptureSuspects(*source_, facts->stream).Open());
  }
  RETURN_IF_ERROR(AskSlot(*source_, stream_.slot, facts));
  if (facts->capture_state.has_value()) {
    RETURN_IF_ERROR(AskLastLook(*source_, file_.capture, facts));
  }
  if (facts->capture_state == "creating") RETURN_IF_ERROR(AskSlotBlockers(*source_, facts));
  // After the slot, so that what is captured is never ahead of it; before NEW is asked, so that
  // what is applied may be.
  ASSIGN_OR_RETURN(
      const pg::Result row,
      source_->Query(absl::StrCat("SELECT CASE WHEN pg_is_in_recovery() THEN "
                                  "pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END, ",
                                  kNowUs)));
  ASSIGN_OR_RETURN(facts->source_lsn, LsnOf(row, 0, 0));
  facts->source_now = OptionalTime(row, 0, 1);
  return absl::OkStatus();
}

absl::Status StreamGatherer::AskTarget(CopyIndex* index, StreamFacts* facts) {
  RETURN_IF_ERROR(KeepConnected(stream_.target, target_side(), cancel_, &target_));
  ASSIGN_OR_RETURN(const auto replay, ReplayAtWork(*target_, facts->stream));
  facts->replay_active = replay.has_value();
  if (const auto step = replay ? records::StepIn(replay->application_name) : std::nullopt; step) {
    facts->step = step->step;
    facts->steps = step->steps;
    facts->step_work = step->work;
    facts->step_transaction = replay->transaction_began;
  }
  ASSIGN_OR_RETURN(const bool there, records::HasStreams(*target_));
  if (there) {
    RETURN_IF_ERROR(AskStreamRow(*target_, facts));
    RETURN_IF_ERROR(AskLoad(*target_, index, facts));
    RETURN_IF_ERROR(AskCounts(*target_, facts));
    RETURN_IF_ERROR(AskRehearsal(*target_, facts));
    RETURN_IF_ERROR(DropMended(*target_, facts->stream, &suspects_));
    RETURN_IF_ERROR(AskMissedRows(*target_, facts));
    RETURN_IF_ERROR(AskParity(*target_, facts));
  }
  ASSIGN_OR_RETURN(const pg::Result row, target_->Query(absl::StrCat("SELECT ", kNowUs)));
  facts->target_now = OptionalTime(row, 0, 0);
  return absl::OkStatus();
}

// Kept from one look to the next: it may be large.
absl::Status StreamGatherer::LoadCompiled(const std::string& stream) {
  ASSIGN_OR_RETURN(const records::StreamStore::Catalog kept,
                   records::StreamStore(*target_, stream).CatalogUnless(compiled_digest_));
  if (kept.digest.empty()) compiled_.tables.clear();
  if (kept.json.has_value()) {
    ASSIGN_OR_RETURN(compiled_, catalog::CatalogFromJson(*kept.json));
  }
  compiled_digest_ = kept.digest;
  return absl::OkStatus();
}

// Whether a mapping that reads `table` fills a table that has a plain column of that name, which
// the mapping gives nothing.
absl::StatusOr<bool> StreamGatherer::IsMissed(const catalog::Table& table,
                                              const std::string& column) {
  const spec::Direction& direction = *stream_.mapping;
  std::vector<std::string> schemas;
  std::vector<std::string> names;
  for (const spec::Mapping& mapping : direction.mappings) {
    const bool given =
        std::ranges::any_of(mapping.set, [&](const auto& set) { return set.first == column; });
    if (given || std::ranges::count(mapping.drop, column) > 0) continue;
    if (mapping.copy) {
      const auto alias = direction.aliases.find(mapping.copy->name);
      const spec::TableName& meant =
          alias == direction.aliases.end() ? *mapping.copy : alias->second;
      if (meant.name != table.name) continue;
    }
    schemas.push_back(mapping.target.schema);
    names.push_back(mapping.target.name);
  }
  ASSIGN_OR_RETURN(const pg::Result row,
                   target_->Query(R"(
    SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                   JOIN pg_namespace s ON s.oid = c.relnamespace
                   WHERE (s.nspname::text, c.relname::text) IN
                           (SELECT * FROM unnest($1::text[], $2::text[]))
                     AND a.attname = $3 AND a.attnum > 0 AND a.attgenerated = ''))",
                                  {ArrayLiteral(schemas), ArrayLiteral(names), column}));
  return row.boolean(0, 0);
}

absl::Status StreamGatherer::AskNewColumns(StreamFacts* facts) {
  if (!facts->replay_phase.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(LoadCompiled(facts->stream));
  std::vector<std::string> oids;
  std::vector<std::string> last_numbers;
  for (const catalog::Table& table : compiled_.tables) {
    if (table.root_oid != 0 || table.columns.empty()) continue;
    oids.push_back(std::to_string(table.oid));
    last_numbers.push_back(std::to_string(table.columns.back().number));
  }
  ASSIGN_OR_RETURN(const pg::Result columns,
                   source_->Query(R"(
    SELECT a.attrelid, a.attname, a.attgenerated <> ''
    FROM unnest($1::oid[], $2::int[]) AS t(oid, last)
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > t.last
    WHERE NOT a.attisdropped ORDER BY a.attrelid, a.attnum)",
                                  {ArrayLiteral(oids), ArrayLiteral(last_numbers)}));
  const spec::Direction& direction = *stream_.mapping;
  for (int i = 0; i < columns.rows(); ++i) {
    const catalog::Table* table = compiled_.FindOid(static_cast<uint32_t>(columns.i64(i, 0)));
    const std::string column = columns.str(i, 1);
    if (std::ranges::count(direction.ignore, table->name + "." + column) > 0 ||
        std::ranges::count(direction.ignore, table->Display() + "." + column) > 0) {
      continue;
    }
    const bool generated = columns.boolean(i, 2);
    if (generated) {  // nobody misses it unless NEW has a place for it; made again, it is drift
      ASSIGN_OR_RETURN(const bool missed, IsMissed(*table, column));
      if (!missed || table->FindColumn(column) != nullptr) continue;
    }
    facts->suspects.push_back(
        {.table = table->Display(),
         .reason = absl::StrFormat("its %scolumn %s came since the mapping was compiled: no "
                                   "mapping reads it",
                                   generated ? "generated " : "", column),
         .next_step = "map it, or list it under drop or ignore, then: switchyard resume FILE",
         .lacks = true});
  }
  return absl::OkStatus();
}

std::optional<OwnerFacts> StreamGatherer::AskOwner() {
  pg::Session* const session = forward() ? target_.get() : source_.get();
  if (!stream_.paired || session == nullptr || !session->alive()) return std::nullopt;
  const auto row =
      records::NewOwnership(*session, std::string(records::MigrationOf(stream_.name))).Load();
  if (!row.ok()) return std::nullopt;  // the stream's own part says what can't be asked
  OwnerFacts owner;
  if (!row->has_value()) return owner;
  owner.owner = (*row)->owner;
  owner.epoch = (*row)->owner_epoch;
  if ((*row)->flip.new_lsn.valid() || owner.owner == records::Side::kNew) {
    owner.since = (*row)->changed;
  }
  return owner;
}

StreamFacts StreamGatherer::Gather() {
  StreamFacts facts{.stream = stream_.name, .direction = stream_.direction};
  CopyIndex index;
  const auto error = [](const absl::Status& status, std::string_view side) {
    Finding finding = FindingOf(pg::WithNextStepFor(status), "");
    const std::string prefix = absl::StrCat(Sv(side), ": ");
    if (finding.what.starts_with(prefix)) finding.what.erase(0, prefix.size());
    return finding;
  };
  suspects_.clear();
  facts.source_error = error(AskSource(&index, &facts), source_side());
  facts.target_error = error(AskTarget(&index, &facts), target_side());
  if (facts.source_error.empty() && facts.target_error.empty()) {
    facts.source_error = error(AskNewColumns(&facts), source_side());
  }
  const std::vector<Suspect> unseen = OnePerTable(suspects_);
  facts.suspects.insert(facts.suspects.begin(), unseen.begin(), unseen.end());
  facts.log = log_.Now();  // after the target, so that what is applied is never ahead of it
  const bool begun = facts.capture_state.has_value() && facts.capture_state != "creating";
  if (!begun && !facts.log.unreachable) facts.log.error = {};  // it is to be made yet
  return facts;
}

}  // namespace switchyard::operate
