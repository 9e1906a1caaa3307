#include "path_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../sys/fd.h"
#include "../sys/linux.h"
#include "names.h"

namespace jubako::archive {

namespace {

constexpr uint64_t kInside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

}  // namespace

bool PathWalk::run(TreePacker& packer, Fault& fault) {
  std::string_view path = path_;
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  if (path.empty() || follow_ || name_.empty()) return opened(packer, fault);
  Text parent, base;
  parent.assign("/");
  parent.append(parent_of(path));
  base.assign(base_of(path));
  fault.at(path_);
  const Fd directory(sys::open_at2(root_, parent.c_str(), O_PATH | O_DIRECTORY, kInside));
  if (!directory) return fault.system("openat2", errno);
  if (base.view() == "." || base.view() == "..") return opened(packer, fault);
  struct stat info;
  // What vanishes while it is packed is left out; what was asked for has to be there.
  if (fstatat(directory.get(), base.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return fault.system("fstatat", errno);
  return packer.member(directory.get(), base.c_str(), name_);
}

// Where a name that is no directory's own leads.
bool PathWalk::opened(TreePacker& packer, Fault& fault) {
  Text path;
  path.assign("/");
  path.append(path_);
  fault.at(path_);
  const Fd found(sys::open_at2(root_, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, kInside));
  struct stat info;
  if (!found || fstat(found.get(), &info) != 0) return fault.system("openat2", errno);
  if (!S_ISDIR(info.st_mode)) return packer.file(found.get(), name_);
  if (name_.empty()) return packer.contents(found.get(), {});
  return packer.member(found.get(), ".", name_);
}

}  // namespace jubako::archive
