// The names in a directory.
#pragma once

#include "../archive/list.h"

namespace jubako::copy {

// Sorted by their bytes, without `.` and `..`.
struct Names {
  archive::List<char*> list;
  ~Names();
  // False with errno.
  bool read(int directory);
};

}  // namespace jubako::copy
