// The file's SQL as an installed mapping has it: bound then, and not again.
#include "absl/functional/function_ref.h"
#include "common/mapping/compile/compilation.h"
#include "common/mapping/fingerprint.h"

namespace switchyard::mapping {
namespace {

using std::string;

// In the order of Plan::bound. `Direction` may be const.
template <typename Direction, typename Each>
void EachPiece(Direction& direction, Each each) {
  for (auto& mapping : direction.mappings) {
    for (auto* sql : {&mapping.select, &mapping.where, &mapping.owns}) {
      if (!sql->empty()) each(*sql);
    }
    for (auto& [column, sql] : mapping.set) each(sql);
    for (auto& rule : mapping.from) each(rule.touches);
  }
  for (auto& rule : direction.id_maps) {
    each(rule.old_id);
    each(rule.new_id);
  }
  for (auto& index : direction.mirror_indexes) each(index.sql);
}

string FingerprintOfPiece(const string& sql) { return Fingerprint().Add(sql).Hex(); }

}  // namespace

std::optional<spec::Direction> WithInstalled(const spec::Direction& written,
                                             const std::vector<BoundPiece>& installed) {
  spec::Direction direction = written;
  size_t next = 0;
  bool same = !installed.empty();
  EachPiece(direction, [&](string& sql) {
    same = same && next < installed.size() && installed[next].written == FingerprintOfPiece(sql);
    if (same) sql = installed[next++].bound;
  });
  if (!same || next < installed.size()) return std::nullopt;
  return direction;
}

std::vector<BoundPiece> PiecesToKeep(const spec::Direction& direction,
                                     const std::map<const string*, string>& bound) {
  std::vector<BoundPiece> pieces;
  bool all = true;
  EachPiece(direction, [&](const string& sql) {
    const auto found = bound.find(&sql);
    all = all && found != bound.end();
    if (all) pieces.push_back({.written = FingerprintOfPiece(sql), .bound = found->second});
  });
  return all ? pieces : std::vector<BoundPiece>();
}

}  // namespace switchyard::mapping
