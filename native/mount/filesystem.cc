#include "filesystem.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cstdio>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"

namespace jubako {

namespace {

// The file system's own words, where it has some: "e overlay: ...". Better than the bare errno.
void add_message(int context, Failure& f) {
  char text[256];
  ssize_t n = read(context, text, sizeof text - 1);
  if (n <= 2) return;
  text[n] = 0;
  while (n > 0 && text[n - 1] == '\n') text[--n] = 0;
  size_t used = strlen(f.path);
  snprintf(f.path + used, sizeof f.path - used, "%s%s", used ? ": " : "", text + 2);
}

bool set_option(int context, const char* option, const char* type, Failure& f) {
  const char* equals = strchr(option, '=');
  if (!equals) {
    if (sys::fs_config(context, FSCONFIG_SET_FLAG, option, nullptr) == 0) return true;
  } else {
    char key[64];
    size_t size = static_cast<size_t>(equals - option);
    if (size >= sizeof key) return fail(f, EINVAL, "fsconfig", option);
    memcpy(key, option, size);
    key[size] = 0;
    if (sys::fs_config(context, FSCONFIG_SET_STRING, key, equals + 1) == 0) return true;
  }
  char what[256];
  snprintf(what, sizeof what, "%s %s", type, option);
  fail(f, errno, "fsconfig", what);
  add_message(context, f);
  return false;
}

int create_and_mount(int context, const char* what, unsigned attributes, Failure& f) {
  if (sys::fs_config(context, FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) {
    fail(f, errno, "fsconfig", what);
    add_message(context, f);
    return -1;
  }
  int mount = sys::fs_mount(context, attributes);
  if (mount < 0) fail(f, errno, "fsmount", what);
  return mount;
}

bool add_lowers(int context, Strings lowers, Failure& f) {
  for (uint32_t i = 0; i < lowers.count; i++) {
    const char* lower = lowers.next();
    if (sys::fs_config(context, FSCONFIG_SET_STRING, "lowerdir+", lower) == 0) continue;
    fail(f, errno, "fsconfig", lower);
    add_message(context, f);
    return false;
  }
  return true;
}

// Kernels before 6.5 know only one string with all layers, of at most a page. Directories named by their descriptor's
// number, with /proc/self/fd as the current directory, keep 200 layers below 1 KiB. fsconfig takes 255 bytes at most,
// so it is mount(2), which needs a place: `scratch`, in this process's own mount namespace.
int make_overlay_as_string(const OverlaySpec& spec, Failure& f) {
  char options[4096] = "lowerdir=";
  size_t used = strlen(options);
  auto add = [&](const char* format, auto... values) {
    int n = snprintf(options + used, sizeof options - used, format, values...);
    used += static_cast<size_t>(n);
    return used < sizeof options;
  };
  auto open_directory = [&](const char* path) {
    int fd = sys::open_file(path, O_PATH | O_DIRECTORY);
    if (fd < 0) fail(f, errno, "open", path);
    return fd;
  };
  Strings lowers = spec.lowers;
  int first = -1, last = -1;
  bool fits = true;
  for (uint32_t i = 0; i < lowers.count; i++) {
    last = open_directory(lowers.next());
    if (last < 0) return -1;
    if (first < 0) first = last;
    fits = add("%s%d", i ? ":" : "", last);
  }
  if (*spec.upper) {
    int upper = open_directory(spec.upper);
    last = open_directory(spec.work);
    if (upper < 0 || last < 0) return -1;
    fits = add(",upperdir=%d,workdir=%d", upper, last);
  }
  Strings more = spec.options;
  for (uint32_t i = 0; i < more.count; i++) fits = add(",%s", more.next());
  if (!fits) return fail(f, E2BIG, "mount", "overlay: more layers than this kernel takes"), -1;
  if (sys::change_directory("/proc/self/fd") < 0) return fail(f, errno, "chdir", "/proc/self/fd"), -1;
  unsigned long flags = spec.attributes & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0;
  if (::mount("overlay", spec.scratch, "overlay", flags, options) < 0) return fail(f, errno, "mount", options), -1;
  if (sys::change_directory("/") < 0) return fail(f, errno, "chdir", "/"), -1;
  sys::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0);
  int root = sys::open_tree(AT_FDCWD, spec.scratch, OPEN_TREE_CLONE);
  if (root < 0) return fail(f, errno, "open_tree", spec.scratch), -1;
  if (umount2(spec.scratch, MNT_DETACH) < 0) return close(root), fail(f, errno, "umount2", spec.scratch), -1;
  return root;
}

}  // namespace

bool has_lowerdir_plus() {
  struct utsname name;
  int major = 0, minor = 0;
  return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 5));
}

int make_filesystem(const char* type, const char* source, Strings options, unsigned attributes, Failure& f) {
  Fd context(sys::fs_open(type));
  if (!context) return fail(f, errno, "fsopen", type), -1;
  if (*source && sys::fs_config(context.get(), FSCONFIG_SET_STRING, "source", source) < 0)
    return fail(f, errno, "fsconfig", source), -1;
  for (uint32_t i = 0; i < options.count; i++) {
    if (!set_option(context.get(), options.next(), type, f)) return -1;
  }
  return create_and_mount(context.get(), type, attributes, f);
}

OverlaySpec read_overlay(Reader& r) {
  OverlaySpec spec;
  spec.lowers = r.strings();
  spec.upper = r.text();
  spec.work = r.text();
  spec.options = r.strings();
  spec.attributes = r.u32();
  spec.scratch = r.text();
  return spec;
}

int make_overlay(const OverlaySpec& spec, Failure& f) {
  if (!has_lowerdir_plus()) return make_overlay_as_string(spec, f);
  Fd context(sys::fs_open("overlay"));
  if (!context) return fail(f, errno, "fsopen", "overlay"), -1;
  if (!add_lowers(context.get(), spec.lowers, f)) return -1;
  if (*spec.upper) {
    if (sys::fs_config(context.get(), FSCONFIG_SET_STRING, "upperdir", spec.upper) < 0)
      return fail(f, errno, "fsconfig", spec.upper), -1;
    if (sys::fs_config(context.get(), FSCONFIG_SET_STRING, "workdir", spec.work) < 0)
      return fail(f, errno, "fsconfig", spec.work), -1;
  }
  Strings options = spec.options;
  for (uint32_t i = 0; i < options.count; i++) {
    if (!set_option(context.get(), options.next(), "overlay", f)) return -1;
  }
  return create_and_mount(context.get(), "overlay", spec.attributes, f);
}

int make_bind(const BindSpec& spec, Failure& f) {
  unsigned flags = OPEN_TREE_CLONE | (spec.recursive ? AT_RECURSIVE : 0U);
  Fd tree(sys::open_tree(AT_FDCWD, spec.source, flags));
  if (!tree) return fail(f, errno, "open_tree", spec.source), -1;
  struct mount_attr attributes = {};
  attributes.attr_set = spec.attributes_set;
  attributes.propagation = spec.propagation;
  unsigned deep = spec.recursive ? AT_RECURSIVE : 0U;
  // One call where it may be one: attributes and propagation reach equally deep.
  if (spec.attributes_set && spec.propagation && spec.recursive && !spec.recursive_attributes) {
    struct mount_attr shallow = {};
    shallow.attr_set = spec.attributes_set;
    if (sys::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &shallow) < 0)
      return fail(f, errno, "mount_setattr", spec.source), -1;
    attributes.attr_set = 0;
  }
  if ((attributes.attr_set || attributes.propagation) &&
      sys::mount_setattr(tree.get(), "", AT_EMPTY_PATH | deep, &attributes) < 0)
    return fail(f, errno, "mount_setattr", spec.source), -1;
  return tree.release();
}

bool attach(int mount, int target, const char* path, Failure& f) {
  if (sys::move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0) return true;
  return fail(f, errno, "move_mount", path);
}

}  // namespace jubako
