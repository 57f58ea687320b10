// One driver's ports over the fake world. At every call others may act before and after it, the
// call may fail, take long, lose its answer, arrive late, and its driver may be killed.
#pragma once

#include <functional>
#include <memory>

#include "absl/functional/function_ref.h"
#include "cutover/ports.h"
#include "tests/cutover/sim_world.h"

namespace switchyard::cutover {

// Thrown through the controller: its process is gone.
struct Killed {};

class SimPorts {
 public:
  SimPorts(SimWorld* world, int driver);
  ~SimPorts();
  SimPorts(const SimPorts&) = delete;
  SimPorts& operator=(const SimPorts&) = delete;

  Ports ports() { return ports_; }
  bool killed() const { return killed_; }
  bool watched() const { return watched_; }

 private:
  class SimLease;
  class SimOldRecord;
  class SimFence;
  class SimServer;
  class SimSequences;
  class SimStreams;
  class SimTraffic;
  class SimCanary;
  class SimJournal;
  class SimStandby;
  class SimAbort;
  class SimGates;

  void MayDie();
  // One that changes nothing by itself, or that is certain to end with the call.
  absl::Status Call(absl::FunctionRef<absl::Status()> act);
  // One that changes a row: its answer may be lost, and it may come late.
  absl::Status Command(const std::function<absl::Status()>& act);

  SimWorld& world_;
  const int driver_;
  bool killed_ = false;
  bool watched_ = false;
  bool led_ = false;
  int64_t pretended_epoch_ = 0;  // of kReadAgain
  bool close_owed_ = false;      // of kOwnerBeforeFence
  Decision owed_;
  struct Parts;
  std::unique_ptr<Parts> parts_;
  Ports ports_;
};

}  // namespace switchyard::cutover
