// A PgBouncer (1.18 or newer) as a traffic switch: PAUSE, its list of databases rewritten, RELOAD,
// RESUME, each looked at in SHOW DATABASES and by a query through the pool.
//
// The file of databases is Switchyard's own, included by the pooler's configuration
// (%include /etc/pgbouncer/shop.ini), and is replaced as a whole:
//
//   ; written by switchyard: shop
//   [databases]
//   shop = host=db1 port=5432 dbname=shop
//
// PAUSE waits until every server connection is free, on a connection of its own; closing that takes
// nothing back. So a PAUSE that hangs is given up by RESUME from another one, and a PAUSE that a
// dead driver left is resumed by whoever calls Resume() or Flip().
#pragma once

#include <string>
#include <vector>

#include "common/pg/console.h"
#include "cutover/traffic/switch.h"

namespace switchyard::cutover {

struct PgBouncerOptions {
  std::string name;         // of this switch
  std::string console_dsn;  // its admin console: dbname=pgbouncer, a user of admin_users
  std::string database;     // by the name that clients use
  std::string file;         // of databases, written by this switch
  std::string old_target;   // "host=db1 port=5432 dbname=shop", as it stands in the file
  std::string new_target;
  std::string probe_dsn;  // through the pool, as an application's role; empty: not tried
  absl::Duration timeout = absl::Seconds(5);  // of each call
};

class PgBouncer : public Switch {
 public:
  explicit PgBouncer(PgBouncerOptions options) : options_(std::move(options)) {}

  const std::string& name() const override { return options_.name; }
  absl::Status Verify(Side side, absl::Duration limit) override;
  absl::Status Hold(int64_t epoch, absl::Duration limit) override;
  absl::Status Flip(Side side, int64_t epoch, absl::Duration limit) override;
  absl::Status Resume(int64_t epoch, absl::Duration limit) override;

  // Whether its settings fit a cutover: its pools are of transactions or statements, waiting
  // clients are kept longer than `pause_budget`, a refused login to a server is soon tried again,
  // the file is this switch's own. FailedPrecondition with every one that does not.
  absl::Status CheckSettings(absl::Duration pause_budget, absl::Duration limit);

 private:
  struct Pool {
    std::string host;
    std::string port;
    std::string pool_mode;
    bool paused = false;
    bool disabled = false;
  };

  absl::StatusOr<pg::ConsoleRows> Ask(const std::string& command, absl::Time deadline);
  absl::StatusOr<Pool> Look(absl::Time deadline);
  absl::Status AwaitTarget(Side side, absl::Time deadline);
  absl::Status ResumeBy(absl::Time deadline);
  absl::Status Probe(absl::Time deadline);
  absl::Status CheckFile() const;
  absl::Status WriteFile(Side side) const;
  absl::Status PointsAt(const Pool& pool, Side side) const;
  const std::string& Target(Side side) const;
  absl::Time Deadline(absl::Duration limit) const;

  const PgBouncerOptions options_;
};

}  // namespace switchyard::cutover
