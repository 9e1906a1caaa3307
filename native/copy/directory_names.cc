#include "directory_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace jubako::copy {

namespace {

int compare_names(const void* a, const void* b) {
  return strcmp(*static_cast<char* const*>(a), *static_cast<char* const*>(b));
}

}  // namespace

Names::~Names() {
  for (char* name : list) free(name);
}

bool Names::read(int directory) {
  int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = fd < 0 ? nullptr : fdopendir(fd);
  if (stream == nullptr) {
    if (fd >= 0) close(fd);
    return false;
  }
  errno = 0;
  while (struct dirent* entry = readdir(stream)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    list.push(strdup(entry->d_name));
  }
  int error = errno;
  closedir(stream);
  if (error != 0) return errno = error, false;
  qsort(list.data(), list.size(), sizeof(char*), compare_names);
  return true;
}

}  // namespace jubako::copy
