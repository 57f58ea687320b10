#include "cutover/traffic/haproxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/finding.h"
#include "common/base/wait/poll_timeout.h"

namespace switchyard::cutover {
namespace {

// HAProxy Management Guide, 9.3, "show servers state", version 1 of the format.
constexpr size_t kServerName = 3;
constexpr size_t kAdminState = 6;
constexpr char kOneReady[] = "on its runtime API: set server BACKEND/SERVER state ready (or maint)";
// Bits of it but this one are kinds of maintenance and drain. This one only tells that the
// configuration says "disabled", also once the server was made ready.
constexpr int kDisabledByConfiguration = 4;

class Socket {
 public:
  Socket() : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // A Unix socket connects at once or not at all.
  absl::Status Connect(const std::string& path) const {
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    if (path.size() >= sizeof(address.sun_path)) {
      return absl::InvalidArgumentError(absl::StrCat("the path of the socket is too long: ", path));
    }
    std::copy(path.begin(), path.end(), address.sun_path);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return absl::OkStatus();
    }
    return absl::UnavailableError(
        absl::StrCat("no answer at ", path, ": ", absl::ErrnoToStatus(errno, "connect").message()));
  }

  absl::Status Send(const std::string& text, absl::Time deadline) const {
    RETURN_IF_ERROR(Await(POLLOUT, deadline));
    if (send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())) {
      return absl::OkStatus();
    }
    return absl::UnavailableError("the command could not be sent as a whole");
  }

  // Up to the end of what the other side says.
  absl::StatusOr<std::string> ReceiveAll(absl::Time deadline) const {
    std::string all;
    std::array<char, 16384> part;
    while (true) {
      RETURN_IF_ERROR(Await(POLLIN, deadline));
      const ssize_t count = recv(fd_, part.data(), part.size(), 0);
      if (count == 0) return all;
      if (count < 0) return absl::UnavailableError("the answer broke off");
      all.append(part.data(), static_cast<size_t>(count));
    }
  }

 private:
  absl::Status Await(short events, absl::Time deadline) const {
    pollfd waits = {.fd = fd_, .events = events, .revents = 0};
    while (poll(&waits, 1, PollTimeout(deadline)) <= 0) {
      if (absl::Now() >= deadline) return absl::DeadlineExceededError("no answer in time");
    }
    return absl::OkStatus();
  }

  const int fd_;
};

}  // namespace

const std::string& HaProxy::Server(Side side) const {
  return side == Side::kOld ? options_.old_server : options_.new_server;
}

absl::Time HaProxy::Deadline(absl::Duration limit) const {
  return absl::Now() + std::min(limit, options_.timeout);
}

absl::StatusOr<std::string> HaProxy::Ask(const std::string& command, absl::Time deadline) const {
  const Socket socket;
  RETURN_IF_ERROR(socket.Connect(options_.socket));
  RETURN_IF_ERROR(Annotate(socket.Send(absl::StrCat(command, "\n"), deadline), command));
  absl::StatusOr<std::string> answer = socket.ReceiveAll(deadline);
  if (!answer.ok()) return Annotate(answer.status(), command);
  return answer;
}

// What changes something is answered by an empty line; anything else is why it was not done.
absl::Status HaProxy::Tell(const std::string& command, absl::Time deadline) const {
  ASSIGN_OR_RETURN(const std::string answer, Ask(command, deadline));
  const auto said = absl::StripAsciiWhitespace(answer);
  if (said.empty()) return absl::OkStatus();
  return Refuse(absl::StrCat(command, ": ", said), "give its socket: level admin");
}

absl::StatusOr<HaProxy::Ready> HaProxy::Look(absl::Time deadline) const {
  ASSIGN_OR_RETURN(const std::string answer,
                   Ask(absl::StrCat("show servers state ", options_.backend), deadline));
  Ready ready;
  int found = 0;
  for (const auto& line : absl::StrSplit(answer, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() <= kAdminState) continue;
    int state = -1;
    const bool is_ready =
        absl::SimpleAtoi(fields[kAdminState], &state) && (state & ~kDisabledByConfiguration) == 0;
    if (fields[kServerName] == options_.old_server) ready.old_server = is_ready, ++found;
    if (fields[kServerName] == options_.new_server) ready.new_server = is_ready, ++found;
  }
  if (found == 2) return ready;
  return Refuse(
      absl::StrFormat("backend %s of HAProxy %s has not the two servers %s and %s: %s",
                      options_.backend, options_.name, options_.old_server, options_.new_server,
                      std::string(absl::StripAsciiWhitespace(answer).substr(0, 200))),
      "name them as its configuration does");
}

absl::Status HaProxy::Verify(Side side, absl::Duration limit) {
  ASSIGN_OR_RETURN(const Ready ready, Look(Deadline(limit)));
  const bool mine = side == Side::kOld ? ready.old_server : ready.new_server;
  const bool other = side == Side::kOld ? ready.new_server : ready.old_server;
  if (mine && !other) return absl::OkStatus();
  return Refuse(
      absl::StrFormat("server %s is %s and server %s is %s: clients of %s do not go to %s alone",
                      options_.old_server, ready.old_server ? "ready" : "in maintenance",
                      options_.new_server, ready.new_server ? "ready" : "in maintenance",
                      options_.name, std::string(Name(side))),
      kOneReady);
}

absl::Status HaProxy::Hold(int64_t /*epoch*/, absl::Duration limit) {
  ASSIGN_OR_RETURN(const Ready ready, Look(Deadline(limit)));
  if (ready.old_server != ready.new_server) return absl::OkStatus();
  return Refuse(absl::StrFormat("%s servers of backend %s are ready",
                                ready.old_server ? "both" : "none of the", options_.backend),
                kOneReady);
}

// The other one out first: no client is to meet both.
absl::Status HaProxy::Flip(Side side, int64_t /*epoch*/, absl::Duration limit) {
  const absl::Time deadline = Deadline(limit);
  const std::string mine = absl::StrCat(options_.backend, "/", Server(side));
  const std::string other = absl::StrCat(options_.backend, "/", Server(Other(side)));
  RETURN_IF_ERROR(Tell(absl::StrCat("set server ", other, " state maint"), deadline));
  RETURN_IF_ERROR(Tell(absl::StrCat("set server ", mine, " state ready"), deadline));
  RETURN_IF_ERROR(Tell(absl::StrCat("shutdown sessions server ", other), deadline));
  return Verify(side, deadline - absl::Now());
}

absl::Status HaProxy::Resume(int64_t /*epoch*/, absl::Duration limit) {
  return Look(Deadline(limit)).status();
}

}  // namespace switchyard::cutover
