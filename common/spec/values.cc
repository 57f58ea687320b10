#include "common/spec/values.h"

#include <array>
#include <cctype>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "common/base/strings.h"

namespace switchyard::spec {
namespace {

constexpr size_t kNameBytesMax = 63;

struct SizeUnit {
  std::string_view name;
  int64_t bytes;
};
constexpr std::array<SizeUnit, 9> kSizeUnits = {{
    {"TiB", int64_t{1} << 40},
    {"TB", 1'000'000'000'000},
    {"GiB", int64_t{1} << 30},
    {"GB", 1'000'000'000},
    {"MiB", int64_t{1} << 20},
    {"MB", 1'000'000},
    {"KiB", 1024},
    {"kB", 1000},
    {"B", 1},
}};

bool NeedsQuotes(std::string_view name) {
  if (name.empty() || absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) return true;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain) return true;
  }
  return false;
}

// Takes one part off the front of `rest`; nothing when it is badly quoted.
std::optional<std::string> TakePart(std::string_view* rest) {
  std::string part;
  if (!rest->empty() && rest->front() == '"') {
    rest->remove_prefix(1);
    while (!rest->empty()) {
      const char c = rest->front();
      rest->remove_prefix(1);
      if (c != '"') {
        part += c;
      } else if (!rest->empty() && rest->front() == '"') {
        part += '"';
        rest->remove_prefix(1);
      } else {
        return part;
      }
    }
    return std::nullopt;
  }
  while (!rest->empty() && rest->front() != '.') {
    if (rest->front() == '"') return std::nullopt;
    part += rest->front();
    rest->remove_prefix(1);
  }
  return part;
}

}  // namespace

std::optional<int64_t> ParseSize(std::string_view text) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (text.size() <= unit.name.size() || !text.ends_with(unit.name)) continue;
    const absl::string_view number =
        absl::StripAsciiWhitespace(Sv(text.substr(0, text.size() - unit.name.size())));
    double value = 0;
    if (number.empty() || absl::ascii_isalpha(static_cast<unsigned char>(number.back())) ||
        !absl::SimpleAtod(number, &value)) {
      return std::nullopt;
    }
    const double bytes = value * static_cast<double>(unit.bytes);
    if (!(bytes >= 0) || bytes >= 9e18) return std::nullopt;
    return std::llround(bytes);
  }
  return std::nullopt;
}

std::string FormatSize(int64_t bytes) {
  for (const SizeUnit& unit : kSizeUnits) {
    const bool binary = unit.name.size() == 3 || unit.bytes == 1;
    if (binary && bytes >= unit.bytes && bytes % unit.bytes == 0) {
      return absl::StrCat(bytes / unit.bytes, Sv(unit.name));
    }
  }
  return absl::StrCat(bytes, "B");
}

std::optional<absl::Duration> ParseDurationText(std::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(Sv(text), &duration)) return std::nullopt;
  if (duration < absl::ZeroDuration() || duration == absl::InfiniteDuration()) return std::nullopt;
  // abseil takes a bare 0; here every duration carries its unit.
  if (!absl::ascii_isalpha(static_cast<unsigned char>(text.back()))) return std::nullopt;
  return duration;
}

std::optional<std::vector<std::string>> ParseDottedName(std::string_view text) {
  std::vector<std::string> parts;
  while (true) {
    std::optional<std::string> part = TakePart(&text);
    if (!part.has_value() || part->empty() || part->size() > kNameBytesMax) return std::nullopt;
    parts.push_back(*std::move(part));
    if (text.empty()) return parts;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
}

std::optional<TableName> ParseTableName(std::string_view text) {
  std::optional<std::vector<std::string>> parts = ParseDottedName(text);
  if (!parts.has_value() || parts->size() > 2) return std::nullopt;
  if (parts->size() == 1) return TableName{.schema = "", .name = std::move((*parts)[0])};
  return TableName{.schema = std::move((*parts)[0]), .name = std::move((*parts)[1])};
}

bool IsEnvironmentName(std::string_view text) {
  if (text.empty() || absl::ascii_isdigit(static_cast<unsigned char>(text[0]))) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_') return false;
  }
  return true;
}

std::string TableName::ToString() const {
  const auto part = [](const std::string& name) {
    return NeedsQuotes(name) ? QuoteIdentifier(name) : name;
  };
  return schema.empty() ? part(name) : part(schema) + "." + part(name);
}

}  // namespace switchyard::spec
