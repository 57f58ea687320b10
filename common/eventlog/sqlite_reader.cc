#include "common/eventlog/sqlite_reader.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/log.h"
#include "common/base/strings.h"
#include "common/base/wait/poll_timeout.h"
#include "common/base/wait/retry.h"
#include "common/eventlog/sqlite_file.h"

namespace switchyard::eventlog {
namespace {

constexpr size_t kReadBytesMax = 4 << 20;
constexpr absl::Duration kBusyTimeout = absl::Seconds(1);
// A writer that is killed between commit and touch leaves no event behind.
constexpr absl::Duration kLookAgain = absl::Milliseconds(100);
constexpr absl::Duration kLookWithoutWatch = absl::Milliseconds(5);
constexpr absl::Duration kWarnEvery = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<LogReader>> SqliteReader::Open(const std::string& path,
                                                              const std::string& topic, Offset from,
                                                              const Cancel& cancel) {
  ASSIGN_OR_RETURN(auto db, SqliteDb::Open(path, kBusyTimeout));
  RETURN_IF_ERROR(db->Execute("PRAGMA query_only = 1"));
  ASSIGN_OR_RETURN(const SqliteTopic found, FindTopic(*db, topic));
  std::unique_ptr<SqliteReader> reader(new SqliteReader(std::move(db), topic, from, cancel));
  const std::string table = BlocksTable(found.number);
  // From the block that holds offset ?1 on; the one before the end of the topic is found, too.
  ASSIGN_OR_RETURN(reader->select_,
                   reader->db_->Prepare(absl::StrFormat(
                       "SELECT first_offset, count, payload FROM %s WHERE first_offset >= "
                       "ifnull((SELECT max(first_offset) FROM %s WHERE first_offset <= ?1), ?1) "
                       "ORDER BY first_offset",
                       table, table)));
  ASSIGN_OR_RETURN(reader->file_, IdentityOf(path));
  reader->StartWatch();
  return reader;
}

SqliteReader::SqliteReader(std::unique_ptr<SqliteDb> db, std::string topic, Offset from,
                           const Cancel& cancel)
    : db_(std::move(db)),
      topic_(std::move(topic)),
      cancel_(cancel),
      next_(from),
      next_warning_(absl::InfinitePast()) {}

SqliteReader::~SqliteReader() {
  if (inotify_ >= 0) close(inotify_);
}

void SqliteReader::StartWatch() {
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ >= 0 && inotify_add_watch(inotify_, db_->path().c_str(), IN_ATTRIB) >= 0) return;
  LogWarn("eventlog", "no inotify watch: the log file is looked at every few milliseconds",
          {{"path", db_->path()},
           {"error", std::strerror(errno)},
           {"next", "raise fs.inotify.max_user_instances"}});
  if (inotify_ >= 0) close(inotify_);
  inotify_ = -1;
}

absl::Status SqliteReader::Read(absl::Duration timeout, std::vector<LogRecord>* records) {
  const absl::Time deadline = absl::Now() + timeout;
  Backoff backoff({.initial = absl::Milliseconds(5), .max = absl::Seconds(1), .seed = 1});
  records->clear();
  used_ = 0;
  joined_.clear();
  while (true) {
    RETURN_IF_ERROR(cancel_.status());
    const absl::StatusOr<bool> fetched = Fetch(records);
    absl::Status status = fetched.status();
    if (status.ok() && *fetched) {
      TroubleIsOver();
      if (!records->empty()) return absl::OkStatus();
      continue;  // parts only: their views are joined, the buffers are free again
    }
    if (status.ok() || absl::IsUnavailable(status)) {
      const absl::Status same = CheckSameFile(db_->path(), file_);
      if (!same.ok()) status = same;
    }
    if (absl::IsUnavailable(status)) {
      WarnOf(status);
      cancel_.WaitFor(std::min(backoff.Next(), deadline - absl::Now()));
    } else {
      RETURN_IF_ERROR(Named(status));
      TroubleIsOver();
      WaitForNews(deadline);
    }
    if (absl::Now() >= deadline) return absl::OkStatus();
  }
}

void SqliteReader::WarnOf(const absl::Status& trouble) {
  if (absl::Now() < next_warning_) return;
  LogWarn("eventlog", "cannot read the log file, waiting",
          {{"path", db_->path()},
           {"topic", topic_},
           {"error", std::string(StdSv(trouble.message()))},
           {"next", "see to its disk, or free the lock; it goes on by itself"}});
  next_warning_ = absl::Now() + kWarnEvery;
}

void SqliteReader::TroubleIsOver() {
  if (std::exchange(next_warning_, absl::InfinitePast()) == absl::InfinitePast()) return;
  LogInfo("eventlog", "reading the log file again", {{"path", db_->path()}, {"topic", topic_}});
}

absl::Status SqliteReader::Seek(Offset offset) {
  next_ = offset;
  joiner_.Reset();
  return absl::OkStatus();
}

absl::StatusOr<bool> SqliteReader::Fetch(std::vector<LogRecord>* records) {
  used_ = 0;
  const Offset from = next_;
  Offset end = 0;  // of the last block seen
  size_t bytes = 0;
  select_.BindInt(1, next_);
  const auto take = [&]() -> absl::Status {
    while (bytes < kReadBytesMax) {
      ASSIGN_OR_RETURN(const bool row, select_.Step());
      if (!row) break;
      const Offset first = select_.ColumnInt(0);
      const int64_t count = select_.ColumnInt(1);
      if (first > next_) {
        return Lost(absl::StrFormat("offset %d is wanted, but the log now begins at offset %d: the "
                                    "records between were trimmed away",
                                    next_, first),
                    kCopyAllAnew);
      }
      end = first + count;
      if (end <= next_) continue;
      const std::string_view payload = select_.ColumnBlob(2);
      bytes += payload.size();
      RETURN_IF_ERROR(TakeBlock(first, count, payload, records));
      next_ = end;
    }
    return absl::OkStatus();
  };
  const absl::Status taken = take();
  select_.Reset();
  // What came before a lock got in the way stands.
  if (absl::IsUnavailable(taken) && next_ > from) return true;
  RETURN_IF_ERROR(taken);
  if (end < next_) {
    return Lost(absl::StrFormat("offset %d is wanted, but the log ends at offset %d: it lost its "
                                "end or was made again",
                                next_, end),
                kCopyAllAnew);
  }
  return next_ > from;
}

absl::Status SqliteReader::TakeBlock(Offset first, int64_t count, std::string_view payload,
                                     std::vector<LogRecord>* records) {
  if (used_ == buffers_.size()) buffers_.emplace_back();
  std::string& buffer = buffers_[used_++];
  buffer.assign(payload);
  parsed_.clear();
  RETURN_IF_ERROR(ParseBlock(buffer, first, count, &parsed_));
  for (const LogRecord& record : parsed_) {
    if (record.offset < next_) continue;
    ASSIGN_OR_RETURN(const PartJoiner::Outcome outcome, joiner_.Add(record.offset, record.payload));
    if (outcome == PartJoiner::Outcome::kRecord) {
      records->push_back(record);
    } else if (outcome == PartJoiner::Outcome::kJoined) {
      joined_.push_back(joiner_.TakePayload());
      records->push_back({.offset = joiner_.offset(), .payload = joined_.back()});
    }
  }
  return absl::OkStatus();
}

void SqliteReader::WaitForNews(absl::Time deadline) {
  const absl::Duration patience = inotify_ >= 0 ? kLookAgain : kLookWithoutWatch;
  std::array<pollfd, 2> fds = {pollfd{.fd = inotify_, .events = POLLIN, .revents = 0},
                               pollfd{.fd = cancel_.fd(), .events = POLLIN, .revents = 0}};
  poll(fds.data(), fds.size(), PollTimeout(std::min(deadline, absl::Now() + patience)));
  alignas(inotify_event) std::array<char, 4096> events{};
  while (inotify_ >= 0 && read(inotify_, events.data(), events.size()) > 0) {
  }
}

absl::Status SqliteReader::Named(const absl::Status& status) const {
  return Annotate(status, "topic " + topic_);
}

}  // namespace switchyard::eventlog
