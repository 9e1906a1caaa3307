// Files of the engine's own by path: below the data root, the run root and cgroupfs, never inside a container.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace jubako::sys {

inline int open_file(const char* path, int flags, mode_t mode = 0) { return ::open(path, flags | O_CLOEXEC, mode); }

inline int remove_directory(const char* path) { return ::rmdir(path); }

inline int remove_file(const char* path) { return ::unlink(path); }

inline int rename_path(const char* from, const char* to) { return ::rename(from, to); }

inline ssize_t read_link(const char* path, char* to, size_t size) { return ::readlink(path, to, size); }

inline int change_directory(const char* path) { return ::chdir(path); }

inline int stat_path(const char* path, struct stat* info) { return ::lstat(path, info); }

inline int make_link(const char* content, const char* path) { return ::symlink(content, path); }

inline int make_directory(const char* path, mode_t mode) { return ::mkdir(path, mode); }

}  // namespace jubako::sys
