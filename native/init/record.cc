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

void replace_file(const char* path, const char* text, size_t size) {
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  Fd fd(sys::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!fd || write(fd.get(), text, size) != static_cast<ssize_t>(size)) return;
  sys::rename_path(temporary, path);
}

void record_start(Supervisor& s) {
  const Settings& settings = s.plan.settings;
  if (!*settings.state_path) return;
  const char* more = settings.state_text;
  size_t room = 128 + strlen(more);
  auto* text = static_cast<char*>(malloc(room));
  if (!text) return;
  int n = snprintf(text, room, "{\"pid\":%d,\"startedAt\":%lld,\"restartCount\":%u%s}\n", s.pid,
                   static_cast<long long>(s.started_ms), s.restarts, more);
  replace_file(settings.state_path, text, static_cast<size_t>(n));
  free(text);
  // The record of the life before stood for the time between.
  if (s.restarts && *settings.exit_path) sys::remove_file(settings.exit_path);
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

namespace {

void write_exit(Supervisor& s, const char* error) {
  char text[768];
  int n = snprintf(text, sizeof text,
                   "{\"exitCode\":%d,\"signal\":%d,\"oomKilled\":%s,\"startedAt\":%lld,\"finishedAt\":%lld,"
                   "\"restarting\":%s,\"restartCount\":%u,\"error\":\"%s\"}\n",
                   s.exit.code, s.exit.signal, s.exit.oom_killed ? "true" : "false",
                   static_cast<long long>(s.exit.started_ms), static_cast<long long>(s.exit.finished_ms),
                   s.exit.restarting ? "true" : "false", s.restarts, error);
  replace_file(s.plan.settings.exit_path, text, static_cast<size_t>(n));
}

}  // namespace

void record_exit(Supervisor& s) {
  if (*s.plan.settings.exit_path) write_exit(s, "");
}

// A start after the first one failed: there is nobody to tell but the record.
void record_failure(Supervisor& s, const Failure& failure) {
  if (!*s.plan.settings.exit_path || s.restarts == 0) return;
  // 127 and 126 as a shell has them; 128 for what Docker calls a failure of its runtime.
  bool execute = failure.op == kExecute;
  s.exit.code = execute && failure.errnum == ENOENT ? 127 : execute && failure.errnum == EACCES ? 126 : 128;
  s.exit.signal = 0;
  s.exit.restarting = 0;
  s.exit.finished_ms = now_ms();
  char error[256];
  // No path: it could hold what JSON has to escape.
  snprintf(error, sizeof error, "%s: %s: errno %d", step_name(failure.op), failure.syscall, failure.errnum);
  write_exit(s, error);
}

}  // namespace jubako
