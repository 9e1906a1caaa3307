// Directories of a walk, alive as long as somebody below works with them.
#pragma once

#include <sys/stat.h>

#include <atomic>

#include "../archive/list.h"
#include "metadata.h"
#include "shared.h"

namespace jubako::copy {

struct Directory {
  Directory* parent;
  int source, target;
  bool given;  // the target was there and keeps its own metadata
  bool shown;  // it is part of the result
  Meta meta;
  archive::Text name, path;  // in the result
  std::atomic<int> users;
};

// With one user, who is a user of `parent` too.
Directory* make_directory(Directory* parent, const Meta& meta);

// The last user's release applies the metadata, and releases the parent.
void release(Directory* directory, Shared& shared);

}  // namespace jubako::copy
