#include "directory.h"

#include <errno.h>
#include <unistd.h>

#include <cstdlib>
#include <new>

namespace jubako::copy {

Directory* make_directory(Directory* parent, const Meta& meta) {
  Directory* directory = new (std::malloc(sizeof(Directory))) Directory();
  directory->parent = parent;
  directory->source = directory->target = -1;
  directory->given = directory->shown = false;
  directory->meta = meta;
  directory->users = 1;
  if (parent != nullptr) parent->users.fetch_add(1);
  return directory;
}

void release(Directory* directory, Shared& shared) {
  while (directory != nullptr && directory->users.fetch_sub(1) == 1) {
    Directory* parent = directory->parent;
    if (directory->target >= 0) {
      if (!directory->given && directory->shown && !shared.failed() &&
          !apply(directory->target, directory->meta, directory->source, shared.latest))
        shared.system("fchown", errno, directory->path.view());
      close(directory->target);
    }
    close(directory->source);
    directory->~Directory();
    free(directory);
    directory = parent;
  }
}

}  // namespace jubako::copy
