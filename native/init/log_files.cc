#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>

#include "../sys/fd.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "log.h"

// The files of a log: the current one, then `.1`, `.2`, ... from newer to older. With compression, those from the
// second on become `.gz`; the newest two stay as they are, so that who follows the log can read on where it was.

namespace jubako {

namespace {

struct Name {
  char text[4096];
  Name(const char* path, uint32_t number, const char* ending = "") {
    if (number)
      snprintf(text, sizeof text, "%s.%u%s", path, number, ending);
    else
      snprintf(text, sizeof text, "%s%s", path, ending);
  }
  operator const char*() const { return text; }
};

bool copy_compressed(int from, int to) {
  z_stream stream = {};
  constexpr int kGzip = 15 + 16;
  if (deflateInit2(&stream, 1, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return false;
  static uint8_t in[32 * 1024], out[32 * 1024];
  for (int mode = Z_NO_FLUSH; mode != Z_FINISH;) {
    ssize_t n = read(from, in, sizeof in);
    if (n < 0) return false;
    if (n == 0) mode = Z_FINISH;
    stream.next_in = in;
    stream.avail_in = static_cast<uInt>(n);
    do {
      stream.next_out = out;
      stream.avail_out = sizeof out;
      deflate(&stream, mode);
      size_t size = sizeof out - stream.avail_out;
      if (write(to, out, size) != static_cast<ssize_t>(size)) return false;
    } while (stream.avail_out == 0);
  }
  return true;
}

// In a process of its own, which holds nothing of the container's open.
[[noreturn]] void compress_file(const char* path) {
  sys::close_range(0, ~0U, 0);
  setpriority(PRIO_PROCESS, 0, 10);
  Name plain(path, 2), unfinished(path, 2, ".gz.tmp"), finished(path, 2, ".gz");
  Fd from(sys::open_file(plain, O_RDONLY | O_NOFOLLOW));
  Fd to(sys::open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0640));
  bool done = from && to && copy_compressed(from.get(), to.get()) && sys::rename_path(unfinished, finished) == 0;
  sys::remove_file(done ? plain : unfinished);
  _exit(0);
}

}  // namespace

void Log::await_compressor() {
  if (compressor_ < 0) return;
  while (waitpid(compressor_, nullptr, 0) < 0 && errno == EINTR) {
  }
  compressor_ = -1;
}

void Log::compress_older() {
  pid_t pid = fork();
  if (pid == 0) compress_file(options_.path);
  // It failed: then that file stays as it is.
  compressor_ = pid;
}

// log -> log.1 -> log.2 ...; the oldest goes.
void Log::rotate() {
  flush();
  await_compressor();
  const char* path = options_.path;
  for (uint32_t i = options_.max_files - 1; i > 0; i--) {
    for (const char* ending : {"", ".gz"}) {
      bool moves = sys::rename_path(Name(path, i - 1, ending), Name(path, i, ending)) == 0;
      // What had the name before would be an older file in its place.
      if (moves) sys::remove_file(Name(path, i, *ending ? "" : ".gz"));
    }
  }
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (options_.max_files == 1 ? O_TRUNC : 0);
  int fd = sys::open_file(path, flags, 0640);
  if (fd < 0) return;
  ::close(fd_);
  fd_ = fd;
  size_ = 0;
  if (options_.compress && options_.max_files > 2) compress_older();
}

}  // namespace jubako
