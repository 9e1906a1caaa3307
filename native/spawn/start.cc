#include "start.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>

#include "../sys/fd.h"
#include "../sys/linux.h"

namespace jubako {

namespace {

struct ChildArguments {
  const StartRequest* request;
  int error;
  const char* syscall;
};

// Runs on its own stack in the memory of the suspended caller: system calls only.
int child_main(void* pointer) {
  auto* arguments = static_cast<ChildArguments*>(pointer);
  const StartRequest& request = *arguments->request;
  auto failed = [arguments](const char* what) {
    arguments->error = errno;
    arguments->syscall = what;
    return 127;
  };
  // Everything first moves above the range of the final numbers, so that no move overwrites a source.
  int sources[kMaxFds + 3];
  size_t count = 0;
  sources[count++] = request.control;
  for (size_t i = 0; i < request.fd_count; i++) sources[count++] = request.fds[i];
  sources[count++] = request.image;
  const int above = kControlFd + static_cast<int>(kMaxFds) + 8;
  for (size_t i = 0; i < count; i++) {
    sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, above);
    if (sources[i] < 0) return failed("fcntl");
  }
  const int image = kControlFd + static_cast<int>(count) - 1;
  for (size_t i = 0; i < count; i++) {
    int to = kControlFd + static_cast<int>(i);
    if (dup3(sources[i], to, to == image ? O_CLOEXEC : 0) < 0) return failed("dup3");
  }
  int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return failed("open");
  for (int i = 0; i < 3; i++) {
    if (null != i && dup2(null, i) < 0) return failed("dup2");
  }
  if (sys::close_range(static_cast<unsigned>(image) + 1, ~0U, 0) < 0) return failed("close_range");
  char* argv[] = {const_cast<char*>("jubako-init"), const_cast<char*>(request.role), const_cast<char*>(request.title),
                  nullptr};
  char* envp[] = {nullptr};
  sys::exec_at(image, "", argv, envp, AT_EMPTY_PATH);
  return failed("execveat");
}

// clone3 whose child calls `function` on the stack named in `arguments`. The C library has no wrapper, and a plain
// system call would return twice on one stack.
long clone3_call(struct clone_args* arguments, int (*function)(void*), void* value) {
  long result;
#if defined(__x86_64__)
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %[value], %%rdi\n\t"
      "call *%[function]\n\t"
      "mov %%eax, %%edi\n\t"
      "mov %[exit], %%eax\n\t"
      "syscall\n\t"
      "1:"
      : "=a"(result)
      : "0"(static_cast<long>(SYS_clone3)), "D"(arguments),
        "S"(sizeof *arguments), [function] "r"(function), [value] "r"(value), [exit] "i"(SYS_exit)
      : "rcx", "r11", "memory", "cc");
#elif defined(__aarch64__)
  register long x8 asm("x8") = SYS_clone3;
  register long x0 asm("x0") = reinterpret_cast<long>(arguments);
  register long x1 asm("x1") = sizeof *arguments;
  register long x2 asm("x2") = reinterpret_cast<long>(function);
  register long x3 asm("x3") = reinterpret_cast<long>(value);
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x3\n\t"
      "blr x2\n\t"
      "mov x8, %[exit]\n\t"
      "svc #0\n\t"
      "1:"
      : "+r"(x0)
      : "r"(x1), "r"(x2), "r"(x3), "r"(x8), [exit] "i"(SYS_exit)
      : "x30", "memory", "cc");
  result = x0;
#else
#error "jubako runs on x86_64 and aarch64"
#endif
  if (result < 0) {
    errno = static_cast<int>(-result);
    return -1;
  }
  return result;
}

bool copy_all(int from, int to, off_t size) {
  while (size > 0) {
    ssize_t n = sendfile(to, from, nullptr, static_cast<size_t>(size));
    if (n <= 0) return false;
    size -= n;
  }
  return true;
}

int memory_image(int source, off_t size, Failure& f) {
  int fd = memfd_create("jubako-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (fd < 0 && errno == EINVAL) fd = memfd_create("jubako-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail(f, errno, "memfd_create"), -1;
  Fd owner(fd);
  if (lseek(source, 0, SEEK_SET) < 0 || !copy_all(source, fd, size)) return fail(f, errno, "sendfile"), -1;
  if (fchmod(fd, 0500) < 0) return fail(f, errno, "fchmod"), -1;
  const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_EXEC) < 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
    return fail(f, errno, "fcntl", "F_ADD_SEALS"), -1;
  return owner.release();
}

// A mount of one file, read-only, in no mount namespace: its pages are shared by all who execute it.
int detached_image(int file) {
  Fd tree(sys::open_tree(file, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (!tree) return -1;
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (sys::mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes) < 0) return -1;
  return tree.release();
}

// The copy below `directory`, trusted only if nobody but root can have written it.
int stored_image(int source, const struct stat& info, const char* directory) {
  Fd dir(::open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return -1;
  char name[96], temporary[128];
  snprintf(name, sizeof name, "jubako-init-%llx-%llx%08lx", static_cast<unsigned long long>(info.st_size),
           static_cast<unsigned long long>(info.st_mtim.tv_sec), info.st_mtim.tv_nsec);
  for (int attempt = 0; attempt < 2; attempt++) {
    Fd file(openat(dir.get(), name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat have;
    if (file && fstat(file.get(), &have) == 0 && S_ISREG(have.st_mode) && have.st_uid == geteuid() &&
        (have.st_mode & 07777) == 0500 && have.st_size == info.st_size)
      return detached_image(file.get());
    snprintf(temporary, sizeof temporary, "%s.%d", name, static_cast<int>(gettid()));
    Fd copy(openat(dir.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0500));
    if (!copy && errno == EEXIST) {
      unlinkat(dir.get(), temporary, 0);
      copy.reset(openat(dir.get(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0500));
    }
    if (!copy) return -1;
    bool written = lseek(source, 0, SEEK_SET) == 0 && copy_all(source, copy.get(), info.st_size) &&
                   fchmod(copy.get(), 0500) == 0 && fsync(copy.get()) == 0;
    copy.reset();
    if (!written || renameat(dir.get(), temporary, dir.get(), name) < 0) {
      unlinkat(dir.get(), temporary, 0);
      return -1;
    }
  }
  return -1;
}

}  // namespace

bool start_init(const StartRequest& request, StartedInit& started, Failure& f) {
  if (request.fd_count > kMaxFds) return fail(f, E2BIG, "start_init", "too many descriptors");
  constexpr size_t kStack = 64 * 1024;
  void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return fail(f, errno, "mmap");
  ChildArguments child = {&request, 0, ""};
  int pidfd = -1;
  struct clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  // exit_signal 0: no SIGCHLD reaches the application, and its own waitpid(-1) does not take this child.
  arguments.stack = reinterpret_cast<uint64_t>(stack);
  arguments.stack_size = kStack;
  long pid = clone3_call(&arguments, child_main, &child);
  int error = errno;
  munmap(stack, kStack);
  if (pid < 0) return fail(f, error, "clone3");
  if (child.error) {
    siginfo_t info;
    waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info, WEXITED | __WALL);
    close(pidfd);
    return fail(f, child.error, child.syscall, "jubako-init");
  }
  started.pid = static_cast<pid_t>(pid);
  started.pidfd = pidfd;
  return true;
}

int seal_image(const char* source, const char* directory, Failure& f) {
  Fd file(::open(source, O_RDONLY | O_CLOEXEC));
  struct stat info;
  if (!file || fstat(file.get(), &info) < 0) return fail(f, errno, "open", source), -1;
  if (directory) {
    int fd = stored_image(file.get(), info, directory);
    if (fd >= 0) return fd;
  }
  return memory_image(file.get(), info.st_size, f);
}

}  // namespace jubako
