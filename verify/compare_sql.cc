#include "verify/compare_sql.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/strings.h"

namespace switchyard::verify {
namespace {

constexpr char kBytes[] = " COLLATE pg_catalog.\"C\"";

// A function takes a hundred arguments.
constexpr size_t kPartsMax = 90;

std::string Length(const RowsSql& rows, const std::string& sql) {
  return rows.in_utf8 ? absl::StrCat("octet_length(convert_to(", sql, ", 'UTF8'))")
                      : absl::StrCat("octet_length(", sql, ")");
}

// What stands for a text, to be hashed.
std::string Bytes(const RowsSql& rows, const std::string& text) {
  return rows.in_utf8 ? absl::StrCat("encode(convert_to(", text, ", 'UTF8'), 'hex')") : text;
}

std::string RowText(const RowsSql& rows) {
  std::vector<std::string> parts;
  std::vector<std::string> record;
  for (const auto& [name, sql, form] : rows.columns) {
    if (form == Form::kRecord || parts.size() >= kPartsMax) {
      record.push_back(sql);
      continue;
    }
    parts.push_back(form == Form::kText ? absl::StrCat("coalesce(", Length(rows, sql), ", -1)")
                                        : absl::StrCat(sql, " IS NULL"));
    parts.push_back(sql);
  }
  if (!record.empty()) {
    parts.push_back(absl::StrCat("ROW(", absl::StrJoin(record, ", "), ")::text"));
  }
  return absl::StrCat("concat_ws(E'\\x1f', ", absl::StrJoin(parts, ", "), ")");
}

std::string KeyText(const RowsSql& rows) {
  std::vector<std::string> parts;
  for (const int at : rows.key) parts.push_back(rows.columns[static_cast<size_t>(at)].sql);
  if (parts.size() == 1) return absl::StrCat("(", parts[0], ")::text");
  return absl::StrCat("ROW(", absl::StrJoin(parts, ", "), ")::text");
}

std::string BucketOf(const RowsSql& rows) {
  return absl::StrCat("hashtextextended(", Bytes(rows, KeyText(rows)), kBytes, ", 0) & ",
                      kBuckets - 1);
}

std::string HashOf(const RowsSql& rows) {
  return absl::StrCat("hashtextextended(", Bytes(rows, RowText(rows)), kBytes, ", 1)");
}

// A JSON object of texts. Arrays, not arguments: of those a function takes a hundred.
std::string ObjectOf(const std::vector<RowsSql::Column>& columns) {
  std::vector<std::string> names;
  std::vector<std::string> texts;
  for (const RowsSql::Column& column : columns) {
    names.push_back(column.name);
    texts.push_back(absl::StrCat("(", column.sql, ")::text"));
  }
  return absl::StrCat("json_object(", QuoteLiteral(ArrayLiteral(names)), "::text[], ARRAY[",
                      absl::StrJoin(texts, ", "), "]::text[])");
}

std::string KeyObject(const RowsSql& rows) {
  std::vector<RowsSql::Column> key;
  for (const int at : rows.key) key.push_back(rows.columns[static_cast<size_t>(at)]);
  return ObjectOf(key);
}

// Rows under one key are told apart by their number.
std::string Numbered(std::string_view table) {
  return absl::StrCat("(SELECT *, row_number() OVER (PARTITION BY key ORDER BY hash) AS n FROM ",
                      Sv(table), ")");
}

}  // namespace

std::string ScanSql(const RowsSql& rows) {
  return absl::StrCat("SELECT ", BucketOf(rows), ", ", HashOf(rows), " ", rows.from);
}

std::string DetailSql(const RowsSql& rows, const std::vector<int>& buckets) {
  std::string sql = absl::StrCat("SELECT ", KeyObject(rows), ", ", HashOf(rows), ", ",
                                 ObjectOf(rows.columns), " ", rows.from);
  if (buckets.empty()) return sql;
  return absl::StrCat(sql, rows.filtered ? " AND (" : " WHERE (", BucketOf(rows), ") = ANY('{",
                      absl::StrJoin(buckets, ","), "}'::bigint[])");
}

std::string CopyOutSql(std::string_view select) {
  return absl::StrCat("COPY (", Sv(select), ") TO STDOUT");
}

std::string DetailTablesSql() {
  constexpr char kColumns[] = " (key jsonb, hash bigint, image text) ON COMMIT DROP; ";
  return absl::StrCat("CREATE TEMP TABLE sy_expected", kColumns, "CREATE TEMP TABLE sy_actual",
                      kColumns);
}

std::string DetailCopySql(std::string_view table) {
  return absl::StrCat("COPY ", Sv(table), " FROM STDIN");
}

// Their types are those of the table that is verified, with its collations; of a domain the one it
// is over, as an expression has it that may also be NULL: its CHECKs have no say here.
std::string KeyTableSql(const RowsSql& actual) {
  std::vector<std::string> columns;
  for (const int at : actual.key) {
    const RowsSql::Column& column = actual.columns[static_cast<size_t>(at)];
    columns.push_back(
        absl::StrCat("coalesce(", column.sql, ", NULL) AS ", QuoteIdentifier(column.name)));
  }
  return absl::StrCat("CREATE TEMP TABLE sy_key ON COMMIT DROP AS SELECT ",
                      absl::StrJoin(columns, ", "), " ", actual.from, " WITH NO DATA");
}

std::string DifferencesSql(const RowsSql& actual) {
  std::vector<std::string> key;
  for (const int at : actual.key) {
    key.push_back("k." + QuoteIdentifier(actual.columns[static_cast<size_t>(at)].name));
  }
  return absl::StrCat(
      "WITH differing AS MATERIALIZED (SELECT e.key AS e_key, a.key AS a_key, e.image AS e_image, "
      "a.image AS a_image FROM ",
      Numbered(kExpectedTable), " AS e FULL JOIN ", Numbered(kActualTable),
      " AS a ON a.key = e.key AND a.n = e.n WHERE a.hash IS DISTINCT FROM e.hash), "
      "ranked AS (SELECT d.*, dense_rank() OVER (ORDER BY ",
      absl::StrJoin(key, ", "),
      ") AS rank FROM differing AS d CROSS JOIN LATERAL "
      "jsonb_populate_record(NULL::pg_temp.sy_key, "
      "coalesce(d.e_key, d.a_key)) AS k WHERE d.e_key IS NULL OR d.a_key IS NULL), "
      "alone AS (SELECT *, row_number() OVER (PARTITION BY rank, a_key IS NULL ORDER BY e_key, "
      "a_key) AS n FROM ranked) "
      "SELECT 'different', e_key, e_image, a_image FROM differing "
      "WHERE e_key IS NOT NULL AND a_key IS NOT NULL UNION ALL "
      "SELECT CASE WHEN a.rank IS NULL THEN 'missing' WHEN e.rank IS NULL THEN 'extra' "
      "ELSE 'different' END, coalesce(e.e_key, a.a_key), e.e_image, a.a_image "
      "FROM (SELECT * FROM alone WHERE a_key IS NULL) AS e "
      "FULL JOIN (SELECT * FROM alone WHERE e_key IS NULL) AS a ON a.rank = e.rank AND a.n = e.n");
}

}  // namespace switchyard::verify
