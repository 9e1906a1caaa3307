#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sys/linux.h"
#include "child.h"

namespace jubako {

namespace {

char** to_vector(Strings list, size_t extra) {
  char** vector = static_cast<char**>(calloc(list.count + extra + 1, sizeof(char*)));
  if (!vector) return nullptr;
  for (uint32_t i = 0; i < list.count; i++) vector[i] = const_cast<char*>(list.next());
  return vector;
}

const char* find_variable(char** envp, const char* name) {
  size_t size = strlen(name);
  for (; *envp; envp++) {
    if (strncmp(*envp, name, size) == 0 && (*envp)[size] == '=') return *envp + size + 1;
  }
  return nullptr;
}

// execvp(3)'s search, with what it hides: the error of the best candidate. A name without a slash is looked up in PATH.
void search_and_execute(char** argv, char** envp, Failure& f) {
  const char* name = argv[0];
  if (strchr(name, '/')) {
    execve(name, argv, envp);
    fail(f, errno, "execve", name);
    return;
  }
  const char* path = find_variable(envp, "PATH");
  if (!path) path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  int best = ENOENT;
  char candidate[4096];
  for (;;) {
    size_t size = strcspn(path, ":");
    int n = snprintf(candidate, sizeof candidate, "%.*s/%s", static_cast<int>(size), size ? path : ".", name);
    if (n > 0 && static_cast<size_t>(n) < sizeof candidate) {
      struct stat info;
      if (stat(candidate, &info) == 0 && !S_ISDIR(info.st_mode)) {
        execve(candidate, argv, envp);
        if (errno != ENOENT && errno != ENOTDIR) best = errno;
        if (best != EACCES && best != ENOENT) break;
      }
    }
    if (!path[size]) break;
    path += size + 1;
  }
  fail(f, best, "execve", name);
}

bool place_stdio(Child& child, Failure& f) {
  for (int i = 0; i < 3; i++) {
    int source = child.use_terminal ? child.terminal : child.stdio[i];
    if (source < 0) {
      // The container's own null device, so that /dev/stdin leads nowhere else.
      source = ::open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC | O_NOCTTY);
      if (source < 0) return fail(f, errno, "open", "/dev/null");
    }
    if (dup2(source, i) < 0) return fail(f, errno, "dup2");
  }
  return true;
}

// Node ignores SIGPIPE and SIGXFSZ, and what is ignored stays so across clone3 and execve: `yes | head` would never
// end.
void default_signals() {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
}

void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The container's init: forwards signals to the command, reaps everything, ends as the command ended.
[[noreturn]] void reap_until(pid_t command) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(&all, &info) < 0) continue;
    if (info.si_signo != SIGCHLD) {
      kill(command, info.si_signo);
      continue;
    }
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid == command) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
  }
}

bool execute_below_init(char** argv, char** envp, Child& child, Failure& f) {
  prctl(PR_SET_NAME, "init", 0, 0, 0);
  pid_t pid = fork();
  if (pid < 0) return fail(f, errno, "fork", "init");
  if (pid > 0) {
    sys::close_range(3, ~0U, 0);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {};
    syscall(SYS_capset, &header, none);
    reap_until(pid);
  }
  if (child.use_terminal) {
    // The command, not the init, is the terminal's foreground group.
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, getpid());
    signal(SIGTTOU, SIG_DFL);
  }
  unblock_signals();
  search_and_execute(argv, envp, f);
  return false;
}

}  // namespace

bool execute(Child& child, Strings argv, Strings envp, bool init, Failure& f) {
  char** arguments = to_vector(argv, 0);
  char** variables = to_vector(envp, 1);
  if (!arguments || !variables) return fail(f, ENOMEM, "malloc");
  if (!arguments[0] || !arguments[0][0]) return fail(f, ENOENT, "execve", "");
  char home[sizeof child.home + 8];
  if (!find_variable(variables, "HOME")) {
    snprintf(home, sizeof home, "HOME=%s", child.home);
    variables[envp.count] = home;
  }
  umask(022);
  if (!place_stdio(child, f)) return false;
  // Nothing but stdio crosses execve, whatever this process was given or opened (CVE-2016-9962, CVE-2024-21626). The
  // status socket stays until execve closes it: that tells jubako-init that the command runs.
  if (sys::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0) return fail(f, errno, "close_range");
  default_signals();
  if (init) return execute_below_init(arguments, variables, child, f);
  unblock_signals();
  search_and_execute(arguments, variables, f);
  return false;
}

}  // namespace jubako
