// One side's server, as a driver needs it: which one it is, the marker in its log, and whether its
// standbys have what it committed.
//
// Thread-compatible; the link must outlive it. It is to be a link of its own: not that of the
// locks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cutover/ports.h"
#include "cutover/postgres/control_link.h"

namespace switchyard::cutover {

// Prefix of the marker's message; its content is MarkerContent().
inline constexpr char kMarkerPrefix[] = "switchyard.marker";
// "shop 7"
std::string MarkerContent(const std::string& migration, int64_t epoch);

struct PgServerOptions {
  std::string migration;
  std::string stream;  // that reads this side: "shop.forward"
  // By application_name. `expected`: must be there and up to date, though the server does not show
  // what stands behind them; `excluded`: may be late, as they can't be promoted.
  std::vector<std::string> expected_standbys, excluded_standbys;
};

class PgServer : public Server {
 public:
  PgServer(ControlLink& link, PgServerOptions options, const Cancel& cancel)
      : link_(link), options_(std::move(options)), cancel_(cancel) {}

  absl::StatusOr<History> ReadHistory(absl::Duration limit) override;
  // Not the very LSN of the commit, which SQL does not tell, but a point just behind it: every
  // commit up to the marker's is below.
  absl::StatusOr<Lsn> WriteMarker(int64_t epoch, absl::Duration limit) override;
  absl::Status AwaitStandbys(absl::Duration limit) override;

 private:
  // Those that lack commits up to `lsn`, in words; empty: none does.
  absl::StatusOr<std::string> Behind(Lsn lsn, absl::Duration limit);

  ControlLink& link_;
  const PgServerOptions options_;
  const Cancel& cancel_;
};

}  // namespace switchyard::cutover
