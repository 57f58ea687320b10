// How far a long transaction is, for those who look on from outside: nothing that it writes can be
// seen before it ends, but the name of its session can.
//
//   RETURN_IF_ERROR(ShowStep(session, {.step = 3, .steps = 7, .work = "derives public.users"}));
//
// The name is that of before once the transaction ends, in whichever way.
// Thread safety: functions over the session given, and pure ones.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::records {

struct Step {
  int step = 0;  // from 1
  int steps = 0;
  std::string work;
};

// Within a transaction. Postgres keeps 63 bytes of it.
absl::Status ShowStep(pg::Session& session, const Step& step);
// The step under way goes on slower: a refused row is looked for.
absl::Status ShowRowByRow(pg::Session& session);

// Of an application_name; nullopt when it shows no step.
std::optional<Step> StepIn(std::string_view application_name);

}  // namespace switchyard::records
