// Detached mounts: made without a place, then moved to one.
#pragma once

#include <cstdint>

#include "../sys/bytes.h"
#include "../sys/failure.h"

namespace jubako {

// fsopen + fsconfig + fsmount. An option is "key=value" or a flag "key". -1 and `f` on failure.
int make_filesystem(const char* type, const char* source, Strings options, unsigned attributes, Failure& f);

struct OverlaySpec {
  Strings lowers;          // topmost first, absolute
  const char* upper = "";  // empty: read-only
  const char* work = "";
  Strings options;
  unsigned attributes = 0;
  const char* scratch = "";  // a directory; needed before kernel 6.5 only
};

// Its members in their order.
OverlaySpec read_overlay(Reader& r);

// Whether overlayfs takes lower directories one by one, and so needs nothing of the process: since kernel 6.5. Asking
// it does not help: before, fsconfig took any key and only the creation failed.
bool has_lowerdir_plus();

// An overlay of up to 500 layers (OVL_MAX_STACK). Each lower directory is added by `lowerdir+`; before kernel 6.5 all
// are one string. The string form changes the current directory and mounts on `scratch`: for single-threaded processes
// with a mount namespace of their own.
int make_overlay(const OverlaySpec& spec, Failure& f);

struct BindSpec {
  const char* source = "";
  bool recursive = true;
  unsigned attributes_set = 0;  // MOUNT_ATTR_*
  bool recursive_attributes = false;
  uint64_t propagation = 0;  // MS_PRIVATE, MS_SLAVE, MS_SHARED or 0
};

// open_tree of a host path.
int make_bind(const BindSpec& spec, Failure& f);

bool attach(int mount, int target, const char* path, Failure& f);

}  // namespace jubako
