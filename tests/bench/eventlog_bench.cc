// What one record costs on each side of the event log, and how long one takes through it.
//
//   eventlog_bench                                          SQLite, in a temporary folder
//   SWITCHYARD_BENCH_KAFKA=localhost:9092 eventlog_bench     a broker, too; more properties
//       follow the address: "localhost:9092,compression.type=lz4,linger.ms=5"
//   SWITCHYARD_BENCH_FOLDER=/var/tmp eventlog_bench          where the SQLite file goes
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "benchmark/benchmark.h"
#include "common/base/check.h"
#include "common/base/wait/cancel.h"
#include "common/eventlog/event_log.h"
#include "tests/support/temp_dir.h"

namespace switchyard::eventlog {
namespace {

constexpr size_t kRecordBytes = 150;
constexpr size_t kKeyBytes = 24;
constexpr int kRecordsPerTransaction = 12;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::vector<std::pair<std::string, std::string>> Properties(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> properties;
  for (const auto piece : absl::StrSplit(text, ',')) {
    const std::vector<std::string> parts = absl::StrSplit(piece, absl::MaxSplits('=', 1));
    if (parts.size() == 2) {
      properties.emplace_back(parts[0], parts[1]);
    } else {
      properties.emplace_back("bootstrap.servers", parts[0]);
    }
  }
  return properties;
}

// A log of the kind asked for, with one topic nobody else uses.
class BenchLog {
 public:
  explicit BenchLog(bool kafka) {
    LogOptions options;
    if (kafka) {
      options.kafka = Properties(std::getenv("SWITCHYARD_BENCH_KAFKA"));
      options.single_broker = true;
    } else {
      options.sqlite_path = folder_.path() + "/bench.log";
    }
    topic_ = absl::StrCat("bench-", absl::ToUnixNanos(absl::Now()));
    auto opened = OpenEventLog(options, cancel_);
    SY_CHECK(opened.ok());
    log_ = *std::move(opened);
    SY_CHECK(log_->CreateTopic(topic_).ok());
  }

  std::unique_ptr<LogWriter> Writer() { return *log_->OpenWriter(topic_); }
  std::unique_ptr<LogReader> Reader() { return *log_->OpenReader(topic_, 0); }

 private:
  static std::string Folder() {
    const char* folder = std::getenv("SWITCHYARD_BENCH_FOLDER");
    return folder == nullptr ? "" : folder;
  }

  testing::TempDir folder_{Folder()};
  Cancel cancel_;
  std::unique_ptr<EventLog> log_;
  std::string topic_;
};

// A payload as a row event is: the tag of a row, then bytes that compress as rows do.
std::string MakeRecord(uint64_t number) {
  std::string record("\x08\x01\x10\x01\x1a", 5);
  while (record.size() < kRecordBytes) {
    absl::StrAppend(&record, "customer-", (number * 7919) % 100'003, "\x12\x08 booking;", number);
  }
  record.resize(kRecordBytes);
  return record;
}

std::vector<std::string> MakeRecords() {
  std::vector<std::string> records;
  for (uint64_t i = 0; i < 4096; ++i) records.push_back(MakeRecord(i));
  return records;
}

void AppendAll(LogWriter& writer, const std::vector<std::string>& records, int64_t count) {
  const std::string key(kKeyBytes, 'k');
  for (int64_t i = 0; i < count; ++i) {
    SY_CHECK(writer.Append(key, records[static_cast<size_t>(i) % records.size()]).ok());
  }
  SY_CHECK(writer.Flush(absl::Minutes(5)).ok());
}

int64_t ReadAll(LogReader& reader, int64_t count) {
  std::vector<LogRecord> batch;
  int64_t seen = 0;
  int64_t bytes = 0;
  while (seen < count) {
    SY_CHECK(reader.Read(absl::Seconds(30), &batch).ok());
    for (const LogRecord& record : batch) bytes += record.payload[0];
    seen += static_cast<int64_t>(batch.size());
  }
  return bytes;
}

void Report(benchmark::State& state, int64_t records, double cpu_seconds) {
  state.SetItemsProcessed(records);
  state.counters["cpu_us_per_record"] = cpu_seconds * 1e6 / static_cast<double>(records);
}

void BM_Append(benchmark::State& state, bool kafka) {
  const auto records = MakeRecords();
  const double cpu = CpuSeconds();
  for (auto _ : state) {
    BenchLog log(kafka);
    AppendAll(*log.Writer(), records, state.range(0));
  }
  Report(state, state.iterations() * state.range(0), CpuSeconds() - cpu);
}

void BM_Read(benchmark::State& state, bool kafka) {
  BenchLog log(kafka);
  AppendAll(*log.Writer(), MakeRecords(), state.range(0));
  const double cpu = CpuSeconds();
  for (auto _ : state) {
    benchmark::DoNotOptimize(ReadAll(*log.Reader(), state.range(0)));
  }
  Report(state, state.iterations() * state.range(0), CpuSeconds() - cpu);
}

// Both sides at once, the reader tailing.
void BM_Through(benchmark::State& state, bool kafka) {
  const auto records = MakeRecords();
  const double cpu = CpuSeconds();
  for (auto _ : state) {
    BenchLog log(kafka);
    const auto reader = log.Reader();
    std::thread appender([&] { AppendAll(*log.Writer(), records, state.range(0)); });
    benchmark::DoNotOptimize(ReadAll(*reader, state.range(0)));
    appender.join();
  }
  Report(state, state.iterations() * state.range(0), CpuSeconds() - cpu);
}

// One transaction at a time: from the first Append until a reader has the last record.
void BM_Latency(benchmark::State& state, bool kafka) {
  BenchLog log(kafka);
  const auto records = MakeRecords();
  const auto writer = log.Writer();
  const auto reader = log.Reader();
  std::vector<double> microseconds;
  std::vector<LogRecord> batch;
  for (auto _ : state) {
    const absl::Time start = absl::Now();
    for (int i = 0; i < kRecordsPerTransaction; ++i) {
      SY_CHECK(writer->Append("key", records[static_cast<size_t>(i)]).ok());
    }
    writer->Nudge();
    for (size_t seen = 0; seen < kRecordsPerTransaction; seen += batch.size()) {
      SY_CHECK(reader->Read(absl::Seconds(30), &batch).ok());
    }
    microseconds.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
  }
  std::sort(microseconds.begin(), microseconds.end());
  state.counters["p50_us"] = microseconds[microseconds.size() / 2];
  state.counters["p99_us"] = microseconds[microseconds.size() * 99 / 100];
}

void Register(const std::string& name, bool kafka) {
  const auto add = [&](const char* what, void (*body)(benchmark::State&, bool)) {
    return benchmark::RegisterBenchmark((name + "/" + what).c_str(),
                                        [=](benchmark::State& state) { body(state, kafka); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  constexpr int64_t kCount = 1'000'000;
  add("append", &BM_Append)->Arg(kCount)->Iterations(3);
  add("read", &BM_Read)->Arg(kCount)->Iterations(3);
  add("append_and_read", &BM_Through)->Arg(kCount)->Iterations(3);
  add("latency_of_a_transaction", &BM_Latency)->Iterations(500);
}

}  // namespace
}  // namespace switchyard::eventlog

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  switchyard::eventlog::Register("sqlite", false);
  if (std::getenv("SWITCHYARD_BENCH_KAFKA") != nullptr) {
    switchyard::eventlog::Register("kafka", true);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
