#include "cutover/phase.h"

#include <array>
#include <cstddef>

namespace switchyard::cutover {
namespace {

// In the order of the enum.
constexpr std::array kPhases = std::to_array<std::string_view>({
    "gates",
    "read row",
    "take epoch",
    "look",
    "move OLD's row",
    "standby driver",
    "prove the way back",
    "hold proxies",
    "lock tables",
    "write marker",
    "marker applied",
    "compare last keys",
    "set sequences",
    "close",
    "close flushed",
    "check sequences",
    "open",
    "open flushed",
    "tell OLD",
    "flip proxies",
    "canary",
    "canary back",
    "observe",
    "unload triggers",
    "release locks",
    "rest",
    "resume proxies",
    "end",
});
static_assert(kPhases.size() == static_cast<size_t>(Phase::kEnd) + 1);

constexpr std::array kGoals = std::to_array<std::string_view>({"cutover", "rollback", "recover"});
static_assert(kGoals.size() == static_cast<size_t>(Goal::kRecover) + 1);

constexpr std::array kResults = std::to_array<std::string_view>(
    {"under way", "done", "aborted", "refused", "superseded", "unfinished", "ambiguous"});
static_assert(kResults.size() == static_cast<size_t>(Result::kAmbiguous) + 1);

}  // namespace

std::string_view Name(Phase phase) { return kPhases.at(static_cast<size_t>(phase)); }
std::string_view Name(Goal goal) { return kGoals.at(static_cast<size_t>(goal)); }
std::string_view Name(Result result) { return kResults.at(static_cast<size_t>(result)); }

}  // namespace switchyard::cutover
