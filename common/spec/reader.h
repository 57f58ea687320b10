// Typed reading of a document's nodes. A fault never stops the reading, so that all of them are
// found in one go.
//
//   Reader in(document, "shop.yaml", &faults);
//   in.Map(document.root, "the file", {
//       {"migration", [&](const Node& node) { in.String(node, "migration", &name); }, kRequired},
//       {"replay", [&](const Node& node) { ReadReplay(in, node, &replay); }},
//   });
//
// `what` names a value in messages: "capture.heartbeat is 0s; it must be 100ms..10m".
// Thread-compatible. The document must outlive the reader.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/spec/document.h"
#include "common/spec/migration_file.h"

namespace switchyard::spec {

inline constexpr bool kRequired = true;

struct KeyReader {
  std::string_view name;
  std::function<void(const Node& value)> read;
  bool required = false;
  bool hidden = false;  // known only to be refused; never suggested
};

// The keys a map had, for rules between them.
class PresentKeys {
 public:
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // The key's own node (its position), or null.
  const Node* Find(std::string_view key) const;
  // True when an unknown key is probably this one misspelt: its absence is no second fault.
  bool Meant(std::string_view key) const;
  void Add(const Node* key) { keys_.push_back(key); }
  void AddMeant(std::string key) { meant_.push_back(std::move(key)); }
  // Any key may have been meant.
  void AllowMissing() { any_meant_ = true; }

 private:
  std::vector<const Node*> keys_;
  std::vector<std::string> meant_;
  bool any_meant_ = false;
};

class Reader {
 public:
  Reader(const Document& document, std::string file, std::vector<Fault>* faults)
      : document_(document), file_(std::move(file)), faults_(faults) {}

  // A map with known keys. Unknown, repeated, empty and missing ones are faults.
  PresentKeys Map(const Node& node, std::string_view what, const std::vector<KeyReader>& keys);
  // A map with free keys; repeated ones are faults and are skipped.
  void Entries(const Node& node, std::string_view what,
               absl::FunctionRef<void(const Node& key, const Node& value)> each);
  // A list; one plain value counts as a list of one.
  void List(const Node& node, std::string_view what,
            absl::FunctionRef<void(const Node& item)> each);

  // Each returns false after a fault and leaves `out` alone.
  bool String(const Node& node, std::string_view what, std::string* out);
  bool Bool(const Node& node, std::string_view what, bool* out);
  template <typename T>
  bool Int(const Node& node, std::string_view what, int64_t min, int64_t max, T* out) {
    int64_t value = 0;
    if (!Int64(node, what, min, max, &value)) return false;
    *out = static_cast<T>(value);
    return true;
  }
  bool Size(const Node& node, std::string_view what, int64_t min, int64_t max, int64_t* out);
  bool Duration(const Node& node, std::string_view what, absl::Duration min, absl::Duration max,
                absl::Duration* out);
  // One identifier, exactly as the catalogue spells it.
  bool Identifier(const Node& node, std::string_view what, std::string* out);
  bool Table(const Node& node, std::string_view what, TableName* out);
  bool EnvironmentName(const Node& node, std::string_view what, std::string* out);
  // SQL; a bare NULL is SQL too.
  bool Expression(const Node& node, std::string_view what, std::string* out);
  bool Query(const Node& node, std::string_view what, std::string* out);
  // Whichever of the two it begins as.
  bool ExpressionOrQuery(const Node& node, std::string_view what, std::string* out);

  // The text of an SQL file that `node` names; nullopt after a fault.
  std::optional<std::string> SqlFile(const Node& node, std::string_view what,
                                     const std::string& path, size_t bytes_max);

  Position At(const Node& node) const { return document_.At(node.offset); }
  // Of a scalar's value, or where any other node stands.
  Place PlaceOf(const Node& node) const;
  void AddFault(const Node& node, std::string message);
  // In another file, such as a select's.
  void AddFaultIn(const std::string& file, Position at, std::string message);

 private:
  void UnknownKey(const Node& key, std::string_view what, const std::vector<std::string>& known,
                  PresentKeys* present);
  bool Int64(const Node& node, std::string_view what, int64_t min, int64_t max, int64_t* out);
  // The text of a scalar; faults for null, list and map.
  bool Text(const Node& node, std::string_view what, std::string_view expected, std::string* out);
  bool Sql(const Node& node, std::string_view what, bool query, std::string* out);

  const Document& document_;
  const std::string file_;
  std::vector<Fault>* const faults_;
};

}  // namespace switchyard::spec
