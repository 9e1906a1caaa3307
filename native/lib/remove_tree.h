// Removes a directory and everything below it by descriptors only.
#pragma once

#include "../sys/failure.h"

namespace jubako {

// The tree may be hostile and of any depth; symbolic links are never followed and mounts never entered. A path that
// is missing is no failure; one that is not a directory is unlinked.
bool remove_tree(const char* path, Failure& f);

// The same for `name`, one component, in the open directory `parent`.
bool remove_tree_at(int parent, const char* name, Failure& f);

}  // namespace jubako
