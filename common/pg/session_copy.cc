// The COPY half of Session.
#include <poll.h>

#include <algorithm>
#include <string>

#include "common/base/strings.h"
#include "common/pg/libpq.h"
#include "common/pg/session.h"

namespace switchyard::pg {
namespace {

// What may wait in libpq's buffer: enough to keep the socket full, little enough to forget.
constexpr int64_t kUnflushedMax = 256 << 10;

}  // namespace

absl::Status Session::BeginCopy(std::string_view sql, int wanted) {
  RETURN_IF_ERROR(cancel_.status());
  RETURN_IF_ERROR(Sent(PQsendQuery(connection_, std::string(sql).c_str())));
  absl::StatusOr<PGresult*> first = NextResult({});
  if (!first.ok()) {
    Interrupt();
    return first.status();
  }
  const internal::ResultPtr result(*first);
  if (result != nullptr && PQresultStatus(result.get()) == wanted) return absl::OkStatus();
  absl::Status status;
  if (result == nullptr) {
    status = internal::LostConnection(connection_);
  } else {
    status = internal::StatusFromResult(connection_, result.get());
    if (status.ok()) status = LeaveCopy(result.get(), {});
  }
  const absl::Status rest = Wait({}).status();
  RETURN_IF_ERROR(status);
  return alive() ? absl::InvalidArgumentError("not the expected kind of COPY statement") : rest;
}

absl::Status Session::BeginCopyIn(std::string_view sql) {
  unflushed_bytes_ = 0;
  return BeginCopy(sql, PGRES_COPY_IN);
}

absl::Status Session::BeginCopyBoth(std::string_view sql) {
  return BeginCopy(sql, PGRES_COPY_BOTH);
}

absl::Status Session::PutCopyData(std::string_view data) {
  while (!data.empty()) {
    if (unflushed_bytes_ >= kUnflushedMax) {
      RETURN_IF_ERROR(Flush({}));
      unflushed_bytes_ = 0;
    }
    const auto room = static_cast<size_t>(kUnflushedMax - unflushed_bytes_);
    const std::string_view piece = data.substr(0, room);
    const int put = PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size()));
    if (put < 0) return Sent(0);
    if (put == 0) {  // libpq's buffer can't grow now
      RETURN_IF_ERROR(AwaitSocket(POLLOUT, {}));
      continue;
    }
    unflushed_bytes_ += static_cast<int64_t>(piece.size());
    data.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Session::EndCopyIn() {
  int ended = 0;
  while ((ended = PQputCopyEnd(connection_, nullptr)) == 0) {
    RETURN_IF_ERROR(AwaitSocket(POLLOUT, {}));
  }
  if (ended < 0) return Sent(0);
  ASSIGN_OR_RETURN(const Result result, Wait({}));
  return result.affected();
}

absl::Status Session::AbortCopyIn(std::string_view why) {
  if (PQputCopyEnd(connection_, std::string(why).c_str()) < 0) return Sent(0);
  const absl::Status status = Wait({}).status();
  return alive() && !absl::IsCancelled(status) ? absl::OkStatus() : status;
}

absl::Status Session::CopyOut(std::string_view sql,
                              absl::FunctionRef<absl::Status(std::string_view line)> line) {
  RETURN_IF_ERROR(BeginCopy(sql, PGRES_COPY_OUT));
  while (true) {
    char* buffer = nullptr;
    const int size = PQgetCopyData(connection_, &buffer, /*async=*/1);
    if (size < 0) break;  // done or failed: the result tells
    absl::Status status;
    if (size > 0) {
      status = line(std::string_view(buffer, static_cast<size_t>(size)));
      PQfreemem(buffer);
    } else {
      status = AwaitSocket(POLLIN, {});
      if (status.ok() && PQconsumeInput(connection_) == 0) break;
    }
    if (!status.ok()) {
      Interrupt();
      return status;
    }
  }
  return Wait({}).status();
}

}  // namespace switchyard::pg
