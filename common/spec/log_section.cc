#include "common/spec/log_section.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "common/base/kafka_properties.h"
#include "common/base/strings.h"
#include "common/spec/text_file.h"

namespace switchyard::spec {
namespace {

// Properties that hold a secret: their values come from the environment only.
constexpr std::array<std::string_view, 6> kSecretProperties = {
    "sasl.password", "sasl.oauthbearer.client.secret", "ssl.key.password",
    "ssl.key.pem",   "ssl.keystore.password",          "sasl.oauthbearer.config"};

// False after a fault.
bool CheckProperty(Reader& in, const Node& key) {
  if (!IsFixedKafkaProperty(key.text)) return true;
  in.AddFault(key, absl::StrCat("log.kafka.", key.text, " is fixed by Switchyard; leave it out"));
  return false;
}

void ReadKafkaEnv(Reader& in, const Node& node, LogSection* out) {
  in.Entries(node, "log.kafka.env", [&](const Node& key, const Node& value) {
    std::string variable;
    if (!CheckProperty(in, key)) return;
    if (!in.EnvironmentName(value, absl::StrCat("log.kafka.env.", key.text), &variable)) return;
    out->kafka_env.emplace_back(key.text, std::move(variable));
  });
}

void ReadKafkaProperty(Reader& in, const Node& key, const Node& value, LogSection* out) {
  if (!CheckProperty(in, key)) return;
  if (std::find(kSecretProperties.begin(), kSecretProperties.end(), key.text) !=
      kSecretProperties.end()) {
    return in.AddFault(key,
                       absl::StrCat("log.kafka.", key.text,
                                    " is a secret and doesn't belong in this file: put it into "
                                    "an environment variable and name it here (env: {",
                                    key.text, ": KAFKA_SECRET})"));
  }
  std::string text;
  if (in.String(value, absl::StrCat("log.kafka.", key.text), &text)) {
    out->kafka.emplace_back(key.text, std::move(text));
  }
}

bool Names(const std::vector<std::pair<std::string, std::string>>& properties,
           std::string_view name) {
  return std::any_of(properties.begin(), properties.end(),
                     [&](const auto& property) { return property.first == name; });
}

void ReadKafka(Reader& in, const Node& node, LogSection* out) {
  in.Entries(node, "log.kafka", [&](const Node& key, const Node& value) {
    if (key.text == "single_broker") {
      in.Bool(value, "log.kafka.single_broker", &out->single_broker);
    } else if (key.text == "env") {
      ReadKafkaEnv(in, value, out);
    } else {
      ReadKafkaProperty(in, key, value, out);
    }
  });
  for (const auto& [name, variable] : out->kafka_env) {
    if (Names(out->kafka, name)) {
      in.AddFault(node, absl::StrCat("log.kafka.", name, " is given twice: here and under env"));
    }
  }
  constexpr std::string_view kServers = "bootstrap.servers";
  if (node.kind == Node::Kind::kMap && !Names(out->kafka, kServers) &&
      !Names(out->kafka_env, kServers)) {
    in.AddFault(node, "log.kafka has no \"bootstrap.servers\"");
  }
}

}  // namespace

void ReadLog(Reader& in, const Node& node, const std::string& folder, LogSection* out) {
  const PresentKeys present = in.Map(node, "log",
                                     {{"sqlite",
                                       [&](const Node& n) {
                                         if (in.String(n, "log.sqlite", &out->sqlite_path)) {
                                           out->sqlite_path = ResolvePath(folder, out->sqlite_path);
                                         }
                                       }},
                                      {"kafka", [&](const Node& n) { ReadKafka(in, n, out); }}});
  if (present.Has("sqlite") && present.Has("kafka")) {
    in.AddFault(*present.Find("kafka"), "log has sqlite and kafka; it must be one of them");
  } else if (node.kind == Node::Kind::kMap && !present.Has("sqlite") && !present.Has("kafka")) {
    in.AddFault(node, "log has neither sqlite nor kafka; leave it out for a file beside this one");
  }
}

}  // namespace switchyard::spec
