// Whose table the rows of a stream are: what is decoded names a leaf, people know its root.
//
//   TableRoots roots(stream.name, session, monitor, shapes, cancel);
//   roots.EnterTransaction(begin.xid);
//   ASSIGN_OR_RETURN(TableFacts facts, roots.Find(relation));
//   RETURN_IF_ERROR(roots.Name(&truncate));
//
// The catalogue is asked as it is now, which may be later than what is decoded: partitions that
// came and went meanwhile make their table suspect. Thread-compatible; what it is made of outlives
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "capture/monitor.h"
#include "capture/publish/publisher.h"
#include "capture/source/drift.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"

namespace switchyard::capture {

class TableRoots {
 public:
  // `shapes`: the tables that are followed, as of the start. `answer` tells the sender that its
  // reader lives.
  TableRoots(std::string stream, pg::Session& session, Monitor& monitor, TableShapes shapes,
             std::function<absl::Status()> answer, const Cancel& cancel)
      : stream_(std::move(stream)),
        session_(session),
        monitor_(monitor),
        shapes_(std::move(shapes)),
        answer_(std::move(answer)),
        cancel_(cancel) {}

  // What follows is decoded of that transaction.
  void EnterTransaction(uint32_t xid) { xid_ = xid; }

  // The root is empty where the table is not mapped.
  absl::StatusOr<TableFacts> Find(const RelationMessage& relation);
  // Says of partitions that were truncated whether they are all that their table has.
  absl::Status Name(TruncateMessage* truncate);

 private:
  // Until others see what the transaction being decoded did.
  absl::Status AwaitVisible() const;
  absl::Status TellInvisible() const;
  absl::StatusOr<RootTable> FindRoot(const RelationMessage& relation);
  absl::StatusOr<RootTable> FindFormerRoot(const RelationMessage& relation, bool is_there) const;
  absl::Status NoteLeaf(const RelationMessage& relation, const RootTable& root);

  const std::string stream_;
  pg::Session& session_;
  Monitor& monitor_;
  TableShapes shapes_;  // and the leaves that came since
  const std::function<absl::Status()> answer_;
  const Cancel& cancel_;
  uint32_t xid_ = 0;
};

}  // namespace switchyard::capture
