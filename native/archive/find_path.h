#pragma once

#include <sys/stat.h>

#include "fault.h"

namespace jubako::archive {

/** What is at a path below an open root, as lstat(2) has it, and for a symbolic link where it leads in the end. */
struct FoundPath {
  struct stat info;
  /** Absolute below the root; empty unless it is a link. What does not exist stays as it is written. */
  Text target;
};

bool find_path(int root, std::string_view path, FoundPath& found, Fault& fault);

}  // namespace jubako::archive
