// Rules for a kernel without nf_tables: `iptables-restore` of the host reads what is to be changed.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sys/fd.h"
#include "supervisor.h"

namespace jubako {

namespace {

constexpr size_t kDigits = 5;

// Ports that are known only now, each in place of five characters.
bool fill_in(const Network& n, char* text, size_t size, Reader patches) {
  while (patches.left() >= 12) {
    uint32_t offset = patches.u32();
    auto kind = static_cast<PatchKind>(patches.u32());
    uint32_t value = patches.u32();
    if (offset + kDigits > size || (kind == PatchKind::kPort && value >= n.port_count)) return false;
    unsigned port = kind == PatchKind::kPort ? n.ports[value] : n.resolver.port;
    char digits[16];
    snprintf(digits, sizeof digits, "%-5u", port);
    memcpy(text + offset, digits, kDigits);
  }
  return true;
}

// With signals as a shell would give it: this process has blocked some.
pid_t spawn_tool(const char* program, int input, int output) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&files, input, 0);
  posix_spawn_file_actions_adddup2(&files, output, 1);
  posix_spawn_file_actions_adddup2(&files, output, 2);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  // By its own name: one program is all the tools, of both families.
  char keep[] = "--noflush", wait[] = "--wait", path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char* arguments[] = {const_cast<char*>(program), keep, wait, nullptr};
  char* environment[] = {path, nullptr};
  pid_t pid = -1;
  int error = posix_spawn(&pid, program, &files, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error ? (errno = error, -1) : pid;
}

}  // namespace

// {u32 inside, text program, text what, bytes input, bytes patches, u32 may fail}
bool network_tables(Supervisor& s, Reader& r, Failure& f) {
  const bool inside = r.u32() != 0;
  const char* program = r.text();
  const char* what = r.text();
  Bytes text = r.bytes(), patches = r.bytes();
  const bool may_fail = r.u32() != 0;
  // The plan's bytes are this process's own.
  if (!fill_in(s.network, reinterpret_cast<char*>(const_cast<uint8_t*>(text.data)), text.size,
               Reader(patches.data, patches.size)))
    return fail(f, EPROTO, "plan", "patch");
  Fd input(memfd_create("rules", MFD_CLOEXEC)), output(memfd_create("said", MFD_CLOEXEC));
  if (!input || !output) return fail(f, errno, "memfd_create", what);
  if (write(input.get(), text.data, text.size) != static_cast<ssize_t>(text.size) ||
      lseek(input.get(), 0, SEEK_SET) != 0)
    return fail(f, errno, "write", what);
  if (inside && (!network_enter(s, f) || setns(s.network.inside, CLONE_NEWNET) < 0))
    return fail(f, errno, "setns", "net");
  pid_t pid = spawn_tool(program, input.get(), output.get());
  int error = errno;
  if (inside && setns(s.network.outside, CLONE_NEWNET) < 0) abort();
  if (pid < 0) return fail(f, error, "execve", program);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (may_fail || status == 0) return true;
  char said[160] = {}, line[sizeof f.path];
  if (pread(output.get(), said, sizeof said - 1, 0) < 0) said[0] = 0;
  said[strcspn(said, "\n")] = 0;
  snprintf(line, sizeof line, "%s: %s", what, said);
  return fail(f, EOPNOTSUPP, "iptables-restore", line);
}

}  // namespace jubako
