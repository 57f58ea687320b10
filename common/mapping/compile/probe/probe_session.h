// What a Probe asks: a session of NEW, or answers kept from one, so that a mapping compiles without
// a server (tests/support/oracle/recorded_session.h).
//
// Thread safety: one thread.
#pragma once

#include <string_view>

#include "common/pg/session.h"

namespace switchyard::mapping {

// As pg::Session, which says what each means and returns.
class ProbeSession {
 public:
  virtual ~ProbeSession() = default;
  virtual absl::Status Begin() = 0;
  virtual absl::Status Execute(std::string_view sql) = 0;
  virtual absl::StatusOr<pg::Result> Query(std::string_view sql) = 0;
  virtual void Rollback() = 0;
  virtual bool alive() const = 0;
};

// `session` must outlive it.
class LiveProbeSession : public ProbeSession {
 public:
  explicit LiveProbeSession(pg::Session& session) : session_(session) {}
  absl::Status Begin() override { return session_.Begin(); }
  absl::Status Execute(std::string_view sql) override { return session_.Execute(sql); }
  absl::StatusOr<pg::Result> Query(std::string_view sql) override { return session_.Query(sql); }
  void Rollback() override { session_.Rollback(); }
  bool alive() const override { return session_.alive(); }

 private:
  pg::Session& session_;
};

}  // namespace switchyard::mapping
