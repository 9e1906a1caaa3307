// Paths inside a container's root: opened once, from then on only descriptors.
#pragma once

#include <sys/types.h>

#include "../sys/failure.h"
#include "../sys/fd.h"

namespace jubako {

enum class Create : unsigned { kNothing = 0, kDirectory = 1, kFile = 2 };

// O_PATH descriptor of `path` resolved inside `root` (absolute links stay inside, magic links are refused).
int open_in_root(int root, const char* path, int flags = 0);

// The same, making what is missing: parents with mode 0755, the last component as asked. -1 and `f` on failure.
int open_target(int root, const char* path, Create create, Failure& f);

// Opens the parent directory of `path` and points `name` at the last component.
int open_parent(int root, const char* path, const char*& name, Failure& f);

// Like open_target(kDirectory), but no component may be a symbolic link: for /proc, /sys and /dev, which an image could
// point elsewhere (CVE-2019-19921, CVE-2023-27561, CVE-2026-41579).
int open_plain_directory(int root, const char* path, Failure& f);

}  // namespace jubako
