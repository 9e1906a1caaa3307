#include "log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sys/files.h"

namespace jubako {

void Log::open(const char* path, uint64_t max_size, uint32_t max_files) {
  path_ = path;
  max_size_ = max_size;
  max_files_ = max_files ? max_files : 1;
  fd_ = sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  struct stat info;
  if (fd_ >= 0 && fstat(fd_, &info) == 0) size_ = static_cast<uint64_t>(info.st_size);
}

void Log::write(LogStream& stream, const uint8_t* data, size_t size) {
  if (fd_ < 0) return;
  while (size > 0) {
    const auto* feed = static_cast<const uint8_t*>(memchr(data, '\n', size));
    size_t n = feed ? static_cast<size_t>(feed - data) + 1 : size;
    if (stream.size == 0 && feed && n <= kMaxLogLine) {
      line(stream, data, n);
    } else {
      if (!stream.partial) stream.partial = static_cast<uint8_t*>(malloc(kMaxLogLine));
      if (!stream.partial) return;
      size_t room = kMaxLogLine - stream.size;
      if (n > room) n = room;
      memcpy(stream.partial + stream.size, data, n);
      stream.size += n;
      if (stream.size == kMaxLogLine || stream.partial[stream.size - 1] == '\n') end(stream);
    }
    data += n;
    size -= n;
  }
  flush();
}

void Log::end(LogStream& stream) {
  if (fd_ < 0 || stream.size == 0) return;
  line(stream, stream.partial, stream.size);
  stream.size = 0;
  flush();
}

void Log::line(LogStream& stream, const uint8_t* data, size_t size) {
  if (max_size_ && size_ >= max_size_) rotate();
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char tail[96];
  int n = snprintf(tail, sizeof tail, "\",\"stream\":\"%s\",\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ\"}\n",
                   stream.name, utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                   now.tv_nsec);
  if (torn_) {
    // A line that the full disk cut in two: end it, so that only that one is lost to readers.
    torn_ = false;
    put("\n", 1);
  }
  if (dropped_) {
    char note[128];
    int m = snprintf(note, sizeof note, "{\"log\":\"jubako: %llu bytes of log lost, the disk refused them\\n",
                     static_cast<unsigned long long>(dropped_));
    dropped_ = 0;
    put(note, static_cast<size_t>(m));
    put(tail, static_cast<size_t>(n));
  }
  put("{\"log\":\"", 8);
  put_escaped(data, size);
  put(tail, static_cast<size_t>(n));
}

void Log::put(const char* data, size_t size) {
  while (size > 0) {
    size_t n = sizeof buffer_ - used_ < size ? sizeof buffer_ - used_ : size;
    memcpy(buffer_ + used_, data, n);
    used_ += n;
    data += n;
    size -= n;
    if (used_ == sizeof buffer_) flush();
  }
}

const char* json_escape(uint8_t c, char (&room)[8]) {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
  }
  if (c >= 0x20) return nullptr;
  snprintf(room, sizeof room, "\\u%04x", c);
  return room;
}

void Log::put_escaped(const uint8_t* data, size_t size) {
  size_t plain = 0;
  for (size_t i = 0; i < size; i++) {
    uint8_t c = data[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    put(reinterpret_cast<const char*>(data) + plain, i - plain);
    plain = i + 1;
    char room[8];
    const char* escape = json_escape(c, room);
    put(escape, strlen(escape));
  }
  put(reinterpret_cast<const char*>(data) + plain, size - plain);
}

void Log::flush() {
  size_t at = 0;
  while (at < used_) {
    ssize_t n = ::write(fd_, buffer_ + at, used_ - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      dropped_ += used_ - at;
      torn_ = torn_ || at > 0;
      break;
    }
    at += static_cast<size_t>(n);
    size_ += static_cast<size_t>(n);
  }
  used_ = 0;
}

// log -> log.1 -> log.2 ...; the oldest goes.
void Log::rotate() {
  flush();
  char from[4096], to[4096];
  for (uint32_t i = max_files_ - 1; i > 0; i--) {
    if (i == 1)
      snprintf(from, sizeof from, "%s", path_);
    else
      snprintf(from, sizeof from, "%s.%u", path_, i - 1);
    snprintf(to, sizeof to, "%s.%u", path_, i);
    sys::rename_path(from, to);
  }
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (max_files_ == 1 ? O_TRUNC : 0);
  int fd = sys::open_file(path_, flags, 0640);
  if (fd < 0) return;
  close(fd_);
  fd_ = fd;
  size_ = 0;
}

}  // namespace jubako
