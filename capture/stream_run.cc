#include "capture/stream_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "capture/stream_check.h"
#include "common/base/fault.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/pace.h"
#include "common/pg/error.h"
#include "common/pg/replication/slot.h"
#include "common/pg/replication/timeline.h"
#include "common/records/source/capture_copies.h"
#include "common/records/source/capture_streams.h"
#include "common/records/source/captured_tables.h"

namespace switchyard::capture {
namespace {

// While something is on its way to the log, the slot is acknowledged at least this often.
constexpr absl::Duration kPendingWait = absl::Milliseconds(20);
constexpr absl::Duration kIdleWait = absl::Seconds(1);
constexpr absl::Duration kFinishTimeout = absl::Seconds(5);
// Frames between two looks at everything that is not a frame.
constexpr int kFramesPerRound = 256;

// In a flood, frames are left to gather in the socket: to read each as it comes costs both ends a
// wake-up per row. The log gathers its own groups then, too.
constexpr int64_t kFloodFramesPerMs = 20;
constexpr absl::Duration kFloodWindow = absl::Milliseconds(1);
constexpr absl::Duration kFloodPause = absl::Microseconds(250);
constexpr absl::Duration kFloodWait = absl::Milliseconds(1);
constexpr absl::Duration kFloodGather = absl::Milliseconds(15);

constexpr char kLockTimeout[] = "10s";

constexpr char kSlotInUse[] = "55006";
constexpr char kNoSuchSlot[] = "42704";
constexpr char kSlotUnusable[] = "55000";
constexpr char kNoSuchPublication[] = "42704";   // once streaming; before, it is the slot
constexpr char kPublicationSkipped[] = "55000";  // with severity WARNING, since Postgres 18
// "Cannot enlarge string buffer": one message of the protocol holds 1 GB.
constexpr char kLimitExceeded[] = "54000";
constexpr absl::Duration kReasonWithin = absl::Seconds(5);

absl::Status StreamLost(const records::Stream& stream, std::string_view what) {
  return Lost(what, HowToBeginAnew(stream));
}

// A copy topic that is gone is made anew by the next epoch, whose Hello says what was on it.
absl::Status MendedByNextEpoch(const absl::Status& copying) {
  return absl::IsDataLoss(copying) ? absl::UnavailableError(FindingOf(copying, "").what) : copying;
}

std::vector<records::LeafTable> RowTables(const catalog::Catalog& catalog) {
  std::vector<records::LeafTable> tables;
  for (const catalog::Table& table : catalog.tables) {
    if (table.kind == 'r') tables.push_back(LeafOf(table));
  }
  return tables;
}

// Waits for a log that is away.
template <typename Writer>
absl::Status FlushAll(Writer& writer, const Cancel& cancel) {
  absl::Status flushed = absl::DeadlineExceededError("");
  while (absl::IsDeadlineExceeded(flushed)) {
    RETURN_IF_ERROR(cancel.status());
    flushed = writer.Flush(kFinishTimeout);
  }
  return flushed;
}

}  // namespace

StreamRun::~StreamRun() {
  if (monitor_ != nullptr) monitor_->RequestStop();  // the copier may wait for its look
  if (copier_ != nullptr) copier_->Stop();
  if (monitor_ != nullptr) monitor_->Stop();
}

absl::Status StreamRun::Run() {
  stats_.state = static_cast<int>(State::kConnecting);
  ASSIGN_OR_RETURN(
      session_, pg::Session::Connect(
                    {.dsn = config_.dsn,
                     .application_name = config_.application_name,
                     // Whoever holds a lock keeps the stream waiting with a word in the log only.
                     .settings = {{"lock_timeout", kLockTimeout}, kCommitLocally}},
                    cancel_));
  RETURN_IF_ERROR(AwaitTurn());
  bool created = false;
  int holder_pid = 0;
  while (true) {
    RETURN_IF_ERROR(Prepare());
    if (!record_.has_value() || record_->state == records::CaptureStream::State::kCreating) {
      RETURN_IF_ERROR(Create());
      created = true;
    }
    ASSIGN_OR_RETURN(const bool acquired, TryAcquireSlot());
    if (acquired) break;
    // Whatever was read is read again: the one who holds the slot may change it.
    stats_.state = static_cast<int>(State::kStandby);
    RETURN_IF_ERROR(NoteHolder(&holder_pid));
    if (!cancel_.WaitFor(config_.standby_interval)) return cancel_.status();
  }
  if (!created) RETURN_IF_ERROR(Resume());
  const absl::Status begun = BeginEpoch();
  if (absl::IsAborted(begun)) return WhySlotWasLost(begun);
  RETURN_IF_ERROR(begun);
  const absl::Status ended = Loop();
  Finish();
  return Explain(ended);
}

// Each change is decoded with the catalogue of its time, so what was changed while there was no
// publication stays unreadable when there is one again.
absl::Status StreamRun::Explain(const absl::Status& ended) const {
  const pg::ErrorFields fields = pg::StatusErrorFields(ended);
  const Lsn read = publisher_ != nullptr ? publisher_->position() : start_;
  if (fields.sqlstate == kLimitExceeded) {
    return Lost(
        absl::StrFormat("the source can't send a change after %s: %s", read.ToString(),
                        StdSv(ended.message())),
        "make that row smaller (all its columns together less than 1 GB), or take its table "
        "out of the publication, then " +
            HowToBeginAnew(config_.stream));
  }
  const bool skipped = fields.sqlstate == kPublicationSkipped && fields.severity == "WARNING";
  if (fields.sqlstate != kNoSuchPublication && !skipped) return ended;
  return Lost(absl::StrFormat(
                  "publication %s was missing when the next change after %s was made (it was "
                  "dropped, perhaps made again since): what was changed meanwhile can't be read "
                  "from the slot",
                  config_.stream.publication, read.ToString()),
              "run, as OLD's owner, what `switchyard check --print-setup FILE` prints, then " +
                  HowToBeginAnew(config_.stream));
}

// The server let go of the slot by itself: its last word says why.
absl::Status StreamRun::WhySlotWasLost(const absl::Status& lost) {
  const absl::Time deadline = absl::Now() + kReasonWithin;
  while (absl::Now() < deadline) {
    const auto frame = stream_->Read(deadline - absl::Now());
    if (!frame.ok()) return Explain(frame.status());
  }
  return lost;
}

// Another capture is how things should be; anybody else keeps the stream from its changes.
absl::Status StreamRun::NoteHolder(int* told_pid) {
  ASSIGN_OR_RETURN(const auto holder,
                   LoadSlotHolder(*session_, config_.stream.slot, config_.application_name));
  if (!holder.has_value() || holder->pid == *told_pid) return absl::OkStatus();
  *told_pid = holder->pid;
  const std::string who = absl::StrFormat("pid %d, role %s, application \"%s\"", holder->pid,
                                          holder->role, holder->application_name);
  if (holder->is_capture) {
    LogInfo("capture", "standing by: another capture has the slot",
            {{"stream", config_.stream.name}, {"holder", who}});
    return absl::OkStatus();
  }
  const Finding finding = {
      absl::StrFormat("replication slot %s is in use by somebody who is no capture of this "
                      "stream (%s)",
                      config_.stream.slot, who),
      absl::StrFormat(
          "end that session: SELECT pg_terminate_backend(%d); capture goes on by itself",
          holder->pid)};
  LogWarn("capture", "standing by",
          {{"stream", config_.stream.name}, {"error", finding.what}, {"next", finding.next}});
  return streams().NoteRefusal(finding);
}

absl::Status StreamRun::AwaitTurn() {
  bool said = false;
  while (true) {
    ASSIGN_OR_RETURN(const bool locked, TryLockStream(*session_, config_.stream.name));
    if (locked) return absl::OkStatus();
    stats_.state = static_cast<int>(State::kStandby);
    if (!said) LogInfo("capture", "standing by", {{"stream", config_.stream.name}});
    said = true;
    if (!cancel_.WaitFor(config_.standby_interval)) return cancel_.status();
  }
}

absl::Status StreamRun::Prepare() {
  ASSIGN_OR_RETURN(catalog_,
                   catalog::LoadCatalog(*session_, config_.tables, {.schemas = config_.schemas}));
  ASSIGN_OR_RETURN(const auto slot, LoadSlot(*session_, config_.stream.slot));
  ASSIGN_OR_RETURN(const auto faults, VerifySource(*session_,
                                                   {.stream = config_.stream,
                                                    .rows = !slot.has_value(),
                                                    .failover = config_.failover.value_or(false)},
                                                   catalog_, slot.has_value()));
  std::vector<SourceFault> fatal;
  for (const SourceFault& fault : faults) {
    if (!fault.of_table) fatal.push_back(fault);
  }
  RETURN_IF_ERROR(FaultsToStatus(fatal));
  ASSIGN_OR_RETURN(record_, streams().Load());
  if (!record_.has_value() || record_->state == records::CaptureStream::State::kCreating) {
    RETURN_IF_ERROR(CheckSlotIsOurs(slot));
    return FaultsToStatus(faults);
  }
  // A stream under way goes on for its other tables; what is wrong with one makes it suspect.
  for (const SourceFault& fault : faults) {
    LogWarn("capture", fault.finding.what,
            {{"stream", config_.stream.name}, {"next", fault.finding.next}});
  }
  RETURN_IF_ERROR(CheckHistory(config_.stream, *record_, catalog_, slot));
  RETURN_IF_ERROR(CheckSlot(config_.stream, slot, catalog_));
  return AlterSlot(*slot);
}

absl::Status StreamRun::AlterSlot(const SlotState& slot) {
  const bool wanted = config_.failover.value_or(slot.failover);
  if (wanted == slot.failover || slot.active) return absl::OkStatus();
  RETURN_IF_ERROR(pg::SetSlotFailover({.dsn = config_.dsn,
                                       .application_name = config_.application_name,
                                       .slot = config_.stream.slot,
                                       .timeout = config_.slot_timeout},
                                      wanted, cancel_));
  LogInfo("capture", wanted ? "standbys may keep the slot now" : "standbys keep the slot no more",
          {{"stream", config_.stream.name}, {"slot", config_.stream.slot}});
  return absl::OkStatus();
}

// Slots are the server's, not the database's: what stands under the name is dropped when the stream
// begins, unless another database's stream has it.
absl::Status StreamRun::CheckSlotIsOurs(const std::optional<SlotState>& slot) const {
  if (!slot.has_value() || slot->database == catalog_.database) return absl::OkStatus();
  return Refuse(
      absl::StrFormat("replication slot %s is database %s's, of another stream of this name",
                      config_.stream.slot, slot->database.empty() ? "no" : slot->database),
      "give this migration another name (its key migration), or drop that slot when "
      "nobody uses it");
}

absl::Status StreamRun::CheckNewLog() {
  ASSIGN_OR_RETURN(const LogCoverage coverage,
                   FindLogCoverage(log_, config_.stream.change_topic, cancel_));
  const uint64_t epoch = record_.has_value() ? record_->epoch : 0;
  if (!coverage.empty && coverage.epoch > epoch) {
    return Refuse(
        absl::StrFormat(
            "topic %s holds events of epoch %d, but the source knows of no such stream: "
            "it is the log of another source, or the record of the stream was deleted, "
            "as by a restore",
            config_.stream.change_topic, coverage.epoch),
        "give the migration a log of its own, or, when it was this stream's, end replay and run: "
        "switchyard recopy FILE --all");
  }
  if (coverage.empty && coverage.trimmed && epoch == 0) {
    return Refuse(
        absl::StrFormat("topic %s held events that were trimmed, but the source knows of no "
                        "such stream",
                        config_.stream.change_topic),
        "give the migration a log of its own, or delete the topic");
  }
  return absl::OkStatus();
}

absl::Status StreamRun::DropUnfinishedSlot() {
  const absl::Status dropped = pg::DropSlot(*session_, config_.stream.slot);
  // The connection that was making it is not quite gone.
  if (pg::StatusSqlState(dropped) == kSlotInUse) return absl::UnavailableError(dropped.message());
  return Annotate(dropped, "dropping an unfinished slot");
}

absl::Status StreamRun::Create() {
  const records::Stream& stream = config_.stream;
  RETURN_IF_ERROR(log_.CreateTopic(stream.change_topic));
  RETURN_IF_ERROR(CheckNewLog());
  ASSIGN_OR_RETURN(const eventlog::TopicInfo topic, log_.Describe(stream.change_topic));
  RETURN_IF_ERROR(streams().Begin(stream, catalog_.system_identifier, catalog_.timeline));
  SY_FAULT_POINT("capture.creating_recorded");
  RETURN_IF_ERROR(DropUnfinishedSlot());
  ASSIGN_OR_RETURN(initial_, Snapshot::Take({.dsn = config_.dsn,
                                             .application_name = config_.application_name,
                                             .slot = stream.slot,
                                             .failover = config_.failover.value_or(false),
                                             .timeout = config_.slot_timeout},
                                            cancel_));
  SY_FAULT_POINT("capture.slot_created");
  // As of the snapshot: a rewrite between it and now is noticed by the first check.
  ASSIGN_OR_RETURN(shapes_, LoadFirstShapes(initial_->session(), stream.publication, catalog_));
  RETURN_IF_ERROR(session_->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(streams().Created(initial_->lsn(), topic.id));
    RETURN_IF_ERROR(RecordShapes(*session_, stream.name, shapes_, {}));
    RETURN_IF_ERROR(copies().ForgetOthers(shapes_));
    return copies().Ask(RowTables(catalog_), records::CopyKind::kFirst);
  }));
  SY_FAULT_POINT("capture.stream_created");
  ASSIGN_OR_RETURN(record_, streams().Load());
  LogInfo("capture", "stream begun",
          {{"stream", stream.name},
           {"slot", stream.slot},
           {"lsn", initial_->lsn().ToString()},
           {"tables", absl::StrCat(RowTables(catalog_).size())}});
  return absl::OkStatus();
}

absl::Status StreamRun::Resume() {
  const records::Stream& stream = config_.stream;
  ASSIGN_OR_RETURN(shapes_, records::CapturedTables(*session_, stream.name).Load());
  // With a name that leads nowhere (a table renamed, perhaps) nothing is taken for unmapped.
  if (catalog_.missing.empty()) {
    std::erase_if(shapes_, [&](const auto& item) {
      return catalog_.FindOid(item.first) == nullptr &&
             catalog_.FindOid(item.second.root_id) == nullptr;
    });
    RETURN_IF_ERROR(copies().ForgetOthers(shapes_));
  }
  RETURN_IF_ERROR(CheckDrift(*session_, stream, config_.left_out, &shapes_));

  ASSIGN_OR_RETURN(const TableShapes all, LoadFirstShapes(*session_, stream.publication, catalog_));
  std::vector<records::LeafTable> added;
  for (const auto& [oid, shape] : all) {
    if (!shapes_.emplace(oid, shape).second) continue;
    const catalog::Table* table = catalog_.FindOid(oid);
    if (table == nullptr || table->kind != 'r') continue;
    added.push_back(LeafOf(*table));
    LogInfo("capture", "table added to the stream",
            {{"stream", stream.name}, {"table", table->Display()}});
  }
  return session_->InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(RecordShapes(*session_, stream.name, shapes_, {}));
    return copies().Ask(added, records::CopyKind::kAgain);
  });
}

absl::StatusOr<bool> StreamRun::TryAcquireSlot() {
  const records::Stream& stream = config_.stream;
  auto changes = pg::ReplicationStream::Start({.dsn = config_.dsn,
                                               .application_name = config_.application_name,
                                               .slot = stream.slot,
                                               .publication = stream.publication},
                                              cancel_);
  const std::string code = pg::StatusSqlState(changes.status());
  if (code == kSlotInUse) return false;
  if (code == kNoSuchSlot || code == kSlotUnusable) {
    return StreamLost(stream, absl::StrFormat("replication slot %s can't be read: %s", stream.slot,
                                              StdSv(changes.status().message())));
  }
  RETURN_IF_ERROR(changes.status());
  stream_ = *std::move(changes);
  // Only the holder moves a slot, so from here on what is read of it stays true.
  ASSIGN_OR_RETURN(const auto slot, LoadSlot(*session_, stream.slot));
  RETURN_IF_ERROR(CheckSlot(stream, slot, catalog_));
  RETURN_IF_ERROR(CheckLog(slot->confirmed_flush));
  start_ = slot->confirmed_flush;
  return true;
}

absl::Status StreamRun::CheckLog(Lsn confirmed_flush) {
  const std::string topic = config_.stream.change_topic;
  const auto found = FindLogCoverage(log_, topic, cancel_);
  if (absl::IsNotFound(found.status())) {
    return StreamLost(config_.stream,
                      absl::StrFormat("topic %s is gone, and with it the changes before %s", topic,
                                      confirmed_flush.ToString()));
  }
  RETURN_IF_ERROR(found.status());
  const LogCoverage& coverage = *found;
  logged_epoch_ = coverage.epoch;
  RETURN_IF_ERROR(CheckPromotion(coverage));
  if (!record_->log_topic.empty() && !coverage.topic_id.empty() &&
      record_->log_topic != coverage.topic_id) {
    return StreamLost(config_.stream,
                      absl::StrFormat("topic %s was deleted and made again, or is another log: the "
                                      "changes before %s are not on it",
                                      topic, confirmed_flush.ToString()));
  }
  // A stream that never had an epoch has nothing on the log, and needs nothing there.
  if (record_->epoch == 0 && confirmed_flush <= record_->slot_lsn) return absl::OkStatus();
  // All that was kept has been applied and trimmed; a reader's own position tells the rest.
  if (coverage.trimmed && !coverage.covered.valid()) return absl::OkStatus();
  const Lsn covered = std::max(coverage.covered, record_->slot_lsn);
  if (covered < confirmed_flush) {
    return StreamLost(
        config_.stream,
        absl::StrFormat("topic %s ends at %s, but slot %s was moved to %s: the log lost its "
                        "end, or the slot was advanced by hand, and the changes in between "
                        "are nowhere",
                        topic, covered.ToString(), config_.stream.slot,
                        confirmed_flush.ToString()));
  }
  return absl::OkStatus();
}

absl::Status StreamRun::CheckPromotion(const LogCoverage& coverage) {
  const records::Stream& stream = config_.stream;
  fork_.reset();
  if (record_->timeline == catalog_.timeline) return absl::OkStatus();
  ASSIGN_OR_RETURN(const pg::TimelineEnds ends,
                   pg::LoadTimelineEnds({.dsn = config_.dsn,
                                         .application_name = config_.application_name,
                                         .timeline = catalog_.timeline},
                                        cancel_));
  ASSIGN_OR_RETURN(const Lsn fork, FindFork(stream, *record_, catalog_, ends));
  RETURN_IF_ERROR(CheckFork(stream, *record_, catalog_, fork, coverage));
  LogInfo("capture", "the source was promoted; the log ends before that",
          {{"stream", stream.name},
           {"timeline", absl::StrCat(record_->timeline, " became ", catalog_.timeline)},
           {"fork_lsn", fork.ToString()},
           {"log_lsn", coverage.reached.ToString()}});
  fork_ = fork;
  return absl::OkStatus();
}

// Readers compare it with what they have applied, which may be more than this capture found on the
// log: one of the former primary may have been writing until now.
absl::Status StreamRun::NotePromotion(uint64_t epoch) {
  RETURN_IF_ERROR(FlushAll(*writer_, cancel_));
  SY_FAULT_POINT("capture.before_new_timeline");
  return streams().MoveTo(catalog_.timeline, epoch);
}

absl::Status StreamRun::BeginEpoch() {
  const records::Stream& stream = config_.stream;
  uint64_t above = 0;
  if (fork_.has_value()) {
    above = std::max(record_->epoch, logged_epoch_);
    above += records::kCountsPerTimeline - above % records::kCountsPerTimeline - 1;
  }
  ASSIGN_OR_RETURN(const uint64_t epoch,
                   TakeEpoch(*session_, stream, stream_->backend_pid(), record_->timeline, above));
  SY_FAULT_POINT("capture.epoch_taken");
  RETURN_IF_ERROR(MendedByNextEpoch(Annotate(BeginCopyTopic(epoch), "copy topic")));
  ASSIGN_OR_RETURN(writer_, log_.OpenWriter(stream.change_topic));
  publisher_ = std::make_unique<Publisher>(
      Publisher::Options{.stream = stream.name, .epoch = epoch, .start = start_}, *writer_,
      [this](const RelationMessage& relation) { return roots_->Find(relation); });
  RETURN_IF_ERROR(publisher_->Hello(NewHello()));
  if (fork_.has_value()) RETURN_IF_ERROR(NotePromotion(epoch));
  StartHelpers();
  stats_.epoch = epoch;
  stats_.state = static_cast<int>(State::kStreaming);
  LogInfo("capture", "streaming",
          {{"stream", stream.name}, {"epoch", absl::StrCat(epoch)}, {"lsn", start_.ToString()}});
  return absl::OkStatus();
}

event::v1::Hello StreamRun::NewHello() const {
  event::v1::Hello hello;
  hello.set_stream(config_.stream.name);
  hello.set_system_identifier(catalog_.system_identifier);
  hello.set_timeline(catalog_.timeline);
  hello.set_database(catalog_.database);
  hello.set_slot(config_.stream.slot);
  hello.set_start_lsn(start_.value());
  hello.set_server_version(static_cast<uint32_t>(catalog_.server_version));
  hello.set_time_us(absl::ToUnixMicros(absl::Now()));
  if (fork_.has_value()) hello.set_fork_lsn(fork_->value());
  return hello;
}

// Durable before the first record of the change topic: a reader that finds records there and none
// here knows that they are lost. Whether it needs them is for the reader to say.
absl::Status StreamRun::BeginCopyTopic(uint64_t epoch) {
  RETURN_IF_ERROR(log_.CreateTopic(config_.stream.copy_topic));
  ASSIGN_OR_RETURN(auto writer, log_.OpenWriter(config_.stream.copy_topic));
  copy_writer_ = std::make_unique<CopyWriter>(std::move(writer), epoch);
  event::v1::Event event;
  *event.mutable_hello() = NewHello();
  ASSIGN_OR_RETURN(const auto finished, copies().Finished());
  event.mutable_hello()->mutable_finished_copies()->Add(finished.begin(), finished.end());
  RETURN_IF_ERROR(copy_writer_->Append(&event).status());
  return FlushAll(*copy_writer_, cancel_);
}

void StreamRun::StartHelpers() {
  monitor_ =
      std::make_unique<Monitor>(MonitorOptions{.stream = config_.stream,
                                               .dsn = config_.dsn,
                                               .application_name = config_.application_name,
                                               .heartbeat_interval = config_.heartbeat_interval,
                                               .drift_check_interval = config_.drift_check_interval,
                                               .left_out = config_.left_out},
                                shapes_);
  monitor_->Start();
  roots_ = std::make_unique<TableRoots>(
      config_.stream.name, *session_, *monitor_, shapes_,
      [this] { return stream_->Acknowledge(publisher_->Confirm(), false); }, cancel_);
  copier_ = std::make_unique<Copier>(
      CopierOptions{.stream = config_.stream,
                    .round = {.dsn = config_.dsn,
                              .application_name = config_.application_name,
                              .workers = config_.copy_workers,
                              .range_bytes = config_.copy_range_bytes},
                    .retry_interval = config_.copy_retry_interval,
                    .slot_timeout = config_.slot_timeout,
                    .look = [this](pg::Session& session) -> absl::Status {
                      RETURN_IF_ERROR(monitor_->Look(session));
                      // What is copied now would miss what this connection does not send.
                      return NeedsNewConnection() ? NewConnection() : absl::OkStatus();
                    }},
      std::move(copy_writer_), std::move(initial_));
  initial_.reset();
  copier_->Start();
}

bool StreamRun::NeedsNewConnection() const { return monitor_->partition_change() > start_; }

absl::Status StreamRun::NewConnection() const {
  return absl::UnavailableError(absl::StrFormat(
      "a partition was attached or detached before %s, which a connection to this version of "
      "Postgres (%d) does not notice: the next one does",
      monitor_->partition_change().ToString(), catalog_.server_version / 10000));
}

absl::Status StreamRun::Loop() {
  Pace pace(kFloodWindow, kFloodFramesPerMs);
  int frames = 0;
  absl::Time gathering_until = absl::InfinitePast();
  while (true) {
    ASSIGN_OR_RETURN(auto frame, stream_->Read(absl::ZeroDuration()));
    if (!frame.has_value() && pace.flood()) {
      cancel_.WaitFor(kFloodPause);
      ASSIGN_OR_RETURN(frame, stream_->Read(kFloodWait));
    }
    const bool drained = !frame.has_value();
    if (drained || frames == kFramesPerRound) {
      RETURN_IF_ERROR(Housekeep());
      pace.Count(frames, absl::Now());
      frames = 0;
    }
    if (drained) {
      const absl::Time now = absl::Now();
      absl::Duration wait = publisher_->pending() ? kPendingWait : kIdleWait;
      if (pace.flood() && now < gathering_until) {
        wait = gathering_until - now;
      } else {
        writer_->Nudge();  // nothing more to gather: what is there should not wait
        gathering_until = now + kFloodGather;
      }
      ASSIGN_OR_RETURN(frame, stream_->Read(wait));
      if (!frame.has_value()) continue;
    }
    RETURN_IF_ERROR(Handle(*frame));
    ++frames;
  }
}

absl::Status StreamRun::Handle(const pg::Frame& frame) {
  if (frame.kind == pg::Frame::Kind::kKeepalive) {
    return publisher_->Keepalive(frame.wal_end, frame.send_time_us, absl::Now(),
                                 frame.reply_requested);
  }
  const absl::Status decoded = DecodePgoutput(frame.payload, &message_);
  if (!decoded.ok()) {
    return Annotate(decoded, absl::StrCat("message at ", frame.start.ToString()));
  }
  if (message_.type == PgoutputMessage::Type::kBegin) roots_->EnterTransaction(message_.begin.xid);
  if (message_.type == PgoutputMessage::Type::kTruncate) {
    RETURN_IF_ERROR(roots_->Name(&message_.truncate));
  }
  return publisher_->Publish(message_);
}

absl::Status StreamRun::Housekeep() {
  RETURN_IF_ERROR(publisher_->TellPosition(absl::Now()));
  const Lsn confirmed = publisher_->Confirm();
  if (confirmed.value() != stats_.confirmed) {
    SY_FAULT_POINT("capture.before_acknowledge");
    RETURN_IF_ERROR(stream_->Acknowledge(confirmed, false));
    stats_.confirmed = confirmed.value();
  }
  // What came before it is not read again, so that nobody remembers the table as it was then.
  if (NeedsNewConnection() && confirmed >= monitor_->partition_change()) return NewConnection();
  if (publisher_->position() != noted_position_) {
    noted_position_ = publisher_->position();
    monitor_->NoteActivity();
  }
  stats_.received = publisher_->position().value();
  stats_.transactions = transactions_before_ + publisher_->transactions();
  stats_.rows = rows_before_ + publisher_->rows();
  stats_.last_commit_time_us = publisher_->last_commit_time_us();
  RETURN_IF_ERROR(writer_->status());
  RETURN_IF_ERROR(monitor_->fault());
  return MendedByNextEpoch(copier_->status());
}

void StreamRun::Finish() {
  // Either may fail, at shutdown the first does at once: what is not acknowledged then is sent
  // again under the next epoch.
  [[maybe_unused]] const absl::Status flushed = writer_->Flush(kFinishTimeout);
  [[maybe_unused]] const absl::Status sent = stream_->Acknowledge(publisher_->Confirm(), true);
}

}  // namespace switchyard::capture
