#include <fcntl.h>
#include <sched.h>

#include "../spawn/kernel_settings.h"
#include "../sys/files.h"
#include "supervisor.h"

namespace jubako {

namespace {

struct Kind {
  uint64_t flag;
  const char* path;
  Fd Namespaces::*made;
};

constexpr Kind kKinds[] = {
    {CLONE_NEWNET, "/proc/self/ns/net", &Namespaces::network},
    {CLONE_NEWIPC, "/proc/self/ns/ipc", &Namespaces::ipc},
};

}  // namespace

// A network namespace takes the kernel as long as the rest of a start. So the supervisor makes it while its plan is
// still being thought out: it goes into a new one, sets it up and comes back.
bool make_namespaces(Supervisor& s, Reader& r, Failure& f) {
  uint64_t flags = r.u64();
  Strings sysctls = r.strings();  // key, value, ...
  Fd home[sizeof kKinds / sizeof *kKinds];
  for (size_t i = 0; const Kind& kind : kKinds) {
    Fd& own = home[i++];
    if (!(flags & kind.flag)) continue;
    own.reset(sys::open_file(kind.path, O_RDONLY));
    if (!own) return fail(f, errno, "open", kind.path);
  }
  if (unshare(static_cast<int>(flags)) < 0) return fail(f, errno, "unshare");
  bool good = !(flags & CLONE_NEWNET) || raise_loopback(f);
  for (uint32_t i = 0; good && i + 1 < sysctls.count; i += 2) {
    const char* key = sysctls.next();
    good = set_sysctl(key, sysctls.next(), f);
  }
  for (size_t i = 0; const Kind& kind : kKinds) {
    const Fd& own = home[i++];
    if (!own) continue;
    Fd& made = s.namespaces.*kind.made;
    made.reset(sys::open_file(kind.path, O_RDONLY));
    if (!made) good = fail(f, errno, "open", kind.path);
    if (setns(own.get(), static_cast<int>(kind.flag)) < 0) good = fail(f, errno, "setns", kind.path);
  }
  if (good) s.namespaces.flags = flags;
  return good;
}

bool enter_namespaces(const Namespaces& made, Failure& f) {
  for (const Kind& kind : kKinds) {
    const Fd& fd = made.*kind.made;
    if (fd && setns(fd.get(), static_cast<int>(kind.flag)) < 0) return fail(f, errno, "setns", kind.path);
  }
  return true;
}

}  // namespace jubako
