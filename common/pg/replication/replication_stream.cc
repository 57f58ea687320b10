#include "common/pg/replication/replication_stream.h"

#include <poll.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"
#include "common/pg/libpq.h"
#include "common/pg/replication/replication_message.h"
#include "common/pg/server_version.h"
#include "common/pg/session.h"

namespace switchyard::pg {
namespace {

constexpr absl::Duration kFeedbackIntervalMax = absl::Seconds(1);
constexpr absl::Duration kFeedbackIntervalMin = absl::Milliseconds(10);

// The server's function that warns of a standby that is away.
constexpr char kAwaitsStandbys[] = "StandbySlotsHaveCaughtup";

struct BufferDeleter {
  void operator()(char* buffer) const { PQfreemem(buffer); }
};

class ReplicationStreamImpl : public ReplicationStream {
 public:
  ReplicationStreamImpl(std::unique_ptr<Session> session, absl::Duration feedback_interval,
                        const Cancel& cancel)
      : cancel_(cancel),
        feedback_interval_(feedback_interval),
        session_(std::move(session)),
        socket_(PQsocket(session_->raw())),
        backend_pid_(session_->backend_pid()),
        feedback_thread_([this] { SendFeedbackRegularly(); }) {
    MutexLock lock(&mu_);
    PQsetNoticeReceiver(session_->raw(), &ReplicationStreamImpl::OnNotice, this);
  }

  ~ReplicationStreamImpl() override {
    {
      MutexLock lock(&mu_);
      stopping_ = true;
      stop_.SignalAll();
    }
    feedback_thread_.join();
  }

  absl::StatusOr<std::optional<Frame>> Read(absl::Duration timeout) override {
    absl::Time deadline = absl::InfinitePast();  // read the clock only when there is a wait
    bool arrived = false;                        // ask the socket only when there is something
    while (true) {
      RETURN_IF_ERROR(cancel_.status());
      ASSIGN_OR_RETURN(const std::optional<Frame> frame, TakeBuffered(arrived));
      if (frame.has_value()) return frame;
      if (deadline == absl::InfinitePast()) deadline = absl::Now() + timeout;
      switch (internal::WaitForSocket(socket_, POLLIN, deadline, &cancel_)) {
        case internal::Ready::kCancelled:
          return cancel_.status();
        case internal::Ready::kTimeout:
          return std::nullopt;
        case internal::Ready::kReady:
          arrived = true;
          break;
      }
    }
  }

  int backend_pid() const override { return backend_pid_; }

  absl::Status Acknowledge(Lsn flushed, bool now) override {
    MutexLock lock(&mu_);
    flushed_ = std::max(flushed_, flushed);
    RETURN_IF_ERROR(ended_);
    if (now) SendFeedback();
    return absl::OkStatus();
  }

 private:
  // A whole message that is here, or nullopt; takes from the socket first when told to.
  absl::StatusOr<std::optional<Frame>> TakeBuffered(bool arrived) {
    MutexLock lock(&mu_);
    RETURN_IF_ERROR(ended_);
    char* buffer = nullptr;
    int size = PQgetCopyData(session_->raw(), &buffer, /*async=*/1);
    if (size == 0 && arrived) {
      // A lost connection is reported by PQgetCopyData, behind what came before it.
      PQconsumeInput(session_->raw());
      size = PQgetCopyData(session_->raw(), &buffer, /*async=*/1);
      if (size == 0 && PQstatus(session_->raw()) == CONNECTION_BAD) size = -1;
    }
    message_.reset(buffer);
    RETURN_IF_ERROR(ended_);  // by a notice
    if (size == 0) return std::nullopt;
    if (size < 0) return ended_ = WhyEnded();
    auto frame = internal::ParseFrame({buffer, static_cast<size_t>(size)});
    if (!frame.ok()) return ended_ = frame.status();
    if (frame->reply_requested) SendFeedback();
    return *std::move(frame);
  }

  // Postgres 18 only warns when the publication is missing, and leaves its changes out. That must
  // not pass for silence. Under the same SQLSTATE it says that it waits for a standby named in
  // synchronized_standby_slots. Called by libpq from within TakeBuffered, which holds the lock.
  static void OnNotice(void* stream, const PGresult* notice) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const ErrorFields fields = internal::FieldsOf(notice);
    if (fields.severity != "WARNING" || fields.sqlstate != "55000") return;
    auto* self = static_cast<ReplicationStreamImpl*>(stream);
    if (fields.source_function == kAwaitsStandbys) {
      if (std::exchange(self->told_of_standby_, true)) return;
      return LogWarn("pg", "the server sends nothing while a standby is away",
                     {{"error", fields.primary}, {"next", fields.hint}});
    }
    self->ended_.Update(StatusFromFields(fields));
  }

  absl::Status WhyEnded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const internal::ResultPtr result(PQgetResult(session_->raw()));
    absl::Status status = absl::OkStatus();
    if (result != nullptr) status = internal::StatusFromResult(session_->raw(), result.get());
    if (status.ok()) {
      return absl::UnavailableError("the server ended the replication stream: it is shutting down");
    }
    return internal::AsPrecondition(status);
  }

  // Failures are left to the next Read: it sees the lost connection, and why.
  void SendFeedback() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const std::string update = internal::StatusUpdate(flushed_, absl::ToUnixMicros(absl::Now()));
    PQputCopyData(session_->raw(), update.data(), static_cast<int>(update.size()));
    PQflush(session_->raw());
  }

  void SendFeedbackRegularly() {
    MutexLock lock(&mu_);
    while (!stopping_) {
      stop_.WaitFor(&mu_, feedback_interval_);
      if (!stopping_ && ended_.ok()) SendFeedback();
    }
  }

  const Cancel& cancel_;
  const absl::Duration feedback_interval_;
  Mutex mu_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  const std::unique_ptr<Session> session_ ABSL_PT_GUARDED_BY(mu_);
  Lsn flushed_ ABSL_GUARDED_BY(mu_);
  bool told_of_standby_ = false;  // within OnNotice
  absl::Status ended_ ABSL_GUARDED_BY(mu_);
  const int socket_;  // for polling only
  const int backend_pid_;
  std::unique_ptr<char, BufferDeleter> message_;  // the reader's own: what its frame points into
  std::thread feedback_thread_;                   // last: it uses the rest
};

// Several answers must fit into the time after which the server gives us up.
absl::StatusOr<absl::Duration> FeedbackInterval(Session& session) {
  ASSIGN_OR_RETURN(const Result result, session.Query("SELECT setting FROM pg_settings "
                                                      "WHERE name = 'wal_sender_timeout'"));
  const absl::Duration timeout = absl::Milliseconds(result.rows() == 1 ? result.i64(0, 0) : 0);
  if (timeout == absl::ZeroDuration()) return kFeedbackIntervalMax;
  return std::clamp(timeout / 4, kFeedbackIntervalMin, kFeedbackIntervalMax);
}

std::string StartCommand(const ReplicationOptions& options, int server_version) {
  std::string command = absl::StrFormat(
      "START_REPLICATION SLOT %s LOGICAL %s (\"proto_version\" '1', \"publication_names\" %s",
      QuoteIdentifier(options.slot), options.start.ToString(),
      QuoteLiteral(QuoteIdentifier(options.publication)));
  const bool sends = server_version >= kSendsMessages;
  if (options.messages && sends) command += ", \"messages\" 'true'";
  return command + ")";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplicationStream>> ReplicationStream::Start(
    const ReplicationOptions& options, const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto session, Session::Connect({.dsn = options.dsn,
                                                   .application_name = options.application_name,
                                                   .settings = {{"client_min_messages", "warning"}},
                                                   .connect_timeout = options.connect_timeout,
                                                   .replication = true},
                                                  cancel));
  ASSIGN_OR_RETURN(const absl::Duration interval, FeedbackInterval(*session));
  RETURN_IF_ERROR(internal::AsPrecondition(
      session->BeginCopyBoth(StartCommand(options, session->server_version()))));
  return std::make_unique<ReplicationStreamImpl>(std::move(session), interval, cancel);
}

}  // namespace switchyard::pg
