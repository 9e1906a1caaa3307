#include "volume_steps.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "../mount/filesystem.h"
#include "../mount/idmap.h"
#include "../mount/path.h"
#include "../mount/populate.h"
#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"

namespace jubako::steps {

namespace {

// Containers write below the base, so what leads out of it is refused, also while it is being swapped.
constexpr uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;

int open_beneath(int base, const char* path, bool create, Failure& f) {
  int fd = sys::open_at2(base, path, O_PATH, kBeneath);
  if (fd >= 0) return fd;
  if (errno != ENOENT || !create) return fail(f, errno, "openat2", path), -1;
  return open_target(base, path, Create::kDirectory, f);
}

// A detached copy of the mount tree at `fd`.
int clone_tree(int fd, bool recursive, const char* path, Failure& f) {
  const int tree = sys::open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U));
  if (tree < 0) fail(f, errno, "open_tree", path);
  return tree;
}

struct Looks {
  bool recursive = true;
  unsigned attributes = 0;
  bool recursive_attributes = true;
  uint64_t propagation = 0;
  const char* uids = "";
  const char* gids = "";
};

Looks read_looks(Reader& r) {
  Looks looks;
  looks.recursive = r.u32() != 0;
  looks.attributes = r.u32();
  looks.recursive_attributes = r.u32() != 0;
  looks.propagation = r.u64();
  looks.uids = r.text();
  looks.gids = r.text();
  return looks;
}

bool set(int tree, struct mount_attr& attributes, bool deep, const char* path, Failure& f) {
  return sys::mount_setattr(tree, "", AT_EMPTY_PATH | (deep ? AT_RECURSIVE : 0U), &attributes) == 0 ||
         fail(f, errno, "mount_setattr", path);
}

bool apply(int tree, const Looks& looks, const char* path, Failure& f) {
  if (*looks.uids) {
    Fd map(make_id_map(looks.uids, looks.gids, f));
    if (!map) return false;
    struct mount_attr ids = {};
    ids.attr_set = MOUNT_ATTR_IDMAP;
    ids.userns_fd = static_cast<uint64_t>(map.get());
    if (!set(tree, ids, looks.recursive, path, f)) return false;
  }
  if (looks.attributes) {
    struct mount_attr attributes = {};
    attributes.attr_set = looks.attributes;
    if (!set(tree, attributes, looks.recursive && looks.recursive_attributes, path, f)) return false;
  }
  if (!looks.propagation) return true;
  struct mount_attr spread = {};
  spread.propagation = looks.propagation;
  return set(tree, spread, looks.recursive, path, f);
}

// Mounts the detached `tree` on `target`. The image's content there goes into an empty volume first.
bool place(Child& child, int tree, const char* target, bool copy, const char* marker, Failure& f) {
  struct stat info;
  if (fstat(tree, &info) < 0) return fail(f, errno, "fstat", target);
  Fd at(open_target(child.root, target, S_ISDIR(info.st_mode) ? Create::kDirectory : Create::kFile, f));
  if (!at) return false;
  struct stat below;
  if (fstat(at.get(), &below) < 0) return fail(f, errno, "fstat", target);
  if (S_ISDIR(info.st_mode) != S_ISDIR(below.st_mode)) return fail(f, ENOTDIR, "mount", target);
  if (copy && !populate_volume(at.get(), tree, marker, f)) return false;
  return attach(tree, at.get(), target, f);
}

}  // namespace

bool mount_volume(Child& child, Reader& r, Failure& f) {
  const char* source = r.text();
  const char* below = r.text();
  const bool create = r.u32() != 0;
  const char* target = r.text();
  const Looks looks = read_looks(r);
  const bool copy = r.u32() != 0;
  const char* marker = r.text();
  Fd base(sys::open_file(source, O_PATH));
  if (!base) return fail(f, errno, "open", source);
  if (*below) {
    base.reset(open_beneath(base.get(), below, create, f));
    if (!base) return false;
  }
  Fd tree(clone_tree(base.get(), looks.recursive, source, f));
  if (!tree) return false;
  // The content goes in while the mount can still be written to.
  if (!copy) return apply(tree.get(), looks, source, f) && place(child, tree.get(), target, false, marker, f);
  Fd at(open_target(child.root, target, Create::kDirectory, f));
  if (!at) return false;
  struct stat info;
  if (fstat(at.get(), &info) < 0) return fail(f, errno, "fstat", target);
  if (!S_ISDIR(info.st_mode)) return fail(f, ENOTDIR, "mount", target);
  return populate_volume(at.get(), tree.get(), marker, f) && apply(tree.get(), looks, source, f) &&
         attach(tree.get(), at.get(), target, f);
}

bool mount_device(Child& child, Reader& r, Failure& f) {
  const char* type = r.text();
  const char* source = r.text();
  Strings options = r.strings();
  unsigned attributes = r.u32();
  const char* target = r.text();
  const bool copy = r.u32() != 0;
  Fd mounted(make_filesystem(type, source, options, attributes & ~static_cast<unsigned>(MOUNT_ATTR_RDONLY), f));
  if (!mounted || !place(child, mounted.get(), target, copy, "", f)) return false;
  struct mount_attr readonly = {};
  readonly.attr_set = attributes & MOUNT_ATTR_RDONLY;
  return !readonly.attr_set || set(mounted.get(), readonly, false, target, f);
}

bool mount_image(Child& child, Reader& r, Failure& f) {
  OverlaySpec spec = read_overlay(r);
  const char* below = r.text();
  const char* target = r.text();
  Fd mounted(make_overlay(spec, f));
  if (!mounted) return false;
  if (!*below) return place(child, mounted.get(), target, false, "", f);
  // Only what is attached can be cloned (before kernel 6.15); it is attached in this mount namespace alone.
  if (sys::move_mount(mounted.get(), "", AT_FDCWD, spec.scratch, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    return fail(f, errno, "move_mount", spec.scratch);
  Fd inside(open_beneath(mounted.get(), below, false, f));
  if (!inside) return false;
  Fd tree(clone_tree(inside.get(), false, below, f));
  return tree && place(child, tree.get(), target, false, "", f);
}

}  // namespace jubako::steps
