// Single files and single directories, without an archive around them.
#pragma once

#include <cstdint>
#include <string_view>

#include "fault.h"

namespace jubako::archive {

// Writes the content of a regular file to a descriptor. A symbolic link is followed inside the root.
bool read_file(int root, const char* path, int stream, uint64_t& size, Fault& fault);

// Writes an entry for each name in a directory: {u64 size, i64 seconds, u32 nanoseconds, u32 mode, u32 name's size} and
// the name, as lstat(2) has it.
bool list_directory(int root, const char* path, int stream, uint64_t& count, Fault& fault);

}  // namespace jubako::archive
