// Ids that can't be computed, kept for ever, both ways: switchyard.id_map. Pairs are put in by the
// SQL of a mapping, which the compiler makes of these pieces; one that is there never changes.
//
//   none --InsertPairsSql--> there
//
// Pure.
#pragma once

#include <string>

namespace switchyard::records {

inline constexpr char kIdMapTable[] = "id_map";

// Gives one boolean: whether there is a map.
std::string HasIdMapSql();

// What entries of the quarantine name it.
inline constexpr char kIdMapTarget[] = "switchyard.id_map";

// `pairs`: a SELECT of kind, old_id, new_id and main. Of old ids that have a partner none is taken.
// `by`: the direction that allots.
std::string InsertPairsSql(const std::string& pairs, const std::string& by);
// `pairs`: a table of all its columns, of the other side. Those one of whose ids has another
// partner are left out.
std::string TakePairsSql(const std::string& pairs);
// Whether there is this pair: expressions, which may not name sy_m.
std::string HasPairSql(const std::string& kind, const std::string& old_id,
                       const std::string& new_id);
// Whether there is a pair of that kind with this old id, or with this new id: all are expressions,
// which may not name sy_m.
std::string HasOldIdSql(const std::string& kind, const std::string& old_id);
std::string HasNewIdSql(const std::string& kind, const std::string& new_id);

}  // namespace switchyard::records
