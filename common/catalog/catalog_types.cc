#include "common/catalog/catalog_types.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/sql_text.h"
#include "common/base/strings.h"
#include "common/pg/server_version.h"

namespace switchyard::catalog {
namespace internal {
namespace {

// Postgres cuts identifiers to this many bytes.
constexpr size_t kIdentifierBytesMax = 63;

uint32_t Oid(const pg::Result& rows, int row, int column) {
  const std::string_view text = rows.text(row, column);
  uint32_t value = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  SY_CHECK(error == std::errc() && at == text.data() + text.size());
  return value;
}

// One enum label, composite column, or the base of a domain or range.
struct Piece {
  std::string name;  // label, column name, or a range's operator class
  uint32_t type_oid = 0;
  std::string type;            // as Column::type
  uint32_t collation_oid = 0;  // 0: the type's default
  std::string collation;       // quoted
};

struct TypeParts {
  UserType type;
  std::vector<Piece> pieces;
  std::string multirange;  // of a range
  std::string quoted;      // of a collation: as Column::collation has it
  std::string collation_options;
};

// What a type oid of a column stands for: a user type, or an array or multirange of one.
struct Derived {
  uint32_t base_oid = 0;
  enum class Kind { kSame, kArray, kMultirange } kind = Kind::kSame;
};

class TypeLoader {
 public:
  TypeLoader(pg::Session& session, const std::string& tables, Catalog* catalog)
      : session_(session), tables_(tables), catalog_(catalog) {}

  absl::Status Load() {
    RETURN_IF_ERROR(LoadReachable());
    RETURN_IF_ERROR(LoadPieces());
    RETURN_IF_ERROR(LoadCollations());
    NameForMirror();
    for (auto& [oid, parts] : parts_) Emit(oid);
    DescribeColumns();
    return absl::OkStatus();
  }

 private:
  absl::Status LoadReachable();
  absl::Status LoadPieces();
  absl::Status LoadCollations();
  void NameForMirror();
  void Emit(uint32_t oid);
  std::string CreateSql(const TypeParts& parts) const;
  std::string MirrorName(uint32_t oid) const;
  std::string MirrorType(const Piece& piece) const;
  std::string PieceSql(const Piece& piece) const;
  std::string MirrorCollation(uint32_t oid, const std::string& quoted) const;
  void DescribeColumns();

  pg::Session& session_;
  const std::string& tables_;
  Catalog* const catalog_;
  std::map<uint32_t, TypeParts> parts_;  // by oid; collations too
  std::map<uint32_t, Derived> derived_;  // every type oid that leads to a user type
  std::set<uint32_t> emitted_;
};

// Types reachable from the columns; the recursion stops at system and extension types.
constexpr char kReachable[] = R"(
    WITH RECURSIVE step(oid) AS (
      SELECT a.atttypid FROM pg_attribute a
      WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
      UNION
      SELECT next.oid
      FROM step r JOIN pg_type t ON t.oid = r.oid
      CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1
        UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT a.atttypid FROM pg_attribute a
          WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
            AND NOT a.attisdropped
        UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid
        UNION ALL SELECT g.rngtypid FROM pg_range g WHERE %3$s = t.oid) next(oid)
      WHERE %1$s),
    reach AS (
      SELECT t.* FROM step JOIN pg_type t ON t.oid = step.oid WHERE %2$s))";

// Of a row g of pg_range.
const char* MultirangeSql(const pg::Session& session) {
  return session.server_version() >= pg::kMultiranges ? "g.rngmultitypid" : "0::oid";
}

std::string WithReach(const pg::Session& session) {
  const std::string owned = UserOwnedSql("pg_type", "t.oid", "t.typnamespace");
  return absl::StrFormat(kReachable, owned, owned, MultirangeSql(session));
}

absl::Status TypeLoader::LoadReachable() {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   session_.Query(WithReach(session_) + absl::StrFormat(R"(
    SELECT t.oid, s.nspname, t.typname, t.typtype,
           CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem
                WHEN t.typtype = 'm' THEN (SELECT g.rngtypid FROM pg_range g
                                           WHERE %1$s = t.oid)
                ELSE 0 END,
           coalesce((SELECT m.typname FROM pg_range g JOIN pg_type m ON m.oid = %1$s
                     WHERE g.rngtypid = t.oid), '')
    FROM reach t JOIN pg_namespace s ON s.oid = t.typnamespace
    ORDER BY t.oid)",
                                                                        MultirangeSql(session_)),
                                  {tables_}));
  for (int i = 0; i < rows.rows(); ++i) {
    const uint32_t oid = Oid(rows, i, 0);
    const char kind = rows.text(i, 3)[0];
    if (const uint32_t base = Oid(rows, i, 4); base != 0) {
      derived_[oid] = {base, kind == 'm' ? Derived::Kind::kMultirange : Derived::Kind::kArray};
    } else if (kind == 'e' || kind == 'd' || kind == 'c' || kind == 'r') {
      derived_[oid] = {oid, Derived::Kind::kSame};
      TypeParts& parts = parts_[oid];
      parts.type.oid = oid;
      parts.type.schema = rows.str(i, 1);
      parts.type.name = rows.str(i, 2);
      parts.type.kind = kind;
      parts.multirange = rows.str(i, 5);
    }
  }
  // An array of a base type written in C leads to nothing that can be made again.
  std::erase_if(derived_, [&](const auto& item) { return !parts_.contains(item.second.base_oid); });
  return absl::OkStatus();
}

absl::Status TypeLoader::LoadPieces() {
  const std::string sql = absl::StrCat(WithReach(session_), R"(,
    piece AS (
      SELECT e.enumtypid AS type, e.enumsortorder AS position, e.enumlabel::text AS name,
             0::oid AS part, -1 AS modifier, 0::oid AS collation
      FROM reach t JOIN pg_enum e ON e.enumtypid = t.oid
      UNION ALL
      SELECT t.oid, 0, '', t.typbasetype, t.typtypmod, t.typcollation
      FROM reach t WHERE t.typtype = 'd'
      UNION ALL
      SELECT t.oid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation
      FROM reach t JOIN pg_attribute a ON a.attrelid = t.typrelid
      WHERE t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT t.oid, 0, CASE WHEN o.opcdefault THEN '' ELSE quote_ident(o.opcname) END,
             g.rngsubtype, -1, g.rngcollation
      FROM reach t JOIN pg_range g ON g.rngtypid = t.oid JOIN pg_opclass o ON o.oid = g.rngsubopc)
    SELECT p.type, p.name, p.part, )",
                                       TypeNameSql("p.part", "p.modifier"), R"(,
           CASE WHEN p.collation <> b.typcollation THEN p.collation ELSE 0 END,
           coalesce(quote_ident(s.nspname) || '.' || quote_ident(l.collname), '')
    FROM piece p
    LEFT JOIN pg_type b ON b.oid = p.part
    LEFT JOIN pg_collation l ON l.oid = p.collation
    LEFT JOIN pg_namespace s ON s.oid = l.collnamespace
    ORDER BY p.type, p.position)");
  ASSIGN_OR_RETURN(const pg::Result rows, session_.Query(sql, {tables_}));
  for (int i = 0; i < rows.rows(); ++i) {
    const auto found = parts_.find(Oid(rows, i, 0));
    if (found == parts_.end()) continue;
    found->second.pieces.push_back({.name = rows.str(i, 1),
                                    .type_oid = Oid(rows, i, 2),
                                    .type = rows.str(i, 3),
                                    .collation_oid = rows.is_null(i, 4) ? 0 : Oid(rows, i, 4),
                                    .collation = rows.str(i, 5)});
  }
  return absl::OkStatus();
}

// Collations of the user, used by the tables' columns or by the types found.
absl::Status TypeLoader::LoadCollations() {
  const int version = session_.server_version();
  const char* locale = version >= 170000   ? "l.colllocale"
                       : version >= 150000 ? "l.colliculocale"
                                           : "l.collcollate";
  std::vector<uint32_t> used;
  for (const auto& [oid, parts] : parts_) {
    for (const Piece& piece : parts.pieces) used.push_back(piece.collation_oid);
  }
  const std::string sql =
      absl::StrCat(R"(
    SELECT l.oid, s.nspname, l.collname, l.collprovider, l.collcollate, l.collctype, )",
                   locale, R"(,
           l.collisdeterministic, )",
                   version >= 160000 ? "l.collicurules" : "NULL", R"(,
           quote_ident(s.nspname) || '.' || quote_ident(l.collname)
    FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace
    WHERE (l.oid = ANY($2::oid[]) OR l.oid IN (
             SELECT a.attcollation FROM pg_attribute a
             WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped))
      AND )",
                   UserOwnedSql("pg_collation", "l.oid", "l.collnamespace"), " ORDER BY l.oid");
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      session_.Query(sql, {tables_, absl::StrCat("{", absl::StrJoin(used, ","), "}")}));
  for (int i = 0; i < rows.rows(); ++i) {
    TypeParts& parts = parts_[Oid(rows, i, 0)];
    parts.type.oid = Oid(rows, i, 0);
    parts.type.schema = rows.str(i, 1);
    parts.type.name = rows.str(i, 2);
    parts.type.kind = 'l';
    parts.quoted = rows.str(i, 9);
    const std::string_view provider = rows.text(i, 3);
    std::vector<std::string> options = {provider == "i"   ? "provider = icu"
                                        : provider == "b" ? "provider = builtin"
                                                          : "provider = libc"};
    if (provider == "c") {
      options.push_back("lc_collate = " + QuoteLiteral(rows.text(i, 4)));
      options.push_back("lc_ctype = " + QuoteLiteral(rows.text(i, 5)));
    } else {
      options.push_back("locale = " + QuoteLiteral(rows.text(i, 6)));
    }
    if (!rows.boolean(i, 7)) options.emplace_back("deterministic = false");
    if (!rows.is_null(i, 8)) options.push_back("rules = " + QuoteLiteral(rows.text(i, 8)));
    parts.collation_options = absl::StrJoin(options, ", ");
  }
  return absl::OkStatus();
}

// `name` with the oid behind it, cut to what an identifier may hold.
std::string WithOid(const std::string& name, uint32_t oid) {
  const std::string suffix = absl::StrCat("_", oid);
  return absl::StrCat(Sv(CutUtf8(name, kIdentifierBytesMax - suffix.size())), suffix);
}

// All types of all schemas end up in one schema: a name that two share gets the oid behind it.
void TypeLoader::NameForMirror() {
  std::map<std::string, int> uses;
  for (const auto& [oid, parts] : parts_) {
    ++uses[parts.type.name];
    ++uses[parts.multirange];
  }
  for (auto& [oid, parts] : parts_) {
    const std::string& name = parts.type.name;
    parts.type.mirror_name = uses[name] == 1 ? name : WithOid(name, oid);
    // A server from 14 on makes one for each range, by a name of its choice, which another type may
    // have on an older source.
    if (parts.multirange.empty() && parts.type.kind == 'r') {
      parts.multirange = WithOid("multirange", oid);
    } else if (uses[parts.multirange] > 1 && !parts.multirange.empty()) {
      parts.multirange = WithOid(parts.multirange, oid);
    }
  }
}

std::string TypeLoader::MirrorName(uint32_t oid) const {
  return absl::StrCat(Sv(kSchemaPlaceholder), ".",
                      QuoteIdentifier(parts_.at(oid).type.mirror_name));
}

// regclass and its kin, and their arrays, by OID (pg_type.dat): names of the source's objects,
// which another database need not have.
bool NamesAnObject(uint32_t type_oid) {
  static constexpr uint32_t kTypes[] = {24,   2202, 2203, 2204, 2205, 2206,
                                        3734, 3769, 4089, 4096, 4191};
  return std::ranges::count(kTypes, type_oid) > 0;
}

bool NamesObjects(uint32_t type_oid) {
  static constexpr uint32_t kTypes[] = {1008, 2207, 2208, 2209, 2210, 2211,
                                        3735, 3770, 4090, 4097, 4192};
  return std::ranges::count(kTypes, type_oid) > 0;
}

std::string TypeLoader::MirrorType(const Piece& piece) const {
  if (NamesAnObject(piece.type_oid)) return "text";
  if (NamesObjects(piece.type_oid)) return "text[]";
  const auto found = derived_.find(piece.type_oid);
  if (found == derived_.end()) return piece.type;
  // An array's element may itself be derived (an array of multiranges).
  Piece base = piece;
  base.type_oid = found->second.base_oid;
  switch (found->second.kind) {
    case Derived::Kind::kSame:
      return MirrorName(piece.type_oid);
    case Derived::Kind::kArray:
      return MirrorType(base) + "[]";
    case Derived::Kind::kMultirange:
      return absl::StrCat(Sv(kSchemaPlaceholder), ".",
                          QuoteIdentifier(parts_.at(base.type_oid).multirange));
  }
  return piece.type;
}

std::string TypeLoader::MirrorCollation(uint32_t oid, const std::string& quoted) const {
  return parts_.contains(oid) ? MirrorName(oid) : quoted;
}

std::string TypeLoader::PieceSql(const Piece& piece) const {
  if (piece.collation_oid == 0) return MirrorType(piece);
  return absl::StrCat(MirrorType(piece), " COLLATE ",
                      MirrorCollation(piece.collation_oid, piece.collation));
}

std::string TypeLoader::CreateSql(const TypeParts& parts) const {
  const std::string name = MirrorName(parts.type.oid);
  std::vector<std::string> list;
  switch (parts.type.kind) {
    case 'e':
      for (const Piece& piece : parts.pieces) list.push_back(QuoteLiteral(piece.name));
      return absl::StrCat("CREATE TYPE ", name, " AS ENUM (", absl::StrJoin(list, ", "), ")");
    case 'd':
      return absl::StrCat("CREATE DOMAIN ", name, " AS ", PieceSql(parts.pieces.at(0)));
    case 'c':
      for (const Piece& piece : parts.pieces) {
        list.push_back(absl::StrCat(QuoteIdentifier(piece.name), " ", PieceSql(piece)));
      }
      return absl::StrCat("CREATE TYPE ", name, " AS (", absl::StrJoin(list, ", "), ")");
    case 'l':
      return absl::StrCat("CREATE COLLATION ", name, " (", parts.collation_options, ")");
    default:
      break;
  }
  const Piece& subtype = parts.pieces.at(0);
  list.push_back("subtype = " + MirrorType(subtype));
  if (!subtype.name.empty()) list.push_back("subtype_opclass = " + subtype.name);
  if (subtype.collation_oid != 0) {
    list.push_back("collation = " + MirrorCollation(subtype.collation_oid, subtype.collation));
  }
  if (!parts.multirange.empty()) {
    list.push_back(absl::StrCat("multirange_type_name = ", Sv(kSchemaPlaceholder), ".",
                                QuoteIdentifier(parts.multirange)));
  }
  return absl::StrCat("CREATE TYPE ", name, " AS RANGE (", absl::StrJoin(list, ", "), ")");
}

// Depth first: what a type is made of comes before it. Postgres allows no cycles among them.
void TypeLoader::Emit(uint32_t oid) {
  const auto found = parts_.find(oid);
  if (found == parts_.end() || !emitted_.insert(oid).second) return;
  for (const Piece& piece : found->second.pieces) {
    uint32_t base = piece.type_oid;
    for (auto it = derived_.find(base);
         it != derived_.end() && it->second.kind != Derived::Kind::kSame;
         it = derived_.find(base)) {
      base = it->second.base_oid;
    }
    Emit(base);
    Emit(piece.collation_oid);
  }
  UserType type = found->second.type;
  type.create_sql = CreateSql(found->second);
  if (type.kind == 'e') {
    for (const Piece& piece : found->second.pieces) type.labels.push_back(piece.name);
  }
  catalog_->types.push_back(std::move(type));
}

void TypeLoader::DescribeColumns() {
  std::map<std::string, uint32_t> collations;  // by quoted name
  for (const auto& [oid, parts] : parts_) {
    if (parts.type.kind == 'l') collations[parts.quoted] = oid;
  }
  for (Table& table : catalog_->tables) {
    for (Column& column : table.columns) {
      column.user_type = derived_.contains(column.type_oid) || NamesAnObject(column.type_oid) ||
                         NamesObjects(column.type_oid);
      column.mirror_type = MirrorType({.type_oid = column.type_oid, .type = column.type});
      const auto collation = collations.find(column.collation);
      column.mirror_collation =
          collation == collations.end() ? column.collation : MirrorName(collation->second);
    }
  }
}

}  // namespace

std::string TypeNameSql(std::string_view type, std::string_view modifier) {
  return absl::StrFormat(R"((
      SELECT CASE WHEN starts_with(f.name, s.prefix) AND EXISTS (
                    SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass
                    AND d.objid IN (nt.oid, nt.typelem) AND d.deptype = 'e')
                  THEN substr(f.name, length(s.prefix) + 1) ELSE f.name END
      FROM pg_type nt
      CROSS JOIN LATERAL (SELECT format_type(%1$s, %2$s) AS name) f
      CROSS JOIN LATERAL (SELECT quote_ident(ns.nspname) || '.' AS prefix FROM pg_namespace ns
                          WHERE ns.oid = nt.typnamespace) s
      WHERE nt.oid = %1$s))",
                         type, modifier);
}

std::string UserOwnedSql(std::string_view catalogue, std::string_view oid,
                         std::string_view schema) {
  return absl::StrFormat(R"((
      %3$s NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '%1$s'::regclass
                      AND d.objid = %2$s AND d.deptype = 'e')))",
                         catalogue, oid, schema);
}

absl::Status LoadTypes(pg::Session& session, const std::string& oids, Catalog* catalog) {
  return TypeLoader(session, oids, catalog).Load();
}

}  // namespace internal

std::string WithSchema(std::string_view text, std::string_view schema) {
  return ReplaceInSql(text, kSchemaPlaceholder, QuoteIdentifier(schema));
}

}  // namespace switchyard::catalog
