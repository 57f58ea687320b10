// The catalogue as JSON. One listing of each struct's fields serves both directions.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/catalog/catalog.h"

namespace switchyard::catalog {
namespace {

using nlohmann::json;

class JsonWriter;
class JsonReader;

template <typename Visitor>
void Fields(Visitor& v, Column& column) {
  v("name", column.name);
  v("number", column.number);
  v("type_oid", column.type_oid);
  v("type_modifier", column.type_modifier);
  v("type", column.type);
  v("mirror_type", column.mirror_type);
  v("user_type", column.user_type);
  v("collation", column.collation);
  v("mirror_collation", column.mirror_collation);
  v("not_null", column.not_null);
  v("has_default", column.has_default);
  v("generated", column.generated);
  v.SinceLater("generated_sql", column.generated_sql);
  v("identity", column.identity);
  v("toastable", column.toastable);
  v("in_identity", column.in_identity);
}

template <typename Visitor>
void Fields(Visitor& v, UniqueIndex& index) {
  v("name", index.name);
  v("columns", index.columns);
  v("primary", index.primary);
  v("partial", index.partial);
  v("deferrable", index.deferrable);
}

template <typename Visitor>
void Fields(Visitor& v, ForeignKey& key) {
  v("name", key.name);
  v("referenced_schema", key.referenced_schema);
  v("referenced_table", key.referenced_table);
  v("deferrable", key.deferrable);
  v("cascades", key.cascades);
}

template <typename Visitor>
void Fields(Visitor& v, Table& table) {
  v("oid", table.oid);
  v("schema", table.schema);
  v("name", table.name);
  v("kind", table.kind);
  v("persistence", table.persistence);
  v("replica_identity", table.replica_identity);
  v("root_oid", table.root_oid);
  v("leaves", table.leaves);
  v("columns", table.columns);
  v("primary_key", table.primary_key);
  v("identity_columns", table.identity_columns);
  v("unique_indexes", table.unique_indexes);
  v("foreign_keys", table.foreign_keys);
  v("row_security", table.row_security);
  v("inherited_from", table.inherited_from);
  v("rows_estimate", table.rows_estimate);
  v("bytes", table.bytes);
}

template <typename Visitor>
void Fields(Visitor& v, UserType& type) {
  v("oid", type.oid);
  v("schema", type.schema);
  v("name", type.name);
  v("mirror_name", type.mirror_name);
  v("kind", type.kind);
  v("create_sql", type.create_sql);
  v.SinceLater("labels", type.labels);
}

template <typename Visitor>
void Fields(Visitor& v, spec::TableName& name) {
  v("schema", name.schema);
  v("name", name.name);
}

template <typename Visitor>
void Fields(Visitor& v, Catalog& catalog) {
  v("database", catalog.database);
  v("system_identifier", catalog.system_identifier);
  v("timeline", catalog.timeline);
  v("server_version", catalog.server_version);
  v("tables", catalog.tables);
  v("types", catalog.types);
  v.SinceLater("type_schemas", catalog.type_schemas);
  v("missing", catalog.missing);
}

template <typename T>
concept Listed = requires(T& value, JsonWriter& writer) {
  Fields(writer, value);
};

class JsonWriter {
 public:
  template <typename T>
  void operator()(const char* key, T& value) {
    out_[key] = ToValue(value);
  }
  template <typename T>
  void SinceLater(const char* key, T& value) {
    (*this)(key, value);
  }
  json Take() { return std::move(out_); }

 private:
  // A one-letter code reads better than its number; 0 is "".
  static json ToValue(char value) { return value == 0 ? std::string() : std::string(1, value); }
  template <typename T>
  static json ToValue(T& value) {
    if constexpr (Listed<T>) {
      JsonWriter writer;
      Fields(writer, value);
      return writer.Take();
    } else {
      return json(value);
    }
  }
  template <typename T>
  requires Listed<T>
  static json ToValue(std::vector<T>& values) {
    json list = json::array();
    for (T& value : values) list.push_back(ToValue(value));
    return list;
  }

  json out_ = json::object();
};

// Throws json exceptions, which CatalogFromJson catches.
class JsonReader {
 public:
  explicit JsonReader(const json& in) : in_(in) {}
  template <typename T>
  void operator()(const char* key, T& value) {
    FromValue(in_.at(key), value);
  }
  // What an older program did not write.
  template <typename T>
  void SinceLater(const char* key, T& value) {
    if (in_.contains(key)) (*this)(key, value);
  }

 private:
  static void FromValue(const json& in, char& value) {
    const auto text = in.get<std::string>();
    value = text.empty() ? '\0' : text[0];
  }
  template <typename T>
  static void FromValue(const json& in, T& value) {
    if constexpr (Listed<T>) {
      JsonReader reader(in);
      Fields(reader, value);
    } else {
      in.get_to(value);
    }
  }
  template <typename T>
  requires Listed<T>
  static void FromValue(const json& in, std::vector<T>& values) {
    for (const json& item : in) FromValue(item, values.emplace_back());
  }

  const json& in_;
};

}  // namespace

std::string CatalogToJson(const Catalog& catalog) {
  Catalog copy = catalog;  // the field listing is shared with reading and takes no const
  JsonWriter writer;
  Fields(writer, copy);
  return writer.Take().dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<Catalog> CatalogFromJson(std::string_view text) {
  Catalog catalog;
  try {
    const json parsed = json::parse(text);
    JsonReader reader(parsed);
    Fields(reader, catalog);
  } catch (const json::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat("stored catalogue: ", e.what()));
  }
  return catalog;
}

}  // namespace switchyard::catalog
