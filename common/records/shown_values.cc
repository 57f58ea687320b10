#include "common/records/shown_values.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/strings.h"

namespace switchyard::records {
namespace {

// Of one row.
std::string ShownRow(std::string_view object, std::string_view table, std::string_view names) {
  return absl::StrReplaceAll(
      R"((
      SELECT coalesce(jsonb_object_agg(e.key, CASE
        WHEN jsonb_typeof(e.value) = 'null'
             OR NOT ARRAY[t.name || '|' || e.key, t.name || '|*'] && $names THEN e.value
        ELSE to_jsonb('sha256:' || left(encode(sha256(convert_to(e.value #>> '{}', 'UTF8')), 'hex'),
                                        32)) END), '{}'::jsonb)
      FROM jsonb_each($object) AS e(key, value), (SELECT $table) AS t(name)))",
      {{"$object", Sv(object)}, {"$table", Sv(table)}, {"$names", Sv(names)}});
}

}  // namespace

std::string ShownValuesSql(std::string_view rows, std::string_view table, std::string_view names) {
  return absl::StrCat(
      "CASE jsonb_typeof(", Sv(rows), ") WHEN 'object' THEN ", ShownRow(rows, table, names),
      " WHEN 'array' THEN (SELECT coalesce(jsonb_agg(", ShownRow("r.row", table, names),
      " ORDER BY r.number), '[]') FROM jsonb_array_elements(", Sv(rows),
      ") WITH ORDINALITY AS r(row, number)) END");
}

}  // namespace switchyard::records
