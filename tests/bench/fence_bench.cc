// What the fence takes on real Postgres: to close and open 1,000 tables, and of every UPDATE on the
// side that owns, where its triggers are there and DISABLED.
//
//   fence_bench --benchmark_filter=Close      lock_ms, close_ms and open_ms of a fence of 1,000
//   tables fence_bench --benchmark_filter=Update     us per UPDATE: plain, disabled, open (before
//   it rests)
//
// All figures of a run are of one server; those of Update are taken in turns.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "common/base/check.h"
#include "common/pg/session.h"
#include "common/records/cutover/fence_sql.h"
#include "common/records/cutover/ownership.h"
#include "common/records/target_sql.h"
#include "cutover/postgres/fence.h"
#include "deploy/sql/source.sql.h"
#include "tests/support/server/mini_postgres.h"

namespace switchyard::cutover {
namespace {

constexpr int kUpdates = 20000;

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cerr << value.status() << "\n";
  std::exit(1);
}
void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

double MillisecondsSince(absl::Time begin) {
  return absl::ToDoubleMilliseconds(absl::Now() - begin);
}

// A server with a database that is both sides of migration "bench".
class Bench {
 public:
  explicit Bench(int tables) : postgres_(Must(testing::MiniPostgres::Start())) {
    session_ = Must(postgres_->Connect());
    Must(session_->Execute(std::string(kSourceSql)));
    Must(session_->Execute(records::TargetSetupSql()));
    fence_ = {.migration = "bench", .role = "postgres"};
    for (int i = 0; i < tables; ++i) {
      fence_.tables.push_back(absl::StrCat("public.t", i));
      Must(session_->Execute(absl::StrCat("CREATE TABLE public.t", i,
                                          " (id int PRIMARY KEY, v int) WITH (fillfactor = 20); "
                                          "INSERT INTO public.t",
                                          i, " SELECT i, 0 FROM generate_series(0, 99) i")));
    }
    Must(session_->Execute(records::FenceSetupSql(fence_)));
  }

  void Install(const std::vector<std::string>& tables) {
    records::FenceSetup some = fence_;
    some.tables = tables;
    Must(session_->Execute(records::FenceTablesSql(some)));
  }
  PgFenceOptions Options() const {
    return {.side = Side::kOld,
            .migration = "bench",
            .session = {.dsn = postgres_->dsn()},
            .tables = fence_.tables,
            .told = "elsewhere"};
  }
  const std::vector<std::string>& tables() const { return fence_.tables; }
  pg::Session& session() { return *session_; }

 private:
  std::unique_ptr<testing::MiniPostgres> postgres_;
  std::unique_ptr<pg::Session> session_;
  records::FenceSetup fence_;
};

void Close(benchmark::State& state) {
  Bench bench(static_cast<int>(state.range(0)));
  bench.Install(bench.tables());
  const Cancel cancel;
  const records::ServerHistory here = Must(records::HistoryOf(bench.session()));
  const records::OldSideRow row(bench.session(), "bench");
  PgFence fence(bench.Options(), cancel);
  const History history = {here.system_identifier, here.timeline};
  Decision decision = {.old_history = history, .new_history = history};
  double lock_ms = 0;
  double close_ms = 0;
  double open_ms = 0;
  for (auto _ : state) {
    ++decision.epoch;
    SY_CHECK(Must(row.Open(decision.epoch, here)).compared == records::Compared::kDone);
    absl::Time begin = absl::Now();
    Must(fence.Lock({}));
    lock_ms += MillisecondsSince(begin);
    begin = absl::Now();
    Must(fence.Close(decision, absl::Seconds(30)));
    close_ms += MillisecondsSince(begin);
    ++decision.epoch;
    begin = absl::Now();
    Must(fence.Open(decision, absl::Seconds(30)));
    open_ms += MillisecondsSince(begin);
    state.PauseTiming();
    Must(fence.Unload(absl::Seconds(60)));
    state.ResumeTiming();
  }
  const auto mean = [](double value) {
    return benchmark::Counter(value, benchmark::Counter::kAvgIterations);
  };
  state.counters["lock_ms"] = mean(lock_ms);
  state.counters["close_ms"] = mean(close_ms);
  state.counters["open_ms"] = mean(open_ms);
}
BENCHMARK(Close)->Arg(1000)->Iterations(10)->Unit(benchmark::kMillisecond)->UseRealTime();

// Microseconds of an UPDATE by key, without the way to the client.
double UpdateMicros(pg::Session& session, const std::string& table) {
  const absl::Time begin = absl::Now();
  Must(session.Execute(absl::StrCat("DO $$ BEGIN FOR i IN 1..", kUpdates, " LOOP UPDATE ", table,
                                    " SET v = i WHERE id = i % 100; END LOOP; END $$")));
  const double micros = MillisecondsSince(begin) * 1000 / kUpdates;
  Must(session.Execute("VACUUM " + table));
  return micros;
}

void Update(benchmark::State& state) {
  Bench bench(3);  // plain, disabled, open
  bench.Install({"public.t1", "public.t2"});
  Must(bench.session().Execute(
      "ALTER TABLE public.t2 ENABLE ALWAYS TRIGGER _switchyard_fence_bench_row"));
  double micros[3] = {};
  for (auto _ : state) {
    for (int i = 0; i < 3; ++i) {
      micros[i] += UpdateMicros(bench.session(), bench.tables()[static_cast<size_t>(i)]);
    }
  }
  const char* names[] = {"plain_us", "disabled_us", "open_us"};
  for (int i = 0; i < 3; ++i) {
    state.counters[names[i]] = benchmark::Counter(micros[i], benchmark::Counter::kAvgIterations);
  }
  state.counters["disabled_percent"] = 100 * (micros[1] / micros[0] - 1);
}
BENCHMARK(Update)->Iterations(20)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace switchyard::cutover

BENCHMARK_MAIN();
