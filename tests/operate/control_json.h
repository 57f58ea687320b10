// Holds --json against proto/control.proto: every key is a field, every value of its type.
#pragma once

#include <google/protobuf/util/json_util.h>

#include <string>

namespace switchyard::testing {

template <typename Message>
bool IsJsonOf(const std::string& json, Message* message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  return google::protobuf::util::JsonStringToMessage(json, message, options).ok();
}

}  // namespace switchyard::testing
