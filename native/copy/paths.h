// Directories in a target root, made when missing.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "../archive/fault.h"

namespace jubako::copy {

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
  bool given = false;
};

// `user[:group]`, looked up in the root's own tables. A number without a group is the group as well.
bool resolve_owner(int root, const char* text, Owner& owner, archive::Fault& fault);

// Opens the directory `path` in `root`, making what is missing with mode 0755.
int open_directories(int root, std::string_view path, const Owner& owner, archive::Fault& fault);

}  // namespace jubako::copy
