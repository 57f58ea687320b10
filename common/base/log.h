// key=value log lines on standard error, over spdlog.
//
//   LogInfo("replayer", "copy finished", {{"stream", name}, {"table", table}, {"rows", "312"}});
//     -> 2026-01-02T03:04:05.678Z I replayer "copy finished" stream=shop.forward table=users
//     rows=312
//
// INFO: a person may care tomorrow. WARN: degraded but self-healing. ERROR: someone must act, and
// the line says how (key "next"). Never row values, never connection strings. Thread-safe.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace switchyard {

struct LogField {
  std::string_view key;
  std::string value;
};
using LogFields = std::initializer_list<LogField>;

enum class LogLevel { kDebug, kInfo, kWarn, kError };

void LogDebug(std::string_view component, std::string_view text, LogFields fields = {});
void LogInfo(std::string_view component, std::string_view text, LogFields fields = {});
void LogWarn(std::string_view component, std::string_view text, LogFields fields = {});
void LogError(std::string_view component, std::string_view text, LogFields fields = {});

// Lines below `level` are dropped. Default kInfo.
void SetLogLevel(LogLevel level);

// One line without the time stamp; quoted where it must be. For the log and for tests.
std::string FormatLogLine(LogLevel level, std::string_view component, std::string_view text,
                          LogFields fields);

}  // namespace switchyard
