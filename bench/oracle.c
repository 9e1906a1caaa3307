// The oracle: what the kernel asks for a full container start when no engine is around it. One small static process
// does the system calls. Each line on standard input starts one container; the answer is one line with two times in
// nanoseconds, both from the start: until the exit is reaped, and until its cgroups and files are removed.
//
// usage: oracle LOWER DIRECTORY CGROUP COMMAND
//   LOWER      a root file system with /proc, /dev, /sys and /etc (absolute)
//   DIRECTORY  an empty directory for the writable layer (absolute)
//   CGROUP     name of a cgroup to make below the top, in every hierarchy
//   COMMAND    what to execute (a path in LOWER)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"

#define CGROUP2_MAGIC 0x63677270

static const char *lower, *cgroup, *command;

// ---- mounts --------------------------------------------------------------------------------------------------------

static int fs_open(const char* type) {
  int fd = (int)syscall(SYS_fsopen, type, 1 /* FSOPEN_CLOEXEC */);
  MUST(fd);
  return fd;
}

static void fs_set(int fd, const char* key, const char* value) {
  MUST(syscall(SYS_fsconfig, fd, value ? 1 /* SET_STRING */ : 0 /* SET_FLAG */, key, value, 0));
}

static int fs_mount(int fd, unsigned attributes) {
  MUST(syscall(SYS_fsconfig, fd, 6 /* CMD_CREATE */, NULL, NULL, 0));
  int mount = (int)syscall(SYS_fsmount, fd, 1 /* FSMOUNT_CLOEXEC */, attributes);
  MUST(mount);
  close(fd);
  return mount;
}

static void attach(int mount, int root, const char* path) {
  MUST(syscall(SYS_move_mount, mount, "", root, path, 4 /* F_EMPTY_PATH */));
  close(mount);
}

static int clone_tree(int dir, const char* path) {
  return (int)syscall(SYS_open_tree, dir, path, 1 /* OPEN_TREE_CLONE */ | O_CLOEXEC | AT_EMPTY_PATH);
}

enum { RO = 1, NOSUID = 2, NODEV = 4, NOEXEC = 8 };

static void mount_rootfs(void) {
  int overlay = fs_open("overlay");
  fs_set(overlay, "lowerdir", lower);
  fs_set(overlay, "upperdir", "upper");
  fs_set(overlay, "workdir", "work");
  int root = fs_mount(overlay, 0);
  // Attached over the container's directory in this mount namespace, the one the container keeps.
  attach(root, AT_FDCWD, "merged");
}

static void mount_inside(int root) {
  attach(fs_mount(fs_open("proc"), NOSUID | NODEV | NOEXEC), root, "proc");

  int dev = fs_open("tmpfs");
  fs_set(dev, "mode", "755");
  fs_set(dev, "size", "65536k");
  attach(fs_mount(dev, NOSUID), root, "dev");
  static const struct {
    const char* name;
    int major, minor;
  } nodes[] = {{"dev/null", 1, 3}, {"dev/zero", 1, 5},   {"dev/full", 1, 7},
               {"dev/tty", 5, 0},  {"dev/random", 1, 8}, {"dev/urandom", 1, 9}};
  for (size_t i = 0; i < COUNT(nodes); i++) {
    MUST(mknodat(root, nodes[i].name, S_IFCHR | 0666, makedev((unsigned)nodes[i].major, (unsigned)nodes[i].minor)));
    MUST(fchmodat(root, nodes[i].name, 0666, 0));
  }
  static const char* links[][2] = {{"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
                                   {"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
                                   {"/proc/kcore", "dev/core"},       {"pts/ptmx", "dev/ptmx"}};
  for (size_t i = 0; i < COUNT(links); i++) MUST(symlinkat(links[i][0], root, links[i][1]));
  MUST(mkdirat(root, "dev/pts", 0755));
  MUST(mkdirat(root, "dev/shm", 0755));
  MUST(mkdirat(root, "dev/mqueue", 0755));

  int pts = fs_open("devpts");
  fs_set(pts, "newinstance", NULL);
  fs_set(pts, "ptmxmode", "0666");
  fs_set(pts, "mode", "0620");
  fs_set(pts, "gid", "5");
  attach(fs_mount(pts, NOSUID | NOEXEC), root, "dev/pts");

  int shm = fs_open("tmpfs");
  fs_set(shm, "mode", "1777");
  fs_set(shm, "size", "65536k");
  attach(fs_mount(shm, NOSUID | NODEV | NOEXEC), root, "dev/shm");

  attach(fs_mount(fs_open("mqueue"), NOSUID | NODEV | NOEXEC), root, "dev/mqueue");
  attach(fs_mount(fs_open("sysfs"), RO | NOSUID | NODEV | NOEXEC), root, "sys");
}

static void mask_paths(int root, int null, int empty) {
  static const char* files[] = {"proc/kcore", "proc/keys", "proc/latency_stats", "proc/timer_list", "proc/sched_debug"};
  static const char* directories[] = {"proc/acpi", "proc/scsi", "sys/firmware", "sys/devices/virtual/powercap"};
  static const char* readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
  for (size_t i = 0; i < COUNT(files); i++) {
    if (faccessat(root, files[i], F_OK, 0) < 0) continue;
    attach(clone_tree(null, ""), root, files[i]);
  }
  for (size_t i = 0; i < COUNT(directories); i++) {
    if (faccessat(root, directories[i], F_OK, 0) < 0) continue;
    attach(clone_tree(empty, ""), root, directories[i]);
  }
  for (size_t i = 0; i < COUNT(readonly); i++) {
    int tree = clone_tree(root, readonly[i]);
    if (tree < 0 && errno == ENOENT) continue;
    MUST(tree);
    struct mount_attr attributes = {.attr_set = RO | NOSUID | NODEV | NOEXEC};
    MUST(syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
    attach(tree, root, readonly[i]);
  }
}

// ---- cgroups -------------------------------------------------------------------------------------------------------

static const char* controllers[] = {"memory", "cpu", "cpuacct", "cpuset", "pids", "blkio", "devices", "freezer"};
static int version2;
static int groups[COUNT(controllers)];
static char group_name[64];

static int write_at(int dir, const char* name, const char* text) {
  int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = write(fd, text, strlen(text));
  close(fd);
  return n < 0 ? -1 : 0;
}

static void copy_at(int from, int to, const char* name) {
  char text[4096] = "";
  int fd = openat(from, name, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n > 0) MUST(write_at(to, name, text));
}

static int parents[COUNT(controllers)];

static int parent_group(const char* controller) {
  char path[512];
  snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s%s", controller, *controller ? "/" : "", cgroup);
  if (mkdir(path, 0755) < 0 && errno != EEXIST) return -1;
  return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void prepare_cgroups(void) {
  struct statfs fs;
  MUST(statfs("/sys/fs/cgroup", &fs));
  version2 = (unsigned long)fs.f_type == CGROUP2_MAGIC;
  if (version2) {
    parents[0] = parent_group("");
    MUST(parents[0]);
    MUST(write_at(parents[0], "cgroup.subtree_control", "+cpu +memory +pids"));
    return;
  }
  for (size_t i = 0; i < COUNT(controllers); i++) {
    parents[i] = parent_group(controllers[i]);
    if (parents[i] < 0 || strcmp(controllers[i], "cpuset") != 0) continue;
    int top = open("/sys/fs/cgroup/cpuset", O_PATH | O_DIRECTORY | O_CLOEXEC);
    copy_at(top, parents[i], "cpuset.cpus");
    copy_at(top, parents[i], "cpuset.mems");
    close(top);
  }
}

static void remove_parents(void) {
  for (size_t i = 0; i < (version2 ? 1 : COUNT(controllers)); i++) {
    char path[512];
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s", version2 ? "" : controllers[i], cgroup);
    rmdir(path);
  }
}

static void set_limits_v1(const char* controller, int parent, int group) {
  if (strcmp(controller, "memory") == 0) {
    MUST(write_at(group, "memory.limit_in_bytes", "268435456"));
    (void)write_at(group, "memory.memsw.limit_in_bytes", "536870912");
  } else if (strcmp(controller, "cpu") == 0) {
    MUST(write_at(group, "cpu.cfs_period_us", "100000"));
    MUST(write_at(group, "cpu.cfs_quota_us", "200000"));
    MUST(write_at(group, "cpu.shares", "512"));
  } else if (strcmp(controller, "cpuset") == 0) {
    copy_at(parent, group, "cpuset.cpus");
    copy_at(parent, group, "cpuset.mems");
  } else if (strcmp(controller, "pids") == 0) {
    MUST(write_at(group, "pids.max", "512"));
  } else if (strcmp(controller, "devices") == 0) {
    static const char* rules[] = {"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",
                                  "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"};
    MUST(write_at(group, "devices.deny", "a"));
    for (size_t i = 0; i < COUNT(rules); i++) MUST(write_at(group, "devices.allow", rules[i]));
  }
}

static void make_cgroups(void) {
  for (size_t i = 0; i < (version2 ? 1 : COUNT(controllers)); i++) {
    if (parents[i] < 0) continue;
    MUST(mkdirat(parents[i], group_name, 0755));
    groups[i] = openat(parents[i], group_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(groups[i]);
    if (!version2) {
      set_limits_v1(controllers[i], parents[i], groups[i]);
      continue;
    }
    MUST(write_at(groups[i], "memory.max", "268435456"));
    (void)write_at(groups[i], "memory.swap.max", "268435456");
    MUST(write_at(groups[i], "cpu.max", "200000 100000"));
    MUST(write_at(groups[i], "cpu.weight", "20"));
    MUST(write_at(groups[i], "pids.max", "512"));
  }
}

static void join_cgroups(void) {
  for (size_t i = 0; !version2 && i < COUNT(controllers); i++) {
    if (parents[i] >= 0) MUST(write_at(groups[i], "cgroup.procs", "0"));
  }
}

static void remove_cgroups(void) {
  for (size_t i = 0; i < (version2 ? 1 : COUNT(controllers)); i++) {
    if (parents[i] < 0) continue;
    close(groups[i]);
    while (unlinkat(parents[i], group_name, AT_REMOVEDIR) < 0) {
      if (errno != EBUSY) die("rmdir cgroup");
    }
  }
}

// ---- confinement ---------------------------------------------------------------------------------------------------

static void loopback_up(void) {
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
  strcpy(request.ifr_name, "lo");
  MUST(ioctl(s, SIOCSIFFLAGS, &request));
  close(s);
}

static void bind_etc(int root) {
  static const char* files[] = {"etc/hosts", "etc/hostname", "etc/resolv.conf"};
  for (size_t i = 0; i < COUNT(files); i++) {
    int fd = openat(root, files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    MUST(fd);
    close(fd);
    attach(clone_tree(AT_FDCWD, strrchr(files[i], '/') + 1), root, files[i]);
  }
}

static void child(void) {
  join_cgroups();
  MUST(unshare(CLONE_NEWCGROUP));
  MUST(setsid());
  MUST(sethostname("oracle", 6));
  loopback_up();
  struct mount_attr private = {.propagation = 1 << 18 /* MS_PRIVATE */};
  MUST(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0x8000 /* AT_RECURSIVE */, &private, sizeof private));
  mount_rootfs();
  int root = open("merged", O_PATH | O_DIRECTORY | O_CLOEXEC);
  MUST(root);
  mount_inside(root);
  bind_etc(root);
  int null = openat(root, "dev/null", O_PATH | O_CLOEXEC);
  int nothing = fs_open("tmpfs");
  fs_set(nothing, "size", "4k");
  mask_paths(root, null, fs_mount(nothing, RO | NOSUID | NODEV | NOEXEC));
  MUST(fchdir(root));
  MUST(syscall(SYS_pivot_root, ".", "."));
  MUST(umount2(".", MNT_DETACH));
  MUST(chdir("/"));
  drop_capabilities();
  MUST(syscall(SYS_close_range, 3, ~0u, 4 /* CLOEXEC */));
  char* const argv[] = {(char*)command, NULL};
  char* const envp[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL};
  execve(command, argv, envp);
  die("execve");
}

// ---- one round -----------------------------------------------------------------------------------------------------

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int remove_one(const char* path, const struct stat* st, int type, struct FTW* where) {
  (void)st, (void)type, (void)where;
  return remove(path);
}

static void make_layer(void) {
  MUST(mkdir("upper", 0755));
  MUST(mkdir("work", 0700));
}

static void remove_layer(void) {
  MUST(nftw("upper", remove_one, 8, FTW_DEPTH | FTW_PHYS));
  MUST(nftw("work", remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

static void run_once(long times[2]) {
  long start = now_ns();
  make_layer();
  make_cgroups();
  int pidfd = -1;
  struct clone_args arguments = {
      .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD,
      .pidfd = (unsigned long)&pidfd,
      .exit_signal = SIGCHLD,
  };
  if (version2) {
    arguments.flags |= 0x200000000ULL /* CLONE_INTO_CGROUP */;
    arguments.cgroup = (unsigned long)groups[0];
  }
  long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
  MUST(pid);
  if (pid == 0) child();
  siginfo_t info;
  MUST(waitid(3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED));
  times[0] = now_ns() - start;
  if (info.si_code != CLD_EXITED || info.si_status != 0) {
    fprintf(stderr, "oracle: the container ended with %d\n", info.si_status);
    _exit(99);
  }
  close(pidfd);
  remove_cgroups();
  remove_layer();
  times[1] = now_ns() - start;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: oracle LOWER DIRECTORY CGROUP COMMAND\n");
    return 2;
  }
  lower = argv[1], cgroup = argv[3], command = argv[4];
  MUST(chdir(argv[2]));
  static const char* files[] = {"merged/", "hosts", "hostname", "resolv.conf"};
  MUST(mkdir(files[0], 0755));
  for (size_t i = 1; i < COUNT(files); i++) close(open(files[i], O_CREAT | O_WRONLY, 0644));
  prepare_cgroups();
  snprintf(group_name, sizeof group_name, "container-%d", getpid());
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    long times[2];
    run_once(times);
    printf("%ld %ld\n", times[0], times[1]);
    fflush(stdout);
  }
  for (size_t i = 0; i < COUNT(files); i++) remove(files[i]);
  remove_parents();
  return 0;
}
