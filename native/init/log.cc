#include "log.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sys/files.h"

namespace jubako {

namespace {

constexpr size_t kBuffer = 64 * 1024;

// What goes to the file in one write. Of the process, since it has one log: a page of it is used when it is needed.
alignas(4096) char buffer[kBuffer];
size_t used = 0;

// Whether one of eight bytes is a control character, a quote or a backslash. A byte above 0x7f may be taken for one.
bool needs_care(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const auto has_zero = [](uint64_t v) { return (v - kOnes) & ~v & kHigh; };
  return ((bytes - kOnes * 0x20) & ~bytes & kHigh) || has_zero(bytes ^ kOnes * '"') || has_zero(bytes ^ kOnes * '\\');
}

void two_digits(char* to, int value) {
  to[0] = static_cast<char>('0' + value / 10);
  to[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void Log::open(const LogOptions& options) {
  options_ = options;
  if (!options_.max_files) options_.max_files = 1;
  fd_ = sys::open_file(options_.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
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
      if (stream.size == kMaxLogLine || stream.partial[stream.size - 1] == '\n') {
        line(stream, stream.partial, stream.size);
        stream.size = 0;
      }
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

void Log::close() { await_compressor(); }

void Log::forget() { madvise(buffer, sizeof buffer, MADV_DONTNEED); }

void Log::line(LogStream& stream, const uint8_t* data, size_t size) {
  if (options_.max_size && size_ + used >= options_.max_size) rotate();
  if (torn_) {
    // Half a line that could not be taken back: end it, so that only that one is lost to readers.
    torn_ = false;
    put("\n", 1);
  }
  if (dropped_) {
    char note[128];
    int m = snprintf(note, sizeof note, "{\"log\":\"jubako: %llu bytes of log lost, the disk refused them\\n",
                     static_cast<unsigned long long>(dropped_));
    told_ = dropped_;
    dropped_ = 0;
    put(note, static_cast<size_t>(m));
    put_tail(stream.name);
  }
  put("{\"log\":\"", 8);
  put_escaped(data, size);
  put_tail(stream.name);
}

void Log::put_tail(const char* stream) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second_) {
    second_ = now.tv_sec;
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    int year = utc.tm_year + 1900;
    char* to = second_text_;
    two_digits(to, year / 100 % 100);
    two_digits(to + 2, year % 100);
    two_digits(to + 5, utc.tm_mon + 1);
    two_digits(to + 8, utc.tm_mday);
    two_digits(to + 11, utc.tm_hour);
    two_digits(to + 14, utc.tm_min);
    two_digits(to + 17, utc.tm_sec);
    to[4] = to[7] = '-';
    to[10] = 'T';
    to[13] = to[16] = ':';
    to[19] = '.';
  }
  put("\",\"stream\":\"", 12);
  put(stream, strlen(stream));
  put("\"", 1);
  if (*options_.attributes) {
    put(",\"attrs\":", 9);
    put(options_.attributes, strlen(options_.attributes));
  }
  put(",\"time\":\"", 9);
  put(second_text_, sizeof second_text_);
  char nano[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 'Z', '"', '}', '\n'};
  long left = now.tv_nsec;
  for (int i = 8; i >= 0; i--, left /= 10) nano[i] = static_cast<char>('0' + left % 10);
  put(nano, sizeof nano);
}

void Log::put(const char* data, size_t size) {
  while (size > 0) {
    if (used == sizeof buffer) flush();
    size_t n = sizeof buffer - used < size ? sizeof buffer - used : size;
    memcpy(buffer + used, data, n);
    used += n;
    data += n;
    size -= n;
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
  size_t plain = 0, i = 0;
  while (i < size) {
    uint64_t eight;
    if (size - i >= sizeof eight) {
      memcpy(&eight, data + i, sizeof eight);
      if (!needs_care(eight)) {
        i += sizeof eight;
        continue;
      }
    }
    char room[8];
    const char* escape = json_escape(data[i], room);
    if (escape) {
      put(reinterpret_cast<const char*>(data) + plain, i - plain);
      plain = i + 1;
      put(escape, strlen(escape));
    }
    i++;
  }
  put(reinterpret_cast<const char*>(data) + plain, size - plain);
}

void Log::flush() {
  size_t at = 0;
  while (at < used) {
    ssize_t n = ::write(fd_, buffer + at, used - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      give_up(at);
      break;
    }
    at += static_cast<size_t>(n);
    size_ += static_cast<size_t>(n);
  }
  told_ = 0;
  mid_line_ = used > 0 && buffer[used - 1] != '\n';
  used = 0;
}

// The disk took `written` bytes of the buffer and no more. Whole lines stay; what was cut is taken back.
void Log::give_up(size_t written) {
  const auto* last = static_cast<const char*>(memrchr(buffer, '\n', written));
  size_t whole = last ? static_cast<size_t>(last - buffer) + 1 : 0;
  size_ -= written - whole;
  if (ftruncate(fd_, static_cast<off_t>(size_)) < 0 || (!whole && mid_line_)) torn_ = true;
  // A note that did not arrive is still to be told.
  dropped_ += used - whole + (whole ? 0 : told_);
}

}  // namespace jubako
