#include "remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include "../sys/fd.h"

namespace jubako {

namespace {

// Descriptors held at once. What lies deeper is moved to the top first, so depth costs no descriptors.
constexpr int kMaxDepth = 64;

class Remover {
 public:
  Remover(int top, dev_t device, Failure& f) : top_(top), device_(device), failure_(f) {}

  // Empties the directory. Consumes the descriptor.
  bool empty(Fd directory, int depth) {
    for (bool again = true; again;) {
      again = false;
      DIR* stream = fdopendir(fcntl(directory.get(), F_DUPFD_CLOEXEC, 0));
      if (!stream) return fail(failure_, errno, "fdopendir");
      rewinddir(stream);
      bool ok = true;
      while (ok) {
        errno = 0;
        const dirent* entry = readdir(stream);
        if (!entry) {
          if (errno) ok = fail(failure_, errno, "getdents64");
          break;
        }
        if (is_dots(entry->d_name)) continue;
        again = true;
        ok = remove_entry(directory.get(), entry->d_name, depth);
      }
      closedir(stream);
      if (!ok) return false;
    }
    return true;
  }

 private:
  static bool is_dots(const char* name) { return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])); }

  bool remove_entry(int parent, const char* name, int depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM) return fail(failure_, errno, "unlinkat", name);
    // Most directories that are empty, and all that were moved away, end here.
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (errno != ENOTEMPTY && errno != EEXIST) return fail(failure_, errno, "unlinkat", name);
    if (depth >= kMaxDepth) return move_to_top(parent, name);
    Fd child(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child) return errno == ENOENT || fail(failure_, errno, "openat", name);
    struct stat info;
    if (fstat(child.get(), &info) < 0) return fail(failure_, errno, "fstat", name);
    if (info.st_dev != device_) return fail(failure_, EXDEV, "unlinkat", name);
    if (!empty(std::move(child), depth + 1)) return false;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    return fail(failure_, errno, "unlinkat", name);
  }

  // The top directory is read until it is empty, so what is moved there is met again.
  bool move_to_top(int parent, const char* name) {
    for (;;) {
      char moved[48];
      snprintf(moved, sizeof moved, ".deep-%lu", moved_++);
      if (renameat2(parent, name, top_, moved, RENAME_NOREPLACE) == 0) return true;
      if (errno != EEXIST) return fail(failure_, errno, "renameat2", name);
    }
  }

  int top_;
  dev_t device_;
  Failure& failure_;
  unsigned long moved_ = 0;
};

}  // namespace

bool remove_tree_at(int parent, const char* name, Failure& f) {
  Fd top(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!top) {
    if (errno == ENOENT) return true;
    if (errno != ENOTDIR && errno != ELOOP) return fail(f, errno, "openat", name);
    return unlinkat(parent, name, 0) == 0 || errno == ENOENT || fail(f, errno, "unlinkat", name);
  }
  struct stat info;
  if (fstat(top.get(), &info) < 0) return fail(f, errno, "fstat", name);
  int fd = top.get();
  Fd walked(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!walked) return fail(f, errno, "fcntl", name);
  if (!Remover(fd, info.st_dev, f).empty(std::move(walked), 0)) return false;
  return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT || fail(f, errno, "unlinkat", name);
}

bool remove_tree(const char* path, Failure& f) { return remove_tree_at(AT_FDCWD, path, f); }

}  // namespace jubako
