#include "hard_links.h"

#include <errno.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace jubako::copy {

void HardLinks::release_all() {
  for (Name& link : links_) forget(link);
  for (Name& original : originals_) forget(original);
}

void HardLinks::forget(Name& name) {
  release(name.directory, shared_);
  free(name.name);
}

bool HardLinks::later(Directory* directory, const struct stat& info, const char* target) {
  Name link = {info.st_dev, info.st_ino, directory, strdup(target)};
  directory->users.fetch_add(1);
  for (Name& original : originals_) {
    if (original.device != info.st_dev || original.inode != info.st_ino) continue;
    links_.push(link);
    return true;
  }
  originals_.push(link);
  return false;
}

bool HardLinks::link_all(archive::Fault& fault) {
  for (Name& link : links_) {
    for (Name& original : originals_) {
      if (original.device != link.device || original.inode != link.inode) continue;
      fault.at(link.name);
      if (linkat(original.directory->target, original.name, link.directory->target, link.name, 0) < 0)
        return fault.system("linkat", errno);
      break;
    }
  }
  return true;
}

}  // namespace jubako::copy
