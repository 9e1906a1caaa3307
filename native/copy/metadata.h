// What belongs to an entry beside its contents.
#pragma once

#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "paths.h"
#include "request.h"

namespace jubako::copy {

struct Meta {
  uint32_t mode;
  uid_t uid;
  gid_t gid;
  struct timespec modified;
};

// The entry's own, as the request changes it.
Meta meta_of(const Request& request, const Owner& owner, const struct stat& info);

// `time`, but no later than `latest`: seconds since the epoch, all ones for any time.
struct timespec clamped(struct timespec time, uint64_t latest);

// Gives `fd` the metadata, and the attributes of another file. False with errno.
bool apply(int fd, const Meta& meta, int attributes_from, uint64_t latest);

constexpr size_t kMaxXattr = 64 * 1024;

// Capabilities of files and the user's own attributes; what the kernel or overlayfs keeps for itself is not copied.
inline bool is_copied_attribute(const char* name) {
  return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0;
}

template <typename Use>
bool each_attribute(int fd, Use use) {
  char names[4096];
  ssize_t size = flistxattr(fd, names, sizeof names);
  if (size <= 0) return size == 0 || errno == ENOTSUP || errno == EBADF;
  for (const char* name = names; name < names + size; name += strlen(name) + 1) {
    if (!is_copied_attribute(name)) continue;
    // Rare, and large: not on the stack of a thread.
    char* value = static_cast<char*>(std::malloc(kMaxXattr));
    ssize_t length = value == nullptr ? -1 : fgetxattr(fd, name, value, kMaxXattr);
    bool used = length >= 0 && use(name, value, static_cast<size_t>(length));
    std::free(value);
    if (!used) return false;
  }
  return true;
}

}  // namespace jubako::copy
