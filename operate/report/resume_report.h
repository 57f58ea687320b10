// What `resume` changed. Pure.
//
// Thread safety: plain values.
#pragma once

#include <string>
#include <vector>

namespace switchyard::operate {

struct ResumeReport {
  std::string stream;
  // Parts of the mapping: "source public.customers", "mapping public.users".
  std::vector<std::string> changed;
  std::vector<std::string> added;
  std::vector<std::string> removed;        // their rows stay where they are
  std::vector<std::string> copied_again;   // tables of OLD
  std::vector<std::string> derived_again;  // tables of NEW
  std::vector<std::string> warnings;       // sentences
};

std::string ResumeText(const ResumeReport& report);
// The words of message ResumeResult in proto/control.proto.
std::string ResumeJson(const ResumeReport& report);

}  // namespace switchyard::operate
