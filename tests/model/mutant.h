// The protocol with one of its rules taken away: steps in another order, or left out.
#pragma once

#include "cutover/protocol.h"
#include "tests/model/world.h"

namespace switchyard::model {

// cutover::Next() where `rules` are whole.
cutover::State MutatedNext(const cutover::State& state, const cutover::Event& event,
                           const Rules& rules);

}  // namespace switchyard::model
