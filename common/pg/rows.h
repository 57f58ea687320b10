// Rows of a statement, and a handle to whatever runs statements: a session of the data plane
// (session.h), a session or transaction of the control plane (control_session.h). Code that reads
// and writes Switchyard's own tables takes the handle, and so serves all of them.
//
//   absl::Status AnswerAll(pg::Sql sql) {
//     ASSIGN_OR_RETURN(const pg::Rows open, sql.Ask("SELECT id FROM t WHERE kind = $1", {"a"}));
//     return sql.Run("UPDATE t SET state = 'done' WHERE id = $1", {open.str(0, 0)});
//   }
//   RETURN_IF_ERROR(AnswerAll(*session));
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/pg/session.h"

namespace switchyard::pg {

class ControlSession;
class ControlTransaction;

// Text form; copies share the cells, and views live as long as one of them.
class Rows {
 public:
  // What a client library received. `row` and `column` are within it.
  class Cells {
   public:
    virtual ~Cells() = default;
    virtual int rows() const = 0;
    virtual int columns() const = 0;
    virtual bool is_null(int row, int column) const = 0;
    virtual std::string_view text(int row, int column) const = 0;  // "" for NULL
    virtual int64_t affected() const = 0;
  };

  explicit Rows(std::shared_ptr<const Cells> cells) : cells_(std::move(cells)) {}
  int rows() const { return cells_->rows(); }
  // These SY_CHECK that the cell is there.
  bool is_null(int row, int column) const;
  std::string_view text(int row, int column) const;  // "" for NULL
  std::string str(int row, int column) const { return std::string(text(row, column)); }
  // SY_CHECKs that the text is an integer: only for columns that are integers by type.
  int64_t i64(int row, int column) const;
  bool boolean(int row, int column) const { return text(row, column) == "t"; }
  // Rows touched by INSERT, UPDATE, DELETE, or returned by SELECT.
  int64_t affected() const { return cells_->affected(); }

 private:
  std::shared_ptr<const Cells> cells_;
};

// Made from what it stands for, which must outlive it; as thread-safe as that. A value.
class Sql {
 public:
  Sql(Session& session);                 // NOLINT(google-explicit-constructor)
  Sql(ControlSession& session);          // NOLINT(google-explicit-constructor)
  Sql(ControlTransaction& transaction);  // NOLINT(google-explicit-constructor)

  // One statement with its parameters ($1 ...). Errors as the session's.
  absl::StatusOr<Rows> Ask(const std::string& sql, const std::vector<Param>& params = {}) const {
    return ask_(sql, params, false);
  }
  // The same for what is asked again and again: a session of the data plane keeps it prepared.
  absl::StatusOr<Rows> AskPrepared(const std::string& sql,
                                   const std::vector<Param>& params = {}) const {
    return ask_(sql, params, true);
  }
  // The same, of which no rows are wanted.
  absl::Status Run(const std::string& sql, const std::vector<Param>& params = {}) const {
    return Ask(sql, params).status();
  }

 private:
  std::function<absl::StatusOr<Rows>(const std::string& sql, const std::vector<Param>& params,
                                     bool prepared)>
      ask_;
};

}  // namespace switchyard::pg
