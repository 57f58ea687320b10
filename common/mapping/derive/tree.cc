#include "common/mapping/derive/tree.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <pg_query.h>

#include <memory>

#include "common/base/strings.h"
#include "pg_query_descriptor.h"

namespace switchyard::mapping::derive {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using std::string;

// Locations are no part of what the SQL says.
void Strip(Json* node) {
  if (node->is_object()) {
    node->erase("location");
    for (auto& [key, value] : node->items()) Strip(&value);
  } else if (node->is_array()) {
    for (Json& value : *node) Strip(&value);
  }
}

// The schema of the parser's own messages, which its deparser reads.
class ParserMessages {
 public:
  ParserMessages() {
    google::protobuf::FileDescriptorSet set;
    set.ParseFromArray(kPgQueryDescriptor, sizeof(kPgQueryDescriptor));
    for (const auto& file : set.file()) pool_.BuildFile(file);
    factory_ = std::make_unique<google::protobuf::DynamicMessageFactory>(&pool_);
  }

  absl::StatusOr<string> Serialize(const Json& tree) {
    const Descriptor* type = pool_.FindMessageTypeByName("pg_query.ParseResult");
    if (type == nullptr) return absl::InternalError("the SQL parser's messages are unknown");
    const std::unique_ptr<Message> message(factory_->GetPrototype(type)->New());
    RETURN_IF_ERROR(Fill(tree, message.get()));
    return message->SerializeAsString();
  }

 private:
  static const FieldDescriptor* Find(const Descriptor& type, const string& json_name) {
    for (int i = 0; i < type.field_count(); ++i) {
      if (type.field(i)->json_name() == json_name) return type.field(i);
    }
    return nullptr;
  }

  static absl::Status Fill(const Json& object, Message* message) {
    for (const auto& [key, value] : object.items()) {
      const FieldDescriptor* field = Find(*message->GetDescriptor(), key);
      if (field == nullptr) {
        return absl::InternalError(
            absl::StrCat("SQL tree: ", message->GetDescriptor()->name(), " has no ", key));
      }
      if (!field->is_repeated()) {
        RETURN_IF_ERROR(Set(value, *field, message));
        continue;
      }
      for (const Json& item : value) RETURN_IF_ERROR(Set(item, *field, message));
    }
    return absl::OkStatus();
  }

  static absl::Status Set(const Json& value, const FieldDescriptor& field, Message* message) {
    const auto* reflection = message->GetReflection();
    const auto set = [&](auto add, auto assign, auto given) {
      if (field.is_repeated()) {
        (reflection->*add)(message, &field, given);
      } else {
        (reflection->*assign)(message, &field, given);
      }
      return absl::OkStatus();
    };
    using Reflection = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return Fill(value, field.is_repeated() ? reflection->AddMessage(message, &field)
                                               : reflection->MutableMessage(message, &field));
      case FieldDescriptor::CPPTYPE_ENUM: {
        const auto* known = field.enum_type()->FindValueByName(value.get<string>());
        if (known == nullptr) return absl::InternalError("SQL tree: " + value.get<string>());
        return set(&Reflection::AddEnumValue, &Reflection::SetEnumValue, known->number());
      }
      case FieldDescriptor::CPPTYPE_STRING:
        return set(&Reflection::AddString, &Reflection::SetString, value.get<string>());
      case FieldDescriptor::CPPTYPE_BOOL:
        return set(&Reflection::AddBool, &Reflection::SetBool, value.get<bool>());
      case FieldDescriptor::CPPTYPE_INT32:
        return set(&Reflection::AddInt32, &Reflection::SetInt32, value.get<int32_t>());
      case FieldDescriptor::CPPTYPE_UINT32:
        return set(&Reflection::AddUInt32, &Reflection::SetUInt32, value.get<uint32_t>());
      case FieldDescriptor::CPPTYPE_INT64:
        return set(&Reflection::AddInt64, &Reflection::SetInt64, value.get<int64_t>());
      case FieldDescriptor::CPPTYPE_UINT64:
        return set(&Reflection::AddUInt64, &Reflection::SetUInt64, value.get<uint64_t>());
      default:
        return absl::InternalError("SQL tree: " + field.full_name());
    }
  }

  google::protobuf::DescriptorPool pool_;
  std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;
};

const Json& NoNode() {
  static const Json* const none = new Json(Json::object());
  return *none;
}
const Json& NoList() {
  static const Json* const none = new Json(Json::array());
  return *none;
}

}  // namespace

absl::StatusOr<Json> ParseSelect(const string& sql) {
  const PgQueryParseResult parsed = pg_query_parse(sql.c_str());
  if (parsed.error != nullptr) {
    const absl::Status status = absl::InvalidArgumentError(parsed.error->message);
    pg_query_free_parse_result(parsed);
    return status;
  }
  Json tree = Json::parse(parsed.parse_tree, nullptr, false);
  pg_query_free_parse_result(parsed);
  if (!tree.is_object() || tree["stmts"].size() != 1 ||
      !Is(tree["stmts"][0]["stmt"], "SelectStmt")) {
    return absl::InvalidArgumentError("it is not one SELECT");
  }
  Json select = std::move(tree["stmts"][0]["stmt"]["SelectStmt"]);
  Strip(&select);
  return select;
}

absl::StatusOr<Json> ParseExpression(const string& sql) {
  ASSIGN_OR_RETURN(const Json select, ParseSelect("SELECT " + sql));
  const Json& targets = List(select, "targetList");
  if (targets.size() != 1) return absl::InvalidArgumentError("it is not one expression");
  return targets[0]["ResTarget"]["val"];
}

absl::StatusOr<string> Deparse(const Json& select) {
  static ParserMessages* const messages = new ParserMessages();
  const Json tree = {{"version", 150001}, {"stmts", {{{"stmt", {{"SelectStmt", select}}}}}}};
  ASSIGN_OR_RETURN(string bytes, messages->Serialize(tree));
  const PgQueryDeparseResult deparsed =
      pg_query_deparse_protobuf({.len = bytes.size(), .data = bytes.data()});
  absl::StatusOr<string> text =
      deparsed.error != nullptr
          ? absl::StatusOr<string>(absl::InternalError(deparsed.error->message))
          : absl::StatusOr<string>(string(deparsed.query));
  pg_query_free_deparse_result(deparsed);
  return text;
}

string Kind(const Json& node) {
  return node.is_object() && node.size() == 1 ? node.begin().key() : string();
}
const Json& Body(const Json& node) { return node.begin().value(); }
bool Is(const Json& node, std::string_view kind) {
  return node.is_object() && node.size() == 1 && node.begin().key() == kind;
}

string Text(const Json& body, const char* key) {
  const auto it = body.find(key);
  return it != body.end() && it->is_string() ? it->get<string>() : string();
}

const Json& List(const Json& body, const char* key) {
  const auto it = body.find(key);
  return it != body.end() && it->is_array() ? *it : NoList();
}

string NamePart(const Json& node) { return Is(node, "String") ? Text(Body(node), "sval") : ""; }
Json Name(const string& name) { return {{"String", {{"sval", name}}}}; }

std::pair<string, string> Qualified(const Json& names) {
  if (names.empty()) return {};
  return {NamePart(names.back()), names.size() > 1 ? NamePart(names[names.size() - 2]) : ""};
}

Json Null() { return {{"A_Const", {{"isnull", true}}}}; }
Json Bool(bool value) {
  Json body = Json::object();
  if (value) body["boolval"] = true;
  return {{"A_Const", {{"boolval", body}}}};
}

bool IsNull(const Json& node) {
  if (Is(node, "TypeCast")) return IsNull(Body(node).value("arg", NoNode()));
  return Is(node, "A_Const") && Body(node).value("isnull", false);
}

std::optional<bool> AsBool(const Json& node) {
  if (!Is(node, "A_Const")) return std::nullopt;
  const auto it = Body(node).find("boolval");
  if (it == Body(node).end()) return std::nullopt;
  return it->value("boolval", false);
}

bool IsConstant(const Json& node) {
  if (Is(node, "TypeCast")) return IsConstant(Body(node).value("arg", NoNode()));
  return Is(node, "A_Const") && !Body(node).value("isnull", false);
}

Json Column(const string& unit, const string& column) {
  const Json last = column == "*" ? Json{{"A_Star", Json::object()}} : Name(column);
  return {{"ColumnRef", {{"fields", {Name(unit), last}}}}};
}

std::optional<ColumnName> AsColumn(const Json& node) {
  if (!Is(node, "ColumnRef")) return std::nullopt;
  const Json& fields = List(Body(node), "fields");
  if (fields.size() != 2) return std::nullopt;
  return ColumnName{.unit = NamePart(fields[0]),
                    .column = Is(fields[1], "A_Star") ? "*" : NamePart(fields[1])};
}

Json Closed(const string& why) { return {{"Closed", {{"why", why}}}}; }

std::optional<string> WhyClosed(const Json& node) {
  std::optional<string> why;
  Visit(node, [&](const Json& each) {
    if (!why && Is(each, "Closed")) why = Text(Body(each), "why");
    return !why;
  });
  return why;
}

bool IsEquality(const Json& node) {
  if (!Is(node, "A_Expr") || Text(Body(node), "kind") != "AEXPR_OP") return false;
  const auto [name, schema] = Qualified(List(Body(node), "name"));
  return name == "=" && (schema.empty() || schema == "pg_catalog") &&
         Body(node).contains("lexpr") && Body(node).contains("rexpr");
}

std::vector<Json> Conjuncts(const Json& node) {
  if (!Is(node, "BoolExpr") || Text(Body(node), "boolop") != "AND_EXPR") return {node};
  std::vector<Json> all;
  for (const Json& each : List(Body(node), "args")) {
    for (Json& part : Conjuncts(each)) all.push_back(std::move(part));
  }
  return all;
}

Json BoolExpr(std::string_view op, std::vector<Json> arguments) {
  return {{"BoolExpr", {{"boolop", string(op)}, {"args", std::move(arguments)}}}};
}

void Visit(const Json& node, const std::function<bool(const Json&)>& visit) {
  if (node.is_array()) {
    for (const Json& each : node) Visit(each, visit);
  } else if (node.is_object()) {
    if (!visit(node)) return;
    for (const auto& each : node) {
      if (each.is_structured()) Visit(each, visit);
    }
  }
}

Json Rewrite(const Json& node, const std::function<std::optional<Json>(const Json&)>& replace) {
  if (node.is_object()) {
    if (std::optional<Json> instead = replace(node)) return *std::move(instead);
  }
  if (!node.is_structured()) return node;
  Json out = node;
  for (auto& each : out) {
    if (each.is_structured()) each = Rewrite(each, replace);
  }
  return out;
}

bool Contains(const Json& node, std::string_view kind) {
  bool found = false;
  Visit(node, [&](const Json& each) { return !(found = found || Is(each, kind)); });
  return found;
}

std::set<string> UnitsOf(const Json& node) {
  std::set<string> units;
  Visit(node, [&](const Json& each) {
    if (const auto column = AsColumn(each)) units.insert(column->unit);
    return true;
  });
  return units;
}

}  // namespace switchyard::mapping::derive
