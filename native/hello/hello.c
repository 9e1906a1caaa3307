// The one file of the built-in image jubako/hello: tells what a container sees of itself.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

static int read_first(const char* const* paths, char* text, size_t size) {
  for (; *paths; paths++) {
    int fd = open(*paths, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0) continue;
    text[n] = 0;
    char* end = strchr(text, '\n');
    if (end) *end = 0;
    return 1;
  }
  return 0;
}

// A v1 limit that was never set is a huge page-rounded number; v2 says "max".
static void print_bytes(const char* name, const char* const* paths) {
  char text[64];
  if (!read_first(paths, text, sizeof text)) return;
  unsigned long long value = strtoull(text, NULL, 10);
  if (!strcmp(text, "max") || !strcmp(text, "-1") || value >= (1ULL << 62))
    printf("%-17sunlimited\n", name);
  else
    printf("%-17s%.1f MiB\n", name, (double)value / (1 << 20));
}

static void print_count(const char* name, const char* const* paths) {
  char text[64];
  if (!read_first(paths, text, sizeof text)) return;
  printf("%-17s%s\n", name, !strcmp(text, "max") ? "unlimited" : text);
}

static void print_cpus(void) {
  static const char* const v2[] = {"/sys/fs/cgroup/cpu.max", NULL};
  static const char* const quota[] = {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
                                      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", NULL};
  static const char* const period[] = {"/sys/fs/cgroup/cpu/cpu.cfs_period_us",
                                       "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", NULL};
  char text[64], other[64];
  double limit = 0;
  if (read_first(v2, text, sizeof text)) {
    char* space = strchr(text, ' ');
    if (space && strncmp(text, "max", 3)) limit = atof(text) / atof(space + 1);
  } else if (read_first(quota, text, sizeof text) && read_first(period, other, sizeof other) && atof(text) > 0) {
    limit = atof(text) / atof(other);
  }
  if (limit > 0)
    printf("%-17s%.2f of %ld\n", "CPUs:", limit, sysconf(_SC_NPROCESSORS_ONLN));
  else
    printf("%-17s%ld\n", "CPUs:", sysconf(_SC_NPROCESSORS_ONLN));
}

static const char* fs_name(long type) {
  switch (type) {
    case 0x794c7630: return "overlay";
    case 0xef53: return "ext4";
    case 0x01021994: return "tmpfs";
    default: return "another file system";
  }
}

int main(void) {
  static const char* const memory[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                       NULL};
  static const char* const pids[] = {"/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max", NULL};
  struct utsname uts;
  struct statfs root;
  uname(&uts);
  printf("Hello from a jubako container!\n\n");
  printf("%-17s%d\n", "Process id:", (int)getpid());
  printf("%-17s%d:%d\n", "User and group:", (int)getuid(), (int)getgid());
  printf("%-17s%s\n", "Host name:", uts.nodename);
  printf("%-17s%s %s\n", "Kernel:", uts.release, uts.machine);
  if (statfs("/", &root) == 0)
    printf("%-17s%s%s\n", "Root:", fs_name((long)root.f_type), root.f_flags & 1 /* ST_RDONLY */ ? ", read-only" : "");
  print_bytes("Memory limit:", memory);
  print_count("Process limit:", pids);
  print_cpus();
  printf("\nNext: jubako run -it debian:12 bash\n");
  return 0;
}
