#include "replayer/replayer.h"

#include <memory>
#include <utility>

#include "common/base/wait/clock.h"
#include "replayer/loop/pipeline.h"

namespace switchyard::replayer {

namespace {

LoopOptions OfLoop(const ReplayerOptions& options) {
  return {.stream = options.target.stream,
          .change_topic = options.change_topic,
          .copy_topic = options.copy_topic,
          .batch_rows_max = options.batch_rows_max,
          .batch_bytes_max = options.batch_bytes_max,
          .trim_interval = options.trim_interval,
          .progress_interval = options.progress_interval,
          .standby_interval = options.standby_interval,
          .seed = options.seed,
          .drain = options.drain,
          .drain_idle = options.drain_idle,
          .drain_patience = options.drain_patience};
}

}  // namespace

Replayer::Replayer(const ReplayerOptions& options, const mapping::Plan& plan,
                   eventlog::EventLog& log, const Cancel& cancel)
    : target_(options.target, plan, cancel),
      trimmer_(options.target.stream, log, cancel),
      target_port_(options.target.stream, target_, plan, options.learn_values),
      copy_({.stream = options.target.stream,
             .change_topic = options.change_topic,
             .copy_topic = options.copy_topic,
             .after_copy = options.after_copy,
             .workers = options.copy_workers},
            target_, plan, log, cancel),
      chores_({.recopy = {.stream = options.target.stream,
                          .change_topic = options.change_topic,
                          .copy_topic = options.copy_topic,
                          .learns_from =
                              [this](const absl::Status& status) {
                                return target_port_.LearnsFrom(status);
                              }},
               .target = options.target,
               .look_interval = options.look_interval},
              target_, plan, log, Clock::System()),
      loop_(OfLoop(options),
            {.target = target_port_,
             .copy = copy_,
             .chores = chores_,
             .trims = trimmer_,
             .log = log,
             .read =
                 [&, this](Reading reading, std::unique_ptr<eventlog::LogReader> reader) {
                   return std::make_unique<Pipeline>(std::move(reading), plan, std::move(reader),
                                                     target_.session().socket(), cancel);
                 },
             .clock = Clock::System()},
            cancel) {}

Replayer::~Replayer() = default;

}  // namespace switchyard::replayer
