#pragma once

#include "fault.h"

namespace jubako::archive {

constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxComponent = 255;
constexpr size_t kMaxDepth = 256;

/**
 * Makes a member's name relative and plain: leading slashes, empty components, `.` and inner `..` are resolved in the
 * text, as Docker does. Empty for the root itself. A name that climbs above the root is hostile; one that is too long
 * or too deep exceeds a limit. `what` begins the reason, for example "the name".
 */
bool clean_name(std::string_view name, Text& clean, std::string_view what, Fault& fault);

/** `a/b/c` is `a/b` and `c`; `c` has an empty parent. */
std::string_view parent_of(std::string_view path);
std::string_view base_of(std::string_view path);

}  // namespace jubako::archive
