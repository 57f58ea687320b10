#include "common/mapping/fingerprint.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/finding.h"
#include "common/base/strings.h"

namespace switchyard::mapping {
namespace {

constexpr char kSource[] = "source";
constexpr char kMapping[] = "mapping";
constexpr char kBound[] = "bound";

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\n", "\\n"}});
}

std::string Unescaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\\\", "\\"}, {"\\n", "\n"}});
}

const char* KindName(PlanPart::Kind kind) {
  return kind == PlanPart::Kind::kSource ? kSource : kMapping;
}

std::optional<PlanPart::Kind> KindFrom(std::string_view name) {
  if (name == kSource) return PlanPart::Kind::kSource;
  if (name == kMapping) return PlanPart::Kind::kMapping;
  return std::nullopt;
}

}  // namespace

Fingerprint& Fingerprint::Add(std::string_view text) {
  const auto mix = [&](std::string_view bytes) {
    for (const char c : bytes) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  };
  mix(std::to_string(text.size()) + ":");
  mix(text);
  return *this;
}

Fingerprint& Fingerprint::AddAll(const std::vector<std::string>& texts) {
  Add(std::to_string(texts.size()));
  for (const std::string& text : texts) Add(text);
  return *this;
}

std::string Fingerprint::Hex() const { return absl::StrFormat("%016x", hash_); }

std::string FingerprintOf(const std::vector<PlanPart>& parts) {
  Fingerprint whole;
  for (const PlanPart& part : parts) {
    whole.Add(KindName(part.kind)).Add(part.name).Add(part.fingerprint);
  }
  return whole.Hex();
}

std::string PartsToText(const std::vector<PlanPart>& parts) {
  std::string text;
  for (const PlanPart& part : parts) {
    absl::StrAppend(&text, KindName(part.kind), " ", part.fingerprint, " ", Escaped(part.name),
                    "\n");
  }
  return text;
}

std::string BoundToText(const std::vector<BoundPiece>& pieces) {
  std::string text;
  for (const BoundPiece& piece : pieces) {
    absl::StrAppend(&text, kBound, " ", piece.written, " ", Escaped(piece.bound), "\n");
  }
  return text;
}

std::vector<BoundPiece> BoundFromText(std::string_view text) {
  std::vector<BoundPiece> pieces;
  const std::vector<std::string> lines = absl::StrSplit(Sv(text), '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    if (words.size() != 3 || words[0] != kBound) continue;
    pieces.push_back({.written = words[1], .bound = Unescaped(words[2])});
  }
  return pieces;
}

absl::StatusOr<std::vector<PlanPart>> PartsFromText(std::string_view text) {
  std::vector<PlanPart> parts;
  const std::vector<std::string> lines = absl::StrSplit(Sv(text), '\n', absl::SkipEmpty());
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, absl::MaxSplits(' ', 2));
    if (words[0] == kBound) continue;
    const auto kind = KindFrom(words[0]);
    if (words.size() != 3 || !kind) {
      return Lost(
          absl::StrFormat(
              "the parts of the installed mapping hold \"%s\", which is no part of a plan", line),
          kCopyAllAnew);
    }
    parts.push_back({.kind = *kind, .name = Unescaped(words[2]), .fingerprint = words[1]});
  }
  return parts;
}

}  // namespace switchyard::mapping
