#include "common/pg/rows.h"

#include "absl/strings/numbers.h"
#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/pg/control_session.h"

namespace switchyard::pg {
namespace {

class ResultCells : public Rows::Cells {
 public:
  explicit ResultCells(Result result) : result_(std::move(result)) {}
  int rows() const override { return result_.rows(); }
  int columns() const override { return result_.columns(); }
  bool is_null(int row, int column) const override { return result_.is_null(row, column); }
  std::string_view text(int row, int column) const override { return result_.text(row, column); }
  int64_t affected() const override { return result_.affected(); }

 private:
  const Result result_;
};

}  // namespace

bool Rows::is_null(int row, int column) const {
  SY_CHECK(row >= 0 && row < rows() && column >= 0 && column < cells_->columns());
  return cells_->is_null(row, column);
}

std::string_view Rows::text(int row, int column) const {
  return is_null(row, column) ? std::string_view() : cells_->text(row, column);
}

int64_t Rows::i64(int row, int column) const {
  int64_t value = 0;
  SY_CHECK(absl::SimpleAtoi(Sv(text(row, column)), &value));
  return value;
}

Sql::Sql(Session& session)
    : ask_([&session](const std::string& sql, const std::vector<Param>& params,
                      bool prepared) -> absl::StatusOr<Rows> {
        ASSIGN_OR_RETURN(Result result, prepared ? session.QueryPrepared(sql, params)
                                                 : session.Query(sql, params));
        return Rows(std::make_shared<ResultCells>(std::move(result)));
      }) {}

Sql::Sql(ControlSession& session)
    : ask_([&session](const std::string& sql, const std::vector<Param>& params, bool /*prepared*/) {
        return session.Query(sql, params);
      }) {}

Sql::Sql(ControlTransaction& transaction)
    : ask_([&transaction](const std::string& sql, const std::vector<Param>& params,
                          bool /*prepared*/) { return transaction.Query(sql, params); }) {}

}  // namespace switchyard::pg
