#include "operate/report/resume_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace switchyard::operate {

std::string ResumeText(const ResumeReport& report) {
  const bool same = report.changed.empty() && report.added.empty() && report.removed.empty();
  std::string warnings;
  for (const std::string& warning : report.warnings) {
    absl::StrAppend(&warnings, "warning: ", warning, "\n");
  }
  std::string text = report.stream + ": ";
  if (same && report.copied_again.empty()) {
    return text +
           "the mapping is as it was; OLD's tables and types are taken as they are now. "
           "Start the replayer again\n" +
           warnings;
  }
  const auto list = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) absl::StrAppend(&text, what, absl::StrJoin(names, ", "), "\n");
  };
  text += same ? "the mapping is as it was\n" : "the mapping is replaced\n";
  list("  changed:       ", report.changed);
  list("  added:         ", report.added);
  list("  removed:       ", report.removed);
  list("  copied again:  ", report.copied_again);
  list("  derived again: ", report.derived_again);
  return text + "Start the replayer again; NEW is not to be read until status says streaming\n" +
         warnings;
}

std::string ResumeJson(const ResumeReport& report) {
  const nlohmann::ordered_json object = {{"stream", report.stream},
                                         {"changed", report.changed},
                                         {"added", report.added},
                                         {"removed", report.removed},
                                         {"copied_again", report.copied_again},
                                         {"derived_again", report.derived_again},
                                         {"warnings", report.warnings}};
  return object.dump(2) + "\n";
}

}  // namespace switchyard::operate
