// A changed mapping taken into NEW (`switchyard resume`): once its tables are copied again, what is
// derived from them is derived anew.
//
//   RETURN_IF_ERROR(resume.Load());                 // before streaming
//   if (resume.open()) resume.Step(recopy);         // between batches
//
// Thread-compatible. What it is given must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "common/mapping/plan.h"
#include "common/mapping/plan_change.h"
#include "replayer/copy/recopy.h"
#include "replayer/target/pg_target.h"

namespace switchyard::replayer {

class Resume {
 public:
  Resume(std::string stream, PgTarget& target, const mapping::Plan& plan);

  // The oldest request of kind resume that is open.
  absl::Status Load();
  // NEW is not to be read until it is done.
  bool open() const { return open_.has_value(); }
  // Tables of NEW that it derives.
  std::vector<std::string> tables() const;
  // Ends it once all that it waits for is copied.
  absl::Status Step(Recopy& recopy);

 private:
  struct Request {
    int64_t id = 0;
    mapping::ResumeWork work;
  };

  absl::Status DeriveChanged();

  const std::string stream_;
  PgTarget& target_;
  const mapping::Plan& plan_;
  std::optional<Request> open_;
};

}  // namespace switchyard::replayer
