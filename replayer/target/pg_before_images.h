// Before-images (replayer/write/before_images.h) by a second session on the target. Until the
// transaction that writes commits, the other one sees the state before it: whatever was found late,
// in chunks or merged of many transactions. Its snapshot is taken within that transaction, which
// has passed the gate by then, so that nobody else writes what the selects read.
//
// A scope that waits in quarantine keeps the image of before its first refused change: that one
// counts.
//
// Thread-compatible; all it is given must outlive it.
#pragma once

#include <memory>
#include <string>

#include "common/base/status.h"
#include "common/base/wait/cancel.h"
#include "common/pg/session.h"
#include "replayer/target/target_session.h"
#include "replayer/write/before_images.h"
#include "replayer/write/stage.h"

namespace switchyard::replayer {

class Quarantine;

class PgBeforeImages : public BeforeImages {
 public:
  PgBeforeImages(const PgTargetOptions& options, Stage& stage, const Cancel& cancel)
      : options_(options), stage_(stage), cancel_(cancel) {}

  void set_quarantine(const Quarantine* quarantine) { quarantine_ = quarantine; }
  // Whether a scope may be recomputed more than once in a transaction.
  void set_notes(bool notes) { notes_ = notes; }

  absl::Status Fill(mapping::MappingIndex mapping) override;
  absl::Status NoteWritten(mapping::MappingIndex mapping) override;
  // The snapshot is needed no more: it would keep the target from forgetting dead rows.
  void Release();

 private:
  // The snapshot of before the transaction with this number, which is running.
  absl::Status LookBefore(const std::string& transaction);
  absl::Status CopyIn(const pg::Result& rows, const std::string& copy);
  absl::Status TakeFromEntries(mapping::MappingIndex mapping);

  const PgTargetOptions& options_;
  Stage& stage_;
  const Cancel& cancel_;
  const Quarantine* quarantine_ = nullptr;
  std::unique_ptr<pg::Session> session_;
  std::string transaction_;  // the snapshot is of before this one; empty: there is none
  bool notes_ = false;
};

}  // namespace switchyard::replayer
