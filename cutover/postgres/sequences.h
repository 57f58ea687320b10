// Sequences of both sides, at a flip: those of the side that takes over are set ahead of their
// partners, before it may write, so that no value is given out twice.
//
// A fence doesn't stop nextval(), and a client may have values in store. So they go ahead by a gap
// of twice the increment times what a session and a client keep in store, and the side that closes
// is read again once its fence is permanent.
//
//   PgSequences sequences(old_link, new_link, {{.old_name = "public.orders_id_seq",
//                                               .new_name = "public.orders_id_seq"}});
//
// Thread-compatible; the links must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/pg/rows.h"
#include "cutover/ports.h"
#include "cutover/postgres/control_link.h"

namespace switchyard::cutover {

struct SequencePair {
  std::string old_name, new_name;  // each as a statement names it: "public"."orders_id_seq"
  int64_t block = 1;               // values that a client takes at once, of its own accord
};

// A sequence as it stands.
struct SequenceState {
  int64_t last = 0;  // the furthest value given out; where is_called is false, the next one
  bool is_called = false;
  int64_t increment = 1, cache = 1, min = 1, max = 0;
  bool cycles = false;
};

// The furthest value that `ahead`'s side is to have behind it, if `of` is to be safe from it; by
// __int128 arithmetic, so that nothing wraps. FailedPrecondition: that is past the bound of
// `ahead`. Pure.
absl::StatusOr<int64_t> AheadOf(const SequenceState& of, const SequenceState& ahead, int64_t block,
                                const std::string& name);
// Whether `now`, of the side that closes, went past `set`, to which its partner was set. Pure.
bool WentPast(const SequenceState& now, int64_t set);

class PgSequences : public Sequences {
 public:
  PgSequences(ControlLink& source, ControlLink& target, std::vector<SequencePair> pairs)
      : source_(source), target_(target), pairs_(std::move(pairs)) {}

  absl::Status SetAhead(Side closing, absl::Duration limit) override;
  absl::Status CheckAhead(Side closing, absl::Duration limit) override;

 private:
  absl::StatusOr<std::vector<SequenceState>> Read(Side side, absl::Duration limit);
  ControlLink& Link(Side side) { return side == Side::kOld ? source_ : target_; }
  const std::string& NameOn(Side side, size_t i) const;

  ControlLink& source_;
  ControlLink& target_;
  const std::vector<SequencePair> pairs_;
  std::vector<int64_t> set_;  // by SetAhead, of each pair
};

// Sequences that columns of a table own, identity columns among them.
struct OwnedSequence {
  std::string table, column;  // table as a statement names it
  std::string sequence;       // likewise
};
absl::StatusOr<std::vector<OwnedSequence>> FindOwnedSequences(
    const pg::Sql& sql, const std::vector<std::string>& tables);

}  // namespace switchyard::cutover
