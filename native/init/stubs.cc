#include "stubs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"

namespace jubako {

namespace {

constexpr uint64_t kPlain = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr size_t kMaxPath = 4096;

// Whether some layer below has the path; of the topmost one its metadata.
bool find_below(Strings lowers, const char* path, struct stat& info) {
  for (uint32_t i = 0; i < lowers.count; i++) {
    Fd root(sys::open_file(lowers.next(), O_PATH | O_DIRECTORY));
    Fd found(root ? sys::open_at2(root.get(), path, O_PATH | O_NOFOLLOW, kPlain) : -1);
    if (!found || fstat(found.get(), &info) < 0) continue;
    // A whiteout.
    return !(S_ISCHR(info.st_mode) && info.st_rdev == 0);
  }
  return false;
}

// One path: false when something is there that counts.
bool remove_stub(int upper, Strings lowers, char* path, bool last) {
  const char* slash = strrchr(path, '/');
  const char* name = slash ? slash + 1 : path;
  char parent_path[kMaxPath] = ".";
  if (slash) {
    memcpy(parent_path, path, static_cast<size_t>(slash - path));
    parent_path[slash - path] = 0;
  }
  Fd parent(sys::open_at2(upper, parent_path, O_RDONLY | O_DIRECTORY, kPlain));
  struct stat here, below;
  if (!parent || fstatat(parent.get(), name, &here, AT_SYMLINK_NOFOLLOW) < 0) return !parent || errno == ENOENT;
  bool was_there = find_below(lowers, path, below);
  if (S_ISDIR(here.st_mode)) {
    // A directory that is only there because of what was made in it.
    if (was_there && (here.st_mode != below.st_mode || here.st_uid != below.st_uid || here.st_gid != below.st_gid))
      return false;
    return unlinkat(parent.get(), name, AT_REMOVEDIR) == 0;
  }
  if (was_there || !last || !S_ISREG(here.st_mode) || here.st_size != 0) return false;
  return unlinkat(parent.get(), name, 0) == 0;
}

}  // namespace

// Places to mount on are made as empty files and directories when the image lacks them. What the command put there
// itself, and what the layers below have, stays. Everything goes by descriptor and without links (CVE-2024-23652).
bool clean_stubs(Supervisor&, Reader& r, Failure& f) {
  const char* upper_path = r.text();
  Strings lowers = r.strings();
  Strings targets = r.strings();
  Fd upper(sys::open_file(upper_path, O_RDONLY | O_DIRECTORY));
  if (!upper) return fail(f, errno, "open", upper_path);
  for (uint32_t i = 0; i < targets.count; i++) {
    const char* target = targets.next();
    while (*target == '/') target++;
    char path[kMaxPath];
    size_t size = strnlen(target, sizeof path);
    if (size == 0 || size == sizeof path) continue;
    memcpy(path, target, size + 1);
    for (bool last = true; remove_stub(upper.get(), lowers, path, last); last = false) {
      char* slash = strrchr(path, '/');
      if (!slash) break;
      *slash = 0;
    }
  }
  return true;
}

}  // namespace jubako
