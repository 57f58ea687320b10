// How single values of the migration file are written: sizes, durations, names. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/spec/migration_file.h"

namespace switchyard::spec {

// "256MiB", "1.5 GB", "4096B": a number of at least 0 and a unit, B, kB, MB, GB, TB (powers of
// 1000) or KiB, MiB, GiB, TiB (of 1024). Nothing when it is none, or does not fit.
std::optional<int64_t> ParseSize(std::string_view text);
// The largest unit that divides it: 268435456 -> "256MiB".
std::string FormatSize(int64_t bytes);

// "10s", "500ms", "1m30s": finite, not negative, with a unit.
std::optional<absl::Duration> ParseDurationText(std::string_view text);

// A dotted name as Postgres' catalogue spells it, no folding of case: public.users, or with double
// quotes where a part holds a dot or a quote: "a.b"."c""d". Nothing when a part is empty, longer
// than 63 bytes or badly quoted.
std::optional<std::vector<std::string>> ParseDottedName(std::string_view text);
std::optional<TableName> ParseTableName(std::string_view text);

// [A-Za-z_][A-Za-z0-9_]*
bool IsEnvironmentName(std::string_view text);

}  // namespace switchyard::spec
