#include "root_steps.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>

#include "../mount/filesystem.h"
#include "../mount/path.h"
#include "../pty/pty.h"
#include "../sys/fd.h"
#include "../sys/linux.h"

namespace jubako::steps {

namespace {

constexpr Strings kNoOptions = {};

bool is_null_device(int fd) {
  struct stat info;
  return fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
}

// Bind of a verified null device or of the shared empty directory over `target`.
bool cover(Child& child, int target, bool directory, const char* path, Failure& f) {
  int& source = directory ? child.empty_directory : child.null_device;
  if (source < 0) {
    if (directory) {
      source = make_filesystem("tmpfs", "", kNoOptions,
                               MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, f);
      // The mount itself goes to the first place: only what is attached can be cloned (before kernel 6.15).
      return source >= 0 && attach(source, target, path, f);
    } else {
      // The root's own node, which mknod made a moment ago in a tmpfs of ours. An image that brings its own /dev could
      // have put a link there (CVE-2025-31133), hence the check on the descriptor that is then used.
      source = open_in_root(child.root, "/dev/null", O_NOFOLLOW);
      if (source < 0 || !is_null_device(source)) return fail(f, source < 0 ? errno : ENODEV, "openat2", "/dev/null");
    }
  }
  Fd clone(sys::open_tree(source, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (!clone) return fail(f, errno, "open_tree", path);
  return attach(clone.get(), target, path, f);
}

}  // namespace

bool root_propagation(Child&, Reader& r, Failure& f) {
  uint64_t flags = r.u64();
  return ::mount(nullptr, "/", nullptr, flags, nullptr) == 0 || fail(f, errno, "mount", "/");
}

bool root_overlay(Child& child, Reader& r, Failure& f) {
  OverlaySpec spec = read_overlay(r);
  if (child.root >= 0) return true;
  child.root = make_overlay(spec, f);
  return child.root >= 0;
}

bool root_bind(Child& child, Reader& r, Failure& f) {
  BindSpec spec;
  spec.source = r.text();
  spec.recursive = r.u32() != 0;
  child.root = make_bind(spec, f);
  return child.root >= 0;
}

bool root_attach(Child& child, Reader& r, Failure& f) {
  const char* at = r.text();
  if (sys::move_mount(child.root, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return fail(f, errno, "move_mount", at);
  // pivot_root needs a mount that is not shared.
  struct mount_attr attributes = {};
  attributes.propagation = MS_PRIVATE;
  if (sys::mount_setattr(child.root, "", AT_EMPTY_PATH, &attributes) < 0) return fail(f, errno, "mount_setattr", at);
  return true;
}

bool mount(Child& child, Reader& r, Failure& f) {
  const char* type = r.text();
  const char* source = r.text();
  const char* target = r.text();
  unsigned attributes = r.u32();
  Strings options = r.strings();
  bool plain = r.u32() != 0;  // no component of the target may be a link
  Fd place(plain ? open_plain_directory(child.root, target, f)
                 : open_target(child.root, target, Create::kDirectory, f));
  if (!place) return false;
  Fd mounted(make_filesystem(type, source, options, attributes, f));
  return mounted && attach(mounted.get(), place.get(), target, f);
}

bool bind(Child& child, Reader& r, Failure& f) {
  BindSpec spec;
  spec.source = r.text();
  const char* target = r.text();
  spec.recursive = r.u32() != 0;
  spec.attributes_set = r.u32();
  spec.recursive_attributes = r.u32() != 0;
  spec.propagation = r.u64();
  Fd source(make_bind(spec, f));
  if (!source) return false;
  struct stat info;
  if (fstat(source.get(), &info) < 0) return fail(f, errno, "fstat", spec.source);
  Create create = S_ISDIR(info.st_mode) ? Create::kDirectory : Create::kFile;
  Fd place(open_target(child.root, target, create, f));
  return place && attach(source.get(), place.get(), target, f);
}

bool mkdir_in(Child& child, Reader& r, Failure& f) {
  const char* path = r.text();
  mode_t mode = r.u32();
  const char* name;
  Fd parent(open_parent(child.root, path, name, f));
  if (!parent) return false;
  if (mkdirat(parent.get(), name, mode) < 0 && errno != EEXIST) return fail(f, errno, "mkdirat", path);
  return true;
}

bool device_node(Child& child, Reader& r, Failure& f) {
  const char* path = r.text();
  mode_t mode = r.u32();
  unsigned major = r.u32(), minor = r.u32();
  uid_t uid = r.u32();
  gid_t gid = r.u32();
  const char* name;
  const char* slash = strrchr(path, '/');
  Fd made;
  // Devices may lie deeper than /dev, for example /dev/net/tun.
  if (slash && slash != path && slash - path < 512) {
    char folder[512];
    memcpy(folder, path, static_cast<size_t>(slash - path));
    folder[slash - path] = 0;
    made.reset(open_target(child.root, folder, Create::kDirectory, f));
    if (!made) return false;
  }
  Fd parent(open_parent(child.root, path, name, f));
  if (!parent) return false;
  if (mknodat(parent.get(), name, mode, makedev(major, minor)) < 0) {
    if (errno != EEXIST) return fail(f, errno, "mknodat", path);
    return true;
  }
  if ((uid || gid) && fchownat(parent.get(), name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
    return fail(f, errno, "fchownat", path);
  return true;
}

bool symlink_in(Child& child, Reader& r, Failure& f) {
  const char* to = r.text();
  const char* path = r.text();
  const char* name;
  Fd parent(open_parent(child.root, path, name, f));
  if (!parent) return false;
  if (symlinkat(to, parent.get(), name) < 0 && errno != EEXIST) return fail(f, errno, "symlinkat", path);
  return true;
}

bool console(Child& child, Reader& r, Failure& f) {
  bool in_running_container = *r.text() != 0;
  Pty pty;
  if (!open_pty(child.root, child.rows, child.columns, pty, f)) return false;
  if (!send_fds(child.status, pty.master.get(), pty.slave.get())) return fail(f, errno, "sendmsg", "terminal");
  if (in_running_container) {
    child.terminal = pty.slave.release();
    return true;
  }
  Fd place(open_target(child.root, "/dev/console", Create::kFile, f));
  if (!place) return false;
  Fd clone(sys::open_tree(pty.slave.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (!clone) return fail(f, errno, "open_tree", "/dev/console");
  if (!attach(clone.get(), place.get(), "/dev/console", f)) return false;
  child.terminal = pty.slave.release();
  return true;
}

bool mask(Child& child, Reader& r, Failure& f) {
  const char* path = r.text();
  Fd target(open_in_root(child.root, path));
  if (!target) return errno == ENOENT || errno == ENOTDIR || fail(f, errno, "openat2", path);
  struct stat info;
  if (fstat(target.get(), &info) < 0) return fail(f, errno, "fstat", path);
  return cover(child, target.get(), S_ISDIR(info.st_mode), path, f);
}

bool readonly_path(Child& child, Reader& r, Failure& f) {
  const char* path = r.text();
  Fd target(open_in_root(child.root, path));
  if (!target) return errno == ENOENT || errno == ENOTDIR || fail(f, errno, "openat2", path);
  Fd clone(sys::open_tree(target.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE));
  if (!clone) return fail(f, errno, "open_tree", path);
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (sys::mount_setattr(clone.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes) < 0)
    return fail(f, errno, "mount_setattr", path);
  return attach(clone.get(), target.get(), path, f);
}

// pivot_root(".", ".") stacks the old root on the new one (pivot_root(2), NOTES); unmounting "." takes it away.
bool pivot_root(Child& child, Reader&, Failure& f) {
  if (fchdir(child.root) < 0) return fail(f, errno, "fchdir", "/");
  if (sys::pivot_root(".", ".") < 0) return fail(f, errno, "pivot_root", ".");
  if (umount2(".", MNT_DETACH) < 0) return fail(f, errno, "umount2", ".");
  if (chdir("/") < 0) return fail(f, errno, "chdir", "/");
  return true;
}

// Of one mount that was writable while the steps before filled it.
bool mount_readonly(Child& child, Reader& r, Failure& f) {
  const char* path = r.text();
  Fd target(open_in_root(child.root, path));
  if (!target) return fail(f, errno, "openat2", path);
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return sys::mount_setattr(target.get(), "", AT_EMPTY_PATH, &attributes) == 0 || fail(f, errno, "mount_setattr", path);
}

}  // namespace jubako::steps
