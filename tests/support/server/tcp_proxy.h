// A TCP proxy on a free port of 127.0.0.1 that can cut, stall and refuse: for tests of lost
// connections.
//
//   ASSERT_OK_AND_ASSIGN(auto proxy, TcpProxy::Start({.unix_path = server->socket_path()}));
//   auto session = Session::Connect({.dsn = proxy->dsn()}, cancel);
//   proxy->CutReplyTo("COMMIT");      // the server commits, the client never hears of it
//
// One thread inside; all methods may be called from any thread. Ends with the object.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/base/status.h"

namespace switchyard::testing {

class TcpProxy {
 public:
  struct Options {
    std::string unix_path;  // where the server listens: a Unix socket,
    int tcp_port = 0;       // or else a port of 127.0.0.1
  };
  static absl::StatusOr<std::unique_ptr<TcpProxy>> Start(Options options);
  virtual ~TcpProxy() = default;

  virtual int port() const = 0;
  // A libpq connection string through the proxy, without TLS.
  std::string dsn(std::string_view database = "postgres") const;

  // Resets every connection there is; new ones are let through.
  virtual void CutAll() = 0;
  // Bytes stay where they are, connections stay open (a cable pulled out); new ones are accepted
  // but hear nothing.
  virtual void Stall() = 0;
  virtual void Resume() = 0;
  // New connections are reset at once while on.
  virtual void RefuseNew(bool refuse) = 0;

  // Once, at the next time a client sends `bytes`: cut the connection before the server gets it,
  // or pass it on and cut when the server answers. "" takes the order back.
  virtual void CutBefore(std::string_view bytes) = 0;
  virtual void CutReplyTo(std::string_view bytes) = 0;

  virtual int open_connections() const = 0;
  virtual int64_t accepted_connections() const = 0;
  // True when an order of CutBefore or CutReplyTo was carried out within `timeout`.
  virtual bool AwaitCut(absl::Duration timeout) = 0;
};

}  // namespace switchyard::testing
