// The one way a native operation says why it failed.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace jubako {

// Fixed size, so that it crosses pipes and processes as plain bytes. `errnum` 0 means no failure.
struct Failure {
  int32_t errnum = 0;
  int32_t op = 0;         // the step's number in steps.def, 0 outside of steps
  char syscall[24] = {};  // name of the failed system call or check
  char path[476] = {};    // what it was about
  uint32_t detail = 0;    // step-specific
  bool failed() const { return errnum != 0; }
};
static_assert(sizeof(Failure) == 512);

inline void copy_text(char* to, size_t size, const char* from) {
  size_t n = from ? strnlen(from, size - 1) : 0;
  if (n) memcpy(to, from, n);
  to[n] = 0;
}

// Records errno `err` and returns false, so that a failing line reads `return fail(f, errno, "openat2", path);`.
inline bool fail(Failure& f, int err, const char* syscall, const char* path = "") {
  f.errnum = err ? err : EIO;
  copy_text(f.syscall, sizeof f.syscall, syscall);
  copy_text(f.path, sizeof f.path, path);
  return false;
}

}  // namespace jubako
