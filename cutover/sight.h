// What the two rows and the servers they stand on say together: who owns, or that it can't be told.
//
// Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "cutover/ports.h"
#include "cutover/protocol.h"

namespace switchyard::cutover {

struct Facts {
  Ownership ownership;
  std::optional<OldRow> old_row;  // nullopt: OLD does not answer
  History old_now;                // of the servers that answered
  History new_now;
};

// Another driver counts as at work until it has been silent for this long.
inline constexpr absl::Duration kSilenceMax = absl::Milliseconds(500);

struct Judgement {
  Sight sight;
  std::string why;  // it is ambiguous, with both sides' figures; else empty
};

// What NEW's row says by itself.
Sight SightOf(const Ownership& row);

// Ambiguous, since a server may have lost a decision in a failover or a restore:
//   - OLD was told of a later change of owner than NEW's row knows
//   - NEW's row says OLD, OLD is fenced, and NEW is not the server it was when OLD was fenced
//   - NEW's row says NEW, and OLD is open
// An OLD that does not answer is in nobody's way where NEW owns, and no sight at all (Unavailable)
// where it may own.
absl::StatusOr<Judgement> Judge(const Facts& facts);

}  // namespace switchyard::cutover
