#include "common/catalog/narrowing.h"

#include <algorithm>
#include <iterator>

namespace switchyard::catalog {
namespace {

enum class Kind {
  kOther,
  kInteger,
  kNumeric,
  kMoney,
  kFloat,
  kTimestamp,  // with or without time zone
  kDate,
  kTime,
  kTimeWithZone,
  kInterval,
  kText,
  kName,
  kOneCharacter,
  kInet,
  kCidr,
};

// Digits a value can have: behind the point, or of a number in all.
constexpr int kUnlimited = 0x7FFF;
constexpr int kMicroseconds = 6;

struct BuiltIn {
  uint32_t oid, array_oid;
  Kind kind;
  int digits;  // of a number in all; kept by a float
};

// pg_type.dat
constexpr BuiltIn kTypes[] = {
    {21, 1005, Kind::kInteger, 5},     {23, 1007, Kind::kInteger, 10},
    {20, 1016, Kind::kInteger, 19},    {1700, 1231, Kind::kNumeric, kUnlimited},
    {790, 791, Kind::kMoney, 19},      {700, 1021, Kind::kFloat, 6},
    {701, 1022, Kind::kFloat, 15},     {1114, 1115, Kind::kTimestamp, 0},
    {1184, 1185, Kind::kTimestamp, 0}, {1082, 1182, Kind::kDate, 0},
    {1083, 1183, Kind::kTime, 0},      {1266, 1270, Kind::kTimeWithZone, 0},
    {1186, 1187, Kind::kInterval, 0},  {25, 1009, Kind::kText, 0},
    {1042, 1014, Kind::kText, 0},      {1043, 1015, Kind::kText, 0},
    {19, 1003, Kind::kName, 0},        {18, 1002, Kind::kOneCharacter, 0},
    {869, 1041, Kind::kInet, 0},       {650, 651, Kind::kCidr, 0},
};

struct Limits {
  Kind kind = Kind::kOther;
  int digits = 0;          // in all
  int behind_point = 0;    // or of a second
  int smallest_field = 0;  // of an interval: 0 seconds, up to 5 years
  bool unlimited = false;  // numeric without precision
};

bool IsExact(Kind kind) {
  return kind == Kind::kInteger || kind == Kind::kNumeric || kind == Kind::kMoney;
}

bool IsNumber(Kind kind) { return IsExact(kind) || kind == Kind::kFloat; }

bool IsTime(Kind kind) {
  return kind == Kind::kTimestamp || kind == Kind::kTime || kind == Kind::kTimeWithZone ||
         kind == Kind::kInterval;
}

// What is smaller than the smallest field is cut off; larger ones are kept whether named or not.
int SmallestField(int32_t modifier) {
  constexpr int kBits[] = {12, 11, 10, 3, 1};  // second, minute, hour, day, month: datetime.h
  const auto* bit = std::ranges::find_if(
      kBits, [&](int b) { return modifier < 0 || (modifier >> (16 + b) & 1) != 0; });
  return static_cast<int>(bit - std::begin(kBits));
}

Limits LimitsOf(const AssignedType& type) {
  const auto* known = std::ranges::find_if(kTypes, [&](const BuiltIn& built_in) {
    return built_in.oid == type.oid || built_in.array_oid == type.oid;
  });
  if (known == std::end(kTypes)) return {};
  Limits limits{.kind = known->kind, .digits = known->digits};
  if (limits.kind == Kind::kMoney) limits.behind_point = 2;
  if (limits.kind == Kind::kNumeric) {
    limits.unlimited = type.modifier < 4;
    const int32_t packed = type.modifier - 4;
    limits.digits = limits.unlimited ? kUnlimited : (packed >> 16) & 0xFFFF;
    // Eleven bits with a sign.
    limits.behind_point = limits.unlimited ? kUnlimited : ((packed & 0x7FF) ^ 0x400) - 0x400;
  }
  if (IsTime(limits.kind)) {
    const bool packed = limits.kind == Kind::kInterval && type.modifier >= 0;
    if (packed) limits.smallest_field = SmallestField(type.modifier);
    const int kept = packed ? type.modifier & 0xFFFF : type.modifier;
    limits.behind_point = kept < 0 || kept > kMicroseconds ? kMicroseconds : kept;
  }
  return limits;
}

const char* LostOfNumber(const Limits& from, const Limits& to, bool plain) {
  if (from.kind == Kind::kFloat) {
    if (IsExact(to.kind)) return "what it holds beyond that type's digits";
    return to.digits < from.digits ? "digits beyond the sixth" : nullptr;
  }
  // Of a count(*) or a sum() the type says too much.
  const bool certain = plain || (from.kind == Kind::kNumeric && !from.unlimited);
  if (!certain) return nullptr;
  if (IsExact(to.kind))
    return to.behind_point < from.behind_point ? "digits behind the point" : nullptr;
  if (to.digits >= from.digits) return nullptr;
  return to.digits == 6 ? "digits beyond the sixth" : "digits beyond the fifteenth";
}

const char* LostOfTime(const Limits& from, const Limits& to) {
  if (from.kind == Kind::kTimestamp && to.kind == Kind::kDate) return "the time of day";
  if (from.kind == Kind::kTimestamp && (to.kind == Kind::kTime || to.kind == Kind::kTimeWithZone)) {
    return "the date";
  }
  if (from.kind == Kind::kInterval && to.kind == Kind::kTime) return "the days";
  if (from.kind == Kind::kTimeWithZone && to.kind == Kind::kTime) return "the offset";
  if (!IsTime(to.kind)) return nullptr;
  if (to.behind_point < from.behind_point) return "digits of the second";
  return to.smallest_field > from.smallest_field ? "its smaller fields" : nullptr;
}

}  // namespace

const char* LostInAssignment(const AssignedType& from, const AssignedType& to, bool plain) {
  const Limits given = LimitsOf(from);
  const Limits kept = LimitsOf(to);
  if (IsTime(given.kind)) return LostOfTime(given, kept);
  if (IsNumber(given.kind) && IsNumber(kept.kind)) return LostOfNumber(given, kept, plain);
  if (given.kind == Kind::kText && kept.kind == Kind::kName) return "what is longer than 63 bytes";
  if (given.kind == Kind::kText && kept.kind == Kind::kOneCharacter) {
    return "all but the first character";
  }
  return given.kind == Kind::kInet && kept.kind == Kind::kCidr ? "the bits of the host" : nullptr;
}

bool AssumesZone(const AssignedType& from, const AssignedType& to) {
  // timestamptz; timestamp and date; and arrays of them (pg_type.dat).
  const auto instant = [](uint32_t oid) { return oid == 1184 || oid == 1185; };
  const auto local = [](uint32_t oid) {
    return oid == 1114 || oid == 1115 || oid == 1082 || oid == 1182;
  };
  return (local(from.oid) && instant(to.oid)) || (instant(from.oid) && local(to.oid));
}

}  // namespace switchyard::catalog
