#include "tests/support/server/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/mutex.h"

namespace switchyard::testing {
namespace {

constexpr size_t kBufferBytes = 256 << 10;

// One direction of a connection: bytes read and not written yet.
struct Pipe {
  int from = -1;
  int to = -1;
  std::string buffer;
  bool ended = false;  // `from` said end of file

  bool WantsRead() const { return !ended && buffer.size() < kBufferBytes; }

  // False when the connection is gone.
  bool Read() {
    std::array<char, 65536> chunk;
    const ssize_t got = recv(from, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got > 0) buffer.append(chunk.data(), static_cast<size_t>(got));
    if (got == 0) ended = true;
    return got >= 0 || errno == EAGAIN || errno == EINTR;
  }

  bool Write() {
    if (!buffer.empty()) {
      const ssize_t sent = send(to, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      buffer.erase(0, static_cast<size_t>(sent));
    }
    if (ended && buffer.empty()) shutdown(to, SHUT_WR);
    return true;
  }
};

struct Connection {
  int client = -1;
  int server = -1;
  Pipe up;  // client to server
  Pipe down;
  std::string recent;  // the end of what the client sent, for patterns cut by a read
  bool cut_on_reply = false;
};

void Reset(int fd) {
  // Linger 0 makes close(2) send a reset, as a crashed host's successor would.
  const linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

class TcpProxyImpl : public TcpProxy {
 public:
  TcpProxyImpl(Options options, int listener, int port)
      : options_(std::move(options)),
        listener_(listener),
        port_(port),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        thread_([this] { Loop(); }) {}

  ~TcpProxyImpl() override {
    Tell([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { orders_.stop = true; });
    thread_.join();
    close(listener_);
    close(wake_);
  }

  int port() const override { return port_; }
  void CutAll() override {
    Tell([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { orders_.cut_all = true; });
    MutexLock lock(&mu_);
    while (orders_.cut_all) changed_.Wait(&mu_);
  }
  void Stall() override {
    Tell([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { orders_.stalled = true; });
  }
  void Resume() override {
    Tell([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { orders_.stalled = false; });
  }
  void RefuseNew(bool refuse) override {
    Tell([this, refuse]() ABSL_NO_THREAD_SAFETY_ANALYSIS { orders_.refuse = refuse; });
  }
  void CutBefore(std::string_view bytes) override { Arm(bytes, false); }
  void CutReplyTo(std::string_view bytes) override { Arm(bytes, true); }

  int open_connections() const override {
    MutexLock lock(&mu_);
    return open_;
  }
  int64_t accepted_connections() const override {
    MutexLock lock(&mu_);
    return accepted_;
  }
  bool AwaitCut(absl::Duration timeout) override {
    const absl::Time deadline = absl::Now() + timeout;
    MutexLock lock(&mu_);
    while (!cut_done_ && absl::Now() < deadline) changed_.WaitFor(&mu_, deadline - absl::Now());
    return cut_done_;
  }

 private:
  // What the test wants, read by the thread at every turn.
  struct Orders {
    bool stop = false;
    bool cut_all = false;
    bool stalled = false;
    bool refuse = false;
    std::string pattern;
    bool let_pattern_pass = false;
  };

  template <typename Change>
  void Tell(Change change) {
    {
      MutexLock lock(&mu_);
      change();
    }
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  }

  void Arm(std::string_view bytes, bool let_pass) {
    Tell([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      orders_.pattern = bytes;
      orders_.let_pattern_pass = let_pass;
      cut_done_ = false;
    });
  }

  void Loop() {
    while (true) {
      Orders orders;
      {
        MutexLock lock(&mu_);
        orders = orders_;
        open_ = static_cast<int>(connections_.size());
      }
      if (orders.stop || orders.cut_all) CloseAll();
      if (orders.stop) return;
      if (orders.cut_all) {
        MutexLock lock(&mu_);
        orders_.cut_all = false;
        open_ = 0;
        changed_.SignalAll();
        continue;
      }
      PollOnce(orders);
    }
  }

  void PollOnce(const Orders& orders) {
    std::vector<pollfd> fds = {{.fd = wake_, .events = POLLIN, .revents = 0},
                               {.fd = listener_, .events = POLLIN, .revents = 0}};
    for (const Connection& c : connections_) {
      fds.push_back({.fd = orders.stalled ? -1 : c.client, .events = Events(c.up, c.down)});
      fds.push_back({.fd = orders.stalled ? -1 : c.server, .events = Events(c.down, c.up)});
    }
    if (poll(fds.data(), fds.size(), -1) <= 0) return;
    if (fds[0].revents != 0) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = read(wake_, &count, sizeof count);
      return;  // orders first
    }
    std::vector<Connection> kept;
    for (size_t i = 0; i < connections_.size(); ++i) {
      Connection& connection = connections_[i];
      const bool active = fds[2 + 2 * i].revents != 0 || fds[3 + 2 * i].revents != 0;
      if (!active || Serve(&connection, orders)) {
        kept.push_back(std::move(connection));
      } else {
        Reset(connection.client);
        Reset(connection.server);
      }
    }
    connections_ = std::move(kept);
    if (fds[1].revents != 0) Accept(orders);
  }

  static short Events(const Pipe& incoming, const Pipe& outgoing) {
    return static_cast<short>((incoming.WantsRead() ? POLLIN : 0) |
                              (outgoing.buffer.empty() ? 0 : POLLOUT));
  }

  // False when the connection is to be reset.
  bool Serve(Connection* connection, const Orders& orders) {
    Pipe& up = connection->up;
    Pipe& down = connection->down;
    if (up.WantsRead()) {
      const size_t before = up.buffer.size();
      if (!up.Read()) return false;
      if (!Watch(connection, std::string_view(up.buffer).substr(before), orders)) return false;
    }
    if (down.WantsRead() && !down.Read()) return false;
    if (connection->cut_on_reply && !down.buffer.empty()) {
      ReportCut();
      return false;
    }
    if (!up.Write() || !down.Write()) return false;
    return !(up.ended && down.ended && up.buffer.empty() && down.buffer.empty());
  }

  // Looks for the armed pattern in what the client sent; false to cut at once.
  bool Watch(Connection* connection, std::string_view fresh, const Orders& orders) {
    if (orders.pattern.empty() || connection->cut_on_reply) return true;
    connection->recent += fresh;
    const bool found = connection->recent.find(orders.pattern) != std::string::npos;
    const size_t keep = std::min(connection->recent.size(), orders.pattern.size() - 1);
    connection->recent.erase(0, connection->recent.size() - keep);
    if (!found) return true;
    {
      MutexLock lock(&mu_);
      orders_.pattern.clear();
    }
    connection->cut_on_reply = orders.let_pattern_pass;
    if (!orders.let_pattern_pass) ReportCut();
    return orders.let_pattern_pass;
  }

  void ReportCut() {
    MutexLock lock(&mu_);
    cut_done_ = true;
    changed_.SignalAll();
  }

  void Accept(const Orders& orders) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = orders.refuse ? -1 : ConnectToServer();
    if (server < 0) return Reset(client);
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connections_.push_back({.client = client,
                            .server = server,
                            .up = {.from = client, .to = server},
                            .down = {.from = server, .to = client}});
    MutexLock lock(&mu_);
    ++accepted_;
  }

  int ConnectToServer() const {
    const bool local = !options_.unix_path.empty();
    const int fd = socket(local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    sockaddr_un path = {};
    path.sun_family = AF_UNIX;
    options_.unix_path.copy(path.sun_path, sizeof path.sun_path - 1);
    const sockaddr_in port = Loopback(options_.tcp_port);
    const int result = local ? connect(fd, reinterpret_cast<const sockaddr*>(&path), sizeof path)
                             : connect(fd, reinterpret_cast<const sockaddr*>(&port), sizeof port);
    if (result == 0) return fd;
    close(fd);
    return -1;
  }

  void CloseAll() {
    for (const Connection& connection : connections_) {
      Reset(connection.client);
      Reset(connection.server);
    }
    connections_.clear();
  }

  const Options options_;
  const int listener_;
  const int port_;
  const int wake_;
  std::vector<Connection> connections_;  // the thread's own
  mutable Mutex mu_;
  CondVar changed_;
  Orders orders_ ABSL_GUARDED_BY(mu_);
  bool cut_done_ ABSL_GUARDED_BY(mu_) = false;
  int open_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t accepted_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace

std::string TcpProxy::dsn(std::string_view database) const {
  return absl::StrFormat("host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable", port(),
                         database);
}

absl::StatusOr<std::unique_ptr<TcpProxy>> TcpProxy::Start(Options options) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return absl::ErrnoToStatus(errno, "socket");
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, SOMAXCONN) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    const int error = errno;
    close(listener);
    return absl::ErrnoToStatus(error, "listen on 127.0.0.1");
  }
  return std::unique_ptr<TcpProxy>(
      new TcpProxyImpl(std::move(options), listener, ntohs(address.sin_port)));
}

}  // namespace switchyard::testing
