#include "common/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>

namespace switchyard {
namespace {

spdlog::logger& Logger() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("switchyard",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum SpdLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool NeedsQuotes(std::string_view value) {
  return value.empty() || value.find_first_of(" \"=\n\t\\") != std::string_view::npos;
}

void AppendValue(std::string_view value, std::string* out) {
  if (!NeedsQuotes(value)) {
    *out += value;
    return;
  }
  *out += '"';
  for (const char c : value) {
    if (c == '\n') {
      *out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') *out += '\\';
    *out += c;
  }
  *out += '"';
}

void Write(LogLevel level, std::string_view component, std::string_view text, LogFields fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(SpdLevel(level))) return;
  logger.log(SpdLevel(level), "{}", FormatLogLine(level, component, text, fields));
}

}  // namespace

std::string FormatLogLine(LogLevel level, std::string_view component, std::string_view text,
                          LogFields fields) {
  std::string line(1, "DIWE"[static_cast<int>(level)]);
  line += ' ';
  line += component;
  line += ' ';
  AppendValue(text, &line);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    AppendValue(field.value, &line);
  }
  return line;
}

void LogDebug(std::string_view component, std::string_view text, LogFields fields) {
  Write(LogLevel::kDebug, component, text, fields);
}
void LogInfo(std::string_view component, std::string_view text, LogFields fields) {
  Write(LogLevel::kInfo, component, text, fields);
}
void LogWarn(std::string_view component, std::string_view text, LogFields fields) {
  Write(LogLevel::kWarn, component, text, fields);
}
void LogError(std::string_view component, std::string_view text, LogFields fields) {
  Write(LogLevel::kError, component, text, fields);
}

void SetLogLevel(LogLevel level) { Logger().set_level(SpdLevel(level)); }

}  // namespace switchyard
