// What an exec costs at least, in two forms. For each line on standard input one process joins the namespaces of PID,
// makes a child, which is born in the pid namespace, executes COMMAND in the container's root, and is reaped; the
// answer is one line with the nanoseconds.
//   bare   that and no more
//   full   also with the rest of what the kernel is asked for an exec into that container: its cgroups, pipes for both
//          outputs, read to their end, a session, credentials, seccomp
//
// usage: exec-oracle PID COMMAND
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "confine.h"

enum { ALL = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP };

static const char* command;
static int container;
static char groups[16][512];  // cgroup.procs of v1, one for each hierarchy
static size_t group_count;
static int unified = -1;  // the cgroup of v2, where that has the controllers

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void find_cgroups(int pid) {
  char path[600], line[512];
  snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
  FILE* file = fopen(path, "re");
  if (!file) die(path);
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    char* controllers = strchr(line, ':') + 1;
    char* where = strchr(controllers, ':');
    *where++ = 0;
    if (*controllers && group_count < COUNT(groups)) {
      // A hierarchy that has no mount of its own name is none of the container's.
      snprintf(groups[group_count], sizeof groups[0], "/sys/fs/cgroup/%.64s%.400s/cgroup.procs",
               strncmp(controllers, "name=", 5) == 0 ? controllers + 5 : controllers, where);
      if (strcmp(where, "/") != 0 && access(groups[group_count], W_OK) == 0) group_count++;
    } else if (!*controllers && access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
      snprintf(path, sizeof path, "/sys/fs/cgroup%.500s", where);
      unified = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
      MUST(unified);
    }
  }
  fclose(file);
}

static void join_cgroups(void) {
  for (size_t i = 0; i < group_count; i++) {
    int fd = open(groups[i], O_WRONLY | O_CLOEXEC);
    MUST(fd);
    MUST(write(fd, "0", 1));
    close(fd);
  }
}

static void execute(void) {
  char* argv[] = {(char*)command, NULL};
  char* envp[] = {NULL};
  execve(command, argv, envp);
  _exit(127);
}

static int status_of(pid_t pid) {
  int status;
  if (pid < 0 || waitpid(pid, &status, 0) < 0) return 125;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static int run_bare(void) {
  if (setns(container, ALL) < 0) return 125;
  pid_t child = fork();
  if (child == 0) execute();
  return status_of(child);
}

static void read_to_end(int fd) {
  char bytes[256];
  while (read(fd, bytes, sizeof bytes) > 0) {
  }
  close(fd);
}

static int run_full(void) {
  int out[2], err[2];
  MUST(pipe2(out, O_CLOEXEC));
  MUST(pipe2(err, O_CLOEXEC));
  MUST(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
  MUST(setns(container, CLONE_NEWPID));
  struct clone_args arguments = {.exit_signal = SIGCHLD};
  if (unified >= 0) {
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.cgroup = (uint64_t)unified;
  }
  pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) {
    if (unified < 0) join_cgroups();
    MUST(setns(container, ALL & ~CLONE_NEWPID));
    MUST(setsid());
    MUST(dup2(out[1], 1));
    MUST(dup2(err[1], 2));
    MUST(chdir("/"));
    drop_capabilities();
    MUST(syscall(SYS_close_range, 3, ~0u, 4 /* CLOEXEC */));
    execute();
  }
  close(out[1]);
  close(err[1]);
  read_to_end(out[0]);
  read_to_end(err[0]);
  return status_of(child);
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: exec-oracle PID COMMAND\n");
    return 2;
  }
  command = argv[2];
  container = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
  MUST(container);
  find_cgroups(atoi(argv[1]));
  char line[16];
  while (fgets(line, sizeof line, stdin)) {
    int full = strncmp(line, "full", 4) == 0;
    long start = now_ns();
    pid_t pid = fork();
    if (pid == 0) _exit(full ? run_full() : run_bare());
    int status = status_of(pid);
    long end = now_ns();
    if (status != 0) {
      fprintf(stderr, "%s ended with %d\n", command, status);
      return 1;
    }
    printf("%ld\n", end - start);
    fflush(stdout);
  }
  return 0;
}
