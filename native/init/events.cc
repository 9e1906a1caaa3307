#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../sys/files.h"
#include "supervisor.h"

// The engine's journal of events (src/engine/events.ts): a line each, written at once with O_APPEND under a shared
// lock. Whoever finds the file full renames it under the exclusive lock, so nobody writes to a file that readers have
// left.

namespace jubako {

namespace {

// Is `fd` still what the path names?
bool is_current(int fd, const char* path, off_t* size) {
  struct stat ours, named;
  if (fstat(fd, &ours) < 0 || sys::stat_path(path, &named) < 0) return false;
  *size = ours.st_size;
  return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

void rotate(int fd, const char* path) {
  char older[4096];
  off_t size;
  if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_current(fd, path, &size)) return;
  snprintf(older, sizeof older, "%s.1", path);
  sys::rename_path(path, older);
}

void append(const Settings& settings, const struct iovec* parts, int count) {
  const char* path = settings.events_path;
  for (int attempt = 0; attempt < 100; attempt++) {
    Fd fd(sys::open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600));
    if (!fd) return;
    off_t size;
    // Held by who renames it, for a moment.
    if (flock(fd.get(), LOCK_SH | LOCK_NB) < 0) {
      poll(nullptr, 0, 1);
      continue;
    }
    if (!is_current(fd.get(), path, &size)) continue;
    // What a full disk takes from the journal must not stop a container.
    if (writev(fd.get(), parts, count) < 0) return;
    if (static_cast<uint64_t>(size) >= settings.events_limit) rotate(fd.get(), path);
    return;
  }
}

}  // namespace

void event(const Supervisor& s, const char* action, const char* more) {
  const Settings& settings = s.plan.settings;
  if (!*settings.events_path || !*action) return;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char head[64];
  int size =
      snprintf(head, sizeof head,
               "{\"timeNano\":\"%lld\",\"action\":", static_cast<long long>(now.tv_sec) * 1000000000LL + now.tv_nsec);
  const auto part = [](const char* text) { return iovec{const_cast<char*>(text), strlen(text)}; };
  const struct iovec parts[] = {{head, static_cast<size_t>(size)}, part(action), part(","),
                                part(settings.events_subject),     part(more),   part("}}\n")};
  append(settings, parts, sizeof parts / sizeof parts[0]);
}

void event_exit(const Supervisor& s) {
  if (s.exit.oom_killed && !s.of_exec) event(s, "\"oom\"", "");
  char more[96];
  int size = snprintf(more, sizeof more, ",\"exitCode\":\"%d\"", s.exit.code);
  if (!s.of_exec)
    snprintf(more + size, sizeof more - static_cast<size_t>(size), ",\"execDuration\":\"%lld\"",
             static_cast<long long>(s.exit.finished_ms - s.exit.started_ms) / 1000);
  event(s, s.plan.settings.event_ended, more);
}

}  // namespace jubako
