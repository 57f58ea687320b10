// Answers of a database to what compiling a mapping asks, kept in a file: so that a plan is made
// without a server, and always the same.
//
//   RecordingSession live(*new_session);            // on a server
//   Compile(input, live, &faults);
//   live.answers();                                  // text to keep
//
//   ASSERT_OK_AND_ASSIGN(auto kept, ReplayedSession::Of(text));
//   Compile(input, *kept, &faults);                  // asks in the same order, or fails
//
// A line an answer, as JSON: a fingerprint of the statement asked, and columns, rows or the error.
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/catalog/catalog.h"
#include "common/mapping/compile/probe/probe_session.h"

namespace switchyard::testing {

class RecordingSession : public mapping::ProbeSession {
 public:
  explicit RecordingSession(pg::Session& session) : live_(session) {}
  absl::Status Begin() override { return live_.Begin(); }
  absl::Status Execute(std::string_view sql) override;
  absl::StatusOr<pg::Result> Query(std::string_view sql) override;
  void Rollback() override { live_.Rollback(); }
  bool alive() const override { return live_.alive(); }

  const std::string& answers() const { return answers_; }

 private:
  mapping::LiveProbeSession live_;
  std::string answers_;
};

class ReplayedSession : public mapping::ProbeSession {
 public:
  explicit ReplayedSession(std::vector<std::string> answers) : answers_(std::move(answers)) {}
  static std::unique_ptr<ReplayedSession> Of(const std::string& text);
  absl::Status Begin() override { return absl::OkStatus(); }
  absl::Status Execute(std::string_view sql) override { return Query(sql).status(); }
  // DataLoss when another statement was asked at this place.
  absl::StatusOr<pg::Result> Query(std::string_view sql) override;
  void Rollback() override {}
  bool alive() const override { return true; }

 private:
  std::vector<std::string> answers_;
  size_t next_ = 0;
};

// With the numbers that differ from server to server (OIDs, sizes, identifiers) made alike.
catalog::Catalog Normalised(catalog::Catalog database);

}  // namespace switchyard::testing
