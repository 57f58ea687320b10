// The statements that two sides of a comparison run. Pure.
//
// Each side makes one scan that gives, for each row, the bucket of its key and a hash of all its
// columns; sums of the hashes by bucket are equal where the rows are, in whichever order they came.
// The rows of buckets that differ are read again, with their keys.
//
//   RowsSql rows{.columns = {{"id", "sy_t.\"id\"", Form::kPlain}, {"note", "sy_t.\"note\"",
//   Form::kText}},
//                .key = {0}, .from = "FROM ONLY \"public\".\"orders\" AS sy_t"};
//
//   ScanSql   SELECT hashtextextended((sy_t."id")::text COLLATE "C", 0) & 65535,
//                    hashtextextended(concat_ws(E'\x1f', sy_t."id" IS NULL, sy_t."id",
//                      coalesce(octet_length(sy_t."note"), -1), sy_t."note") COLLATE "C", 1)
//             FROM ONLY "public"."orders" AS sy_t
//   DetailSql SELECT json_object('{id}', ARRAY[(sy_t."id")::text]), that hash,
//                    json_object('{id,note}', ARRAY[..., ...]) FROM ... WHERE the bucket is one of
//
// Two rows have the same text only if all their columns have: a value is told from NULL, and one
// ends where its length says, or at a character that its type never writes. What may write any, or
// is no text by itself, goes into a record, which quotes it: that is slower by a third. Under the
// settings that every session fixes texts are the same on every version. Hashes are of the bytes:
// a collation that calls different texts equal has no say.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::verify {

// A power of two.
inline constexpr int kBuckets = 1 << 16;

// How a value stands in the text of its row.
enum class Form {
  kPlain,   // numbers, times, bytes in hex: never with a control character
  kText,    // text, varchar
  kRecord,  // anything else
};

struct RowsSql {
  struct Column {
    std::string name;  // as the table that is verified has it
    std::string sql;   // its value, by what `from` gives
    Form form = Form::kRecord;
  };
  std::vector<Column> columns;
  std::vector<int> key;   // indices into columns
  std::string from;       // "FROM ...", perhaps with WHERE
  bool filtered = false;  // `from` has a WHERE
  // Hashed as UTF8 has it: a database of the two has another encoding, and other bytes.
  bool in_utf8 = false;
};

std::string ScanSql(const RowsSql& rows);
// All buckets when none is named.
std::string DetailSql(const RowsSql& rows, const std::vector<int>& buckets);

// COPY (select) TO STDOUT
std::string CopyOutSql(std::string_view select);

// What a comparison keeps in temporary tables of the target: rows that differ may be many.
inline constexpr char kExpectedTable[] = "pg_temp.sy_expected";
inline constexpr char kActualTable[] = "pg_temp.sy_actual";
// Both, for the rows that DetailSql gives.
std::string DetailTablesSql();
// COPY ... FROM STDIN, of lines of COPY (DetailSql) TO STDOUT.
std::string DetailCopySql(std::string_view table);
// The types of the key, in a third one, which stays empty.
std::string KeyTableSql(const RowsSql& actual);
// Kind, key, expected and actual row of what is in one and not in the other. Rows belong together
// by the text of their keys; those that have none of theirs, by what the types of the key call
// equal (1.0 and 1.00): such a row is one that differs, as the mapping writes its key as well.
std::string DifferencesSql(const RowsSql& actual);

// The rows of a source that a mapping computes from, as they come over piece by piece.
inline constexpr char kSourceTable[] = "pg_temp.sy_source";

}  // namespace switchyard::verify
