#include "cutover/postgres/fence_facts.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/strings.h"

namespace switchyard::cutover {
namespace {

constexpr char kSetUpAgain[] =
    "run, as the owner of the tables, what `switchyard check --print-setup FILE` prints (for NEW "
    "--print-setup-new)";

// Bits of pg_trigger.tgtype: row 1, before 2, insert 4, delete 8, update 16, truncate 32.
constexpr char kTablesSql[] = R"(
  SELECT m.relation::regclass::text,
         (SELECT t.tgenabled FROM pg_trigger t WHERE t.tgrelid = m.relation
          AND t.tgname = ('_switchyard_fence_' || $1 || '_row')::name AND t.tgtype = 31
          AND t.tgfoid = f.oid AND t.tgqual IS NULL),
         (SELECT t.tgenabled FROM pg_trigger t WHERE t.tgrelid = m.relation
          AND t.tgname = ('_switchyard_fence_' || $1)::name AND t.tgtype IN (34, 62)
          AND t.tgfoid = f.oid AND t.tgqual IS NULL),
         (SELECT t.tgtype = 62 FROM pg_trigger t WHERE t.tgrelid = m.relation
          AND t.tgname = ('_switchyard_fence_' || $1)::name),
         m.relkind = 'r' OR current_setting('server_version_num')::int >= 130000,
         m.mapped, m.relispartition AND NOT m.is_root
  FROM (
    SELECT w.mapped, w.relation AS root, c.oid AS relation, c.relkind, c.relispartition,
           c.oid = w.relation AS is_root
    FROM (SELECT name, to_regclass(name)::oid FROM unnest($2::text[]) AS n (name))
      AS w (mapped, relation)
    LEFT JOIN LATERAL (SELECT w.relation UNION
                       SELECT p.relid::oid FROM pg_partition_tree(w.relation) p) AS parts (oid)
      ON true
    LEFT JOIN pg_class c ON c.oid = parts.oid) AS m
  LEFT JOIN pg_proc f ON f.proname = ('fence_' || $1)::name AND f.pronargs = 0
    AND f.pronamespace = to_regnamespace('switchyard')
  ORDER BY 1)";

constexpr char kFunctionSql[] = R"(
  SELECT s.open, s.passes, s.open OR session_user = ANY (s.passes::name[]),
         p.prosecdef AND p.proconfig IS NULL AND l.lanname = 'plpgsql',
         pg_get_userbyid(p.proowner), session_user
  FROM switchyard.fence_state($1) s
  JOIN pg_proc p ON p.proname = ('fence_' || $1)::name AND p.pronargs = 0
    AND p.pronamespace = 'switchyard'::regnamespace
  JOIN pg_language l ON l.oid = p.prolang
  WHERE s.open IS NOT NULL)";

class Facts {
 public:
  Facts(const pg::Rows& tables, bool open) : tables_(tables), open_(open) {}

  std::vector<Finding> Find() {
    for (int i = 0; i < tables_.rows(); ++i) OfTable(i);
    return std::move(findings_);
  }

 private:
  void OfTable(int i) {
    if (tables_.is_null(i, 0)) {
      findings_.push_back({absl::StrCat("there is no table ", tables_.str(i, 5)),
                           "correct its name in the migration file"});
      return;
    }
    const std::string table = tables_.str(i, 0);
    const bool partition = tables_.boolean(i, 6);
    const bool has_row = !tables_.is_null(i, 1) || !tables_.boolean(i, 4);
    // A partition that was made since has the trigger of rows by itself; the fence adds the other.
    const bool has_statement = !tables_.is_null(i, 2) || (partition && has_row);
    if (!has_row || !has_statement) {
      findings_.push_back({absl::StrCat("table ", table,
                                        " lacks triggers of the fence, or has "
                                        "others in their place"),
                           kSetUpAgain});
    } else if (!open_ && !Fires(i)) {
      findings_.push_back(
          {absl::StrCat("the triggers of the fence on ", table,
                        " don't fire for everybody any more: ALTER TABLE ... TRIGGER changed them"),
           "run: switchyard repair FILE"});
    }
  }

  // Of a side that is closed.
  bool Fires(int i) {
    const bool by_statement = tables_.is_null(i, 2) || tables_.text(i, 2) == "A";
    const bool statements_do = tables_.boolean(i, 3) && tables_.text(i, 1) == "O";
    const bool by_row = tables_.is_null(i, 1) || tables_.text(i, 1) == "A" || statements_do;
    return by_statement && by_row;
  }

  const pg::Rows& tables_;
  const bool open_;
  std::vector<Finding> findings_;
};

}  // namespace

absl::StatusOr<std::vector<Finding>> FindFenceFaults(const pg::Sql& sql,
                                                     const std::string& migration,
                                                     const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const pg::Rows there,
                   sql.Ask("SELECT to_regprocedure('switchyard.fence_state(text)') IS NOT NULL"));
  if (!there.boolean(0, 0)) {
    return std::vector<Finding>{{"the database has no fence", kSetUpAgain}};
  }
  ASSIGN_OR_RETURN(const pg::Rows function, sql.Ask(kFunctionSql, {migration}));
  if (function.rows() == 0) {
    return std::vector<Finding>{
        {absl::StrCat("the database has no fence of migration ", migration), kSetUpAgain}};
  }
  ASSIGN_OR_RETURN(const pg::Rows rows, sql.Ask(kTablesSql, {migration, ArrayLiteral(tables)}));
  std::vector<Finding> findings = Facts(rows, function.boolean(0, 0)).Find();
  if (!function.boolean(0, 2)) {
    findings.push_back({absl::StrFormat("the fence of migration %s lets roles %s pass, not %s, by "
                                        "which Switchyard writes",
                                        migration, function.text(0, 1), function.text(0, 5)),
                        kSetUpAgain});
  }
  if (!function.boolean(0, 3)) {
    findings.push_back(
        {absl::StrFormat("function switchyard.fence_%s was altered by hand", migration),
         kSetUpAgain});
  }
  return findings;
}

absl::StatusOr<std::string> FenceFingerprint(const pg::Sql& sql, const std::string& migration) {
  ASSIGN_OR_RETURN(const pg::Rows row, sql.Ask(R"(
    SELECT md5(concat(
      (SELECT string_agg(concat_ws(' ', t.tgrelid, t.oid, t.xmin, t.tgenabled, t.tgtype, t.tgfoid),
                         ',' ORDER BY t.oid)
       FROM pg_trigger t WHERE t.tgname IN (('_switchyard_fence_' || $1)::name,
                                            ('_switchyard_fence_' || $1 || '_row')::name)), ';',
      (SELECT string_agg(concat_ws(' ', p.oid, p.xmin), ',' ORDER BY p.oid) FROM pg_proc p
       WHERE p.pronamespace = to_regnamespace('switchyard')
         AND (p.proname = ('fence_' || $1)::name OR p.proname IN ('fence_tables', 'fence_state',
              'fence_decide', 'fence_table', 'fence_enable', 'fence_lock', 'fence_close',
              'fence_open', 'fence_rest'))))))",
                                               {migration}));
  return row.str(0, 0);
}

absl::StatusOr<int64_t> RefusedWrites(const pg::Sql& sql, const std::string& migration) {
  ASSIGN_OR_RETURN(const pg::Rows row,
                   sql.Ask(absl::StrCat(
                       "SELECT CASE WHEN is_called THEN last_value + 1 ELSE 0 END FROM ",
                       QuoteQualified("switchyard", absl::StrCat("fence_refused_", migration)))));
  return row.i64(0, 0);
}

absl::StatusOr<std::vector<FencedTable>> LoadedTables(const pg::Sql& sql,
                                                      const std::string& migration) {
  ASSIGN_OR_RETURN(
      const pg::Rows rows,
      sql.Ask("SELECT t.tgrelid, t.tgrelid::regclass::text FROM pg_trigger t WHERE t.tgname IN "
              "(('_switchyard_fence_' || $1)::name, ('_switchyard_fence_' || $1 || '_row')::name) "
              "AND t.tgenabled <> 'D' GROUP BY 1 ORDER BY 1",
              {migration}));
  std::vector<FencedTable> tables;
  for (int i = 0; i < rows.rows(); ++i) {
    tables.push_back({static_cast<uint32_t>(rows.i64(i, 0)), rows.str(i, 1)});
  }
  return tables;
}

}  // namespace switchyard::cutover
