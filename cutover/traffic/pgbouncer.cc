#include "cutover/traffic/pgbouncer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/wait/clock.h"

namespace switchyard::cutover {
namespace {

constexpr char kMark[] = "; written by switchyard: ";
constexpr absl::Duration kLookAgain = absl::Milliseconds(2);
constexpr absl::Duration kGiveUp = absl::Seconds(1);  // for what lets clients go on
constexpr absl::Duration kLoginRetryMax = absl::Seconds(1);

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// "host" of "host=db1 port=5432"; `otherwise` where it isn't there.
std::string Word(const std::string& target, std::string_view key, std::string otherwise) {
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(target, ' '))) {
    const std::string prefix = absl::StrCat(std::string(key), "=");
    if (absl::StartsWith(word, prefix)) return word.substr(prefix.size());
  }
  return otherwise;
}

// Quoted as PgBouncer's console wants a name.
std::string Quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

absl::Status Replace(const std::string& path, const std::string& text) {
  const std::string fresh = absl::StrCat(path, ".new");
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return absl::ErrnoToStatus(errno, fresh);
  const ssize_t written = write(fd, text.data(), text.size());
  const bool flushed = written == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!flushed) return absl::ErrnoToStatus(error, fresh);
  if (rename(fresh.c_str(), path.c_str()) != 0) return absl::ErrnoToStatus(errno, path);
  return absl::OkStatus();
}

}  // namespace

const std::string& PgBouncer::Target(Side side) const {
  return side == Side::kOld ? options_.old_target : options_.new_target;
}

absl::Time PgBouncer::Deadline(absl::Duration limit) const {
  return absl::Now() + std::min(limit, options_.timeout);
}

absl::StatusOr<pg::ConsoleRows> PgBouncer::Ask(const std::string& command, absl::Time deadline) {
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Console> console,
                   pg::Console::Connect(options_.console_dsn, deadline));
  return console->Run(command, deadline);
}

absl::StatusOr<PgBouncer::Pool> PgBouncer::Look(absl::Time deadline) {
  ASSIGN_OR_RETURN(pg::ConsoleRows rows, Ask("SHOW DATABASES", deadline));
  for (auto& row : rows) {
    if (row["name"] != options_.database) continue;
    return Pool{.host = row["host"],
                .port = row["port"],
                .pool_mode = row["pool_mode"],
                .paused = row["paused"] == "1",
                .disabled = row["disabled"] == "1"};
  }
  return Refuse(absl::StrFormat("it has no database %s", options_.database),
                absl::StrFormat("let its configuration %%include %s", options_.file));
}

absl::Status PgBouncer::PointsAt(const Pool& pool, Side side) const {
  const std::string& target = Target(side);
  if (pool.host == Word(target, "host", "") && pool.port == Word(target, "port", "5432")) {
    return absl::OkStatus();
  }
  return Refuse(
      absl::StrFormat("database %s leads to %s port %s, not to %s (%s)", options_.database,
                      pool.host, pool.port, std::string(Name(side)), target),
      absl::StrFormat("let its line in %s say so, then RELOAD", options_.file));
}

absl::Status PgBouncer::Probe(absl::Time deadline) {
  if (options_.probe_dsn.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::unique_ptr<pg::Console> pool,
                   pg::Console::Connect(options_.probe_dsn, deadline));
  return Annotate(pool->Run("SELECT 1", deadline).status(), "a query through the pool");
}

absl::Status PgBouncer::Verify(Side side, absl::Duration limit) {
  const absl::Time deadline = Deadline(limit);
  ASSIGN_OR_RETURN(const Pool pool, Look(deadline));
  if (pool.paused || pool.disabled) {
    return Refuse(absl::StrFormat("database %s is %s", options_.database,
                                  pool.paused ? "paused" : "disabled"),
                  absl::StrFormat("on its console: %s %s", pool.paused ? "RESUME" : "ENABLE",
                                  options_.database));
  }
  RETURN_IF_ERROR(PointsAt(pool, side));
  return Probe(deadline);
}

absl::Status PgBouncer::Hold(int64_t /*epoch*/, absl::Duration limit) {
  const absl::Time deadline = Deadline(limit);
  ASSIGN_OR_RETURN(const Pool before, Look(deadline));
  if (before.paused) return absl::OkStatus();  // by a driver that died
  absl::Status paused = Ask(absl::StrCat("PAUSE ", Quoted(options_.database)), deadline).status();
  if (paused.ok()) {
    ASSIGN_OR_RETURN(const Pool pool, Look(deadline));
    if (pool.paused) return absl::OkStatus();
    paused = absl::UnavailableError("PAUSE was answered, and taken back by somebody");
  }
  const absl::Status resumed = ResumeBy(absl::Now() + kGiveUp);
  if (resumed.ok()) return paused;
  return absl::Status(paused.code(),
                      absl::StrCat(paused.message(), "; and RESUME: ", resumed.message()));
}

// A PAUSE that is still waited for is taken back by RESUME as well, though the pool is not paused.
absl::Status PgBouncer::ResumeBy(absl::Time deadline) {
  const absl::Status asked =
      Ask(absl::StrCat("RESUME ", Quoted(options_.database)), deadline).status();
  ASSIGN_OR_RETURN(const Pool pool, Look(deadline));
  if (!pool.paused) return absl::OkStatus();  // or it was not: RESUME says so by an error
  return asked.ok() ? absl::UnavailableError("it is paused still") : asked;
}

absl::Status PgBouncer::Resume(int64_t /*epoch*/, absl::Duration limit) {
  return ResumeBy(Deadline(limit));
}

absl::Status PgBouncer::CheckFile() const {
  const std::string text = ReadFile(options_.file);
  if (absl::StartsWith(text, absl::StrCat(kMark, options_.database, "\n"))) return absl::OkStatus();
  return Refuse(absl::StrFormat("%s does not begin with \"%s%s\": it is not this switch's",
                                options_.file, kMark, options_.database),
                "make it of that line, [databases] and one line for the database, and %include it");
}

absl::Status PgBouncer::WriteFile(Side side) const {
  RETURN_IF_ERROR(CheckFile());
  return Replace(options_.file, absl::StrCat(kMark, options_.database, "\n[databases]\n",
                                             options_.database, " = ", Target(side), "\n"));
}

absl::Status PgBouncer::AwaitTarget(Side side, absl::Time deadline) {
  const Cancel never;
  while (true) {
    ASSIGN_OR_RETURN(const Pool pool, Look(deadline));
    const absl::Status there = PointsAt(pool, side);
    if (there.ok() || absl::Now() >= deadline) return there;
    Clock::System().WaitFor(kLookAgain, never);
  }
}

absl::Status PgBouncer::Flip(Side side, int64_t /*epoch*/, absl::Duration limit) {
  const absl::Time deadline = Deadline(limit);
  RETURN_IF_ERROR(WriteFile(side));
  RETURN_IF_ERROR(Ask("RELOAD", deadline).status());
  RETURN_IF_ERROR(AwaitTarget(side, deadline));
  RETURN_IF_ERROR(ResumeBy(deadline));
  return Probe(deadline);
}

absl::Status PgBouncer::CheckSettings(absl::Duration pause_budget, absl::Duration limit) {
  const absl::Time deadline = Deadline(limit);
  ASSIGN_OR_RETURN(const Pool pool, Look(deadline));
  ASSIGN_OR_RETURN(pg::ConsoleRows rows, Ask("SHOW CONFIG", deadline));
  std::map<std::string, std::string> config;
  for (auto& row : rows) config[row["key"]] = row["value"];
  const auto seconds = [&](const char* key) {
    double value = 0;
    return absl::SimpleAtod(config[key], &value) ? absl::Seconds(value) : absl::ZeroDuration();
  };
  std::vector<Finding> findings;
  const std::string mode = pool.pool_mode.empty() ? config["pool_mode"] : pool.pool_mode;
  if (mode == "session") {
    findings.push_back({"its pools are of sessions: PAUSE would wait for every client to leave",
                        "pool_mode = transaction"});
  }
  const absl::Duration patience = seconds("query_wait_timeout");  // 0: for ever
  if (patience > absl::ZeroDuration() && patience <= pause_budget) {
    findings.push_back(
        {absl::StrFormat("query_wait_timeout is %s, and writers may wait for %s",
                         absl::FormatDuration(patience), absl::FormatDuration(pause_budget)),
         "raise query_wait_timeout above pause_budget"});
  }
  const absl::Duration retry = seconds("server_login_retry");
  if (retry > kLoginRetryMax) {
    findings.push_back({absl::StrFormat("server_login_retry is %s: so long clients would wait for "
                                        "a server that refused once",
                                        absl::FormatDuration(retry)),
                        "server_login_retry = 1"});
  }
  const absl::Status file = CheckFile();
  if (!file.ok()) findings.push_back(FindingOf(file, ""));
  return RefuseAll(absl::StrCat("PgBouncer ", options_.name, ":"), findings);
}

}  // namespace switchyard::cutover
