// Names of one file.
#pragma once

#include <sys/stat.h>

#include "../archive/fault.h"
#include "../archive/list.h"
#include "directory.h"

namespace jubako::copy {

// The first name of a file is copied, the others become links to it when all is written.
class HardLinks {
 public:
  explicit HardLinks(Shared& shared) : shared_(shared) {}
  // False: it is the first name.
  bool later(Directory* directory, const struct stat& info, const char* target);
  bool link_all(archive::Fault& fault);
  // Nothing more is asked of them: their directories get their metadata.
  void release_all();

 private:
  struct Name {
    dev_t device;
    ino_t inode;
    Directory* directory;
    char* name;
  };
  void forget(Name& name);

  Shared& shared_;
  archive::List<Name> originals_, links_;
};

}  // namespace jubako::copy
