#include "build_steps.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../mount/filesystem.h"
#include "../mount/path.h"
#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"

namespace jubako::steps {

namespace {

// Only what is attached can be cloned before kernel 6.15: `place`, a directory of the engine's, in this process's own
// mount namespace, which pivot_root leaves behind.
bool attach_beside(int mount, const char* place, Failure& f) {
  return sys::move_mount(mount, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0 ||
         fail(f, errno, "move_mount", place);
}

bool place_clone(Child& child, int source, const char* target, unsigned attributes, Failure& f) {
  struct stat info;
  if (fstat(source, &info) < 0) return fail(f, errno, "fstat", target);
  Fd clone(sys::open_tree(source, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (!clone) return fail(f, errno, "open_tree", target);
  struct mount_attr attr = {};
  attr.attr_set = attributes;
  attr.propagation = MS_PRIVATE;
  if (sys::mount_setattr(clone.get(), "", AT_EMPTY_PATH, &attr) < 0) return fail(f, errno, "mount_setattr", target);
  Fd place(open_target(child.root, target, S_ISDIR(info.st_mode) ? Create::kDirectory : Create::kFile, f));
  return place && attach(clone.get(), place.get(), target, f);
}

}  // namespace

// A file whose contents are nowhere but in memory: not in the layer, not on a disk.
bool memory_file(Child& child, Reader& r, Failure& f) {
  const char* scratch = r.text();
  const char* target = r.text();
  Bytes contents = r.bytes();
  mode_t mode = r.u32();
  uid_t uid = r.u32();
  gid_t gid = r.u32();
  Fd memory(make_filesystem("tmpfs", "", Strings{}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, f));
  if (!memory || !attach_beside(memory.get(), scratch, f)) return false;
  Fd file(openat(memory.get(), "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return fail(f, errno, "openat", target);
  for (uint32_t done = 0; done < contents.size;) {
    ssize_t n = write(file.get(), contents.data + done, contents.size - done);
    if (n < 0) return fail(f, errno, "write", target);
    done += static_cast<uint32_t>(n);
  }
  if (fchown(file.get(), uid, gid) < 0) return fail(f, errno, "fchown", target);
  if (fchmod(file.get(), mode) < 0) return fail(f, errno, "fchmod", target);
  return place_clone(child, file.get(), target, MOUNT_ATTR_RDONLY, f);
}

// A path inside a tree of layers, or inside one directory: resolved there and nowhere else (CVE-2024-1753,
// CVE-2024-23651).
bool bind_in(Child& child, Reader& r, Failure& f) {
  OverlaySpec spec;
  spec.lowers = r.strings();
  spec.upper = r.text();
  spec.work = r.text();
  spec.scratch = r.text();
  const char* path = r.text();
  const char* target = r.text();
  unsigned attributes = r.u32();
  Fd root;
  if (spec.lowers.count == 1 && !*spec.upper) {
    Strings lowers = spec.lowers;
    const char* directory = lowers.next();
    root.reset(sys::open_file(directory, O_PATH | O_DIRECTORY));
    if (!root) return fail(f, errno, "open", directory);
  } else {
    root.reset(make_overlay(spec, f));
    if (!root || !attach_beside(root.get(), spec.scratch, f)) return false;
  }
  Fd source(open_in_root(root.get(), *path ? path : "/"));
  if (!source) return fail(f, errno, "openat2", path);
  return place_clone(child, source.get(), target, attributes, f);
}

}  // namespace jubako::steps
