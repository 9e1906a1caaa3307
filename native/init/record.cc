#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sys/files.h"
#include "supervisor.h"

namespace jubako {

int64_t now_ms() {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void record_start(Supervisor& s) {
  if (s.lock < 0) return;
  char text[128];
  int n = snprintf(text, sizeof text, "{\"pid\":%d,\"startedAt\":%lld}\n", s.pid, static_cast<long long>(s.started_ms));
  if (pwrite(s.lock, text, static_cast<size_t>(n), 0) != n) return;
}

// A `key value` line of memory.events or memory.oom_control.
void read_oom(Supervisor& s) {
  const Settings& settings = s.plan.settings;
  if (!*settings.oom_path) return;
  Fd fd(sys::open_file(settings.oom_path, O_RDONLY));
  char text[512];
  ssize_t n = fd ? read(fd.get(), text, sizeof text - 1) : -1;
  if (n <= 0) return;
  text[n] = 0;
  size_t size = strlen(settings.oom_key);
  for (char* line = text; line && *line;) {
    if (strncmp(line, settings.oom_key, size) == 0 && line[size] == ' ')
      s.exit.oom_killed = strtoull(line + size + 1, nullptr, 10) > 0;
    line = strchr(line, '\n');
    if (line) line++;
  }
}

void record_exit(Supervisor& s) {
  const char* path = s.plan.settings.exit_path;
  if (!*path) return;
  char text[256], temporary[4096];
  int n = snprintf(text, sizeof text,
                   "{\"exitCode\":%d,\"signal\":%d,\"oomKilled\":%s,\"startedAt\":%lld,\"finishedAt\":%lld}\n",
                   s.exit.code, s.exit.signal, s.exit.oom_killed ? "true" : "false",
                   static_cast<long long>(s.exit.started_ms), static_cast<long long>(s.exit.finished_ms));
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  Fd fd(sys::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!fd || write(fd.get(), text, static_cast<size_t>(n)) != n) return;
  sys::rename_path(temporary, path);
}

}  // namespace jubako
