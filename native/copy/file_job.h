// The contents of one file, copied or digested by a thread of the pool.
#pragma once

#include <sys/stat.h>

#include "digest.h"
#include "directory.h"
#include "pool.h"

namespace jubako::copy {

// `record`: gets the digest; null: the file is copied.
void add_file(Pool& pool, Shared& shared, Directory* directory, const char* name, const char* target,
              const struct stat& info, const Meta& meta, Record* record);

}  // namespace jubako::copy
