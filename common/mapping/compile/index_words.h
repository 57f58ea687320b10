// Expressions over one table of the source as the mapping's own SQL has them: what an index that is
// asked for is called in the words of whoever wrote the file. Internal to the compiler.
#pragma once

#include <string>
#include <vector>

#include "common/mapping/compile/compilation.h"

namespace switchyard::mapping {

// From its rules, then from what its select compares, then from what it gives; without qualifiers,
// each once. Not more than a few dozen.
std::vector<std::string> OwnExpressions(const Draft& draft, const Source& source);

// `text` without "alias." where that stands as a qualifier.
std::string WithoutQualifier(const std::string& text, const std::string& alias);

}  // namespace switchyard::mapping
