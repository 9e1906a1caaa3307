// The json-file log: one JSON object a line, {"log":...,"stream":...,"attrs":...,"time":...}, as Docker's driver of
// that name writes it. Bytes that are no valid UTF-8 stay as they are, so that nothing is lost.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

namespace jubako {

constexpr size_t kMaxLogLine = 16 * 1024;  // longer lines are split, as Docker does

// The part of a line that has no line feed yet.
struct LogStream {
  const char* name = "stdout";
  uint8_t* partial = nullptr;
  size_t size = 0;
};

struct LogOptions {
  const char* path = "";        // empty: no log
  uint64_t max_size = 0;        // bytes, 0: no rotation
  uint32_t max_files = 1;       // the current one counts
  uint32_t compress = 0;        // files but the two newest
  const char* attributes = "";  // a JSON object that is in every line; empty: none
};

// What JSON wants for a byte of text; nullptr: the byte itself.
const char* json_escape(uint8_t c, char (&room)[8]);

class Log {
 public:
  // A failing disk never stops the container: what cannot be written is counted and named once it works again.
  void open(const LogOptions& options);
  void write(LogStream& stream, const uint8_t* data, size_t size);
  // Writes the last line of a stream that ended without a line feed.
  void end(LogStream& stream);
  // Nothing is under way any more.
  void close();
  // Between two writes its memory holds nothing.
  void forget();

 private:
  void line(LogStream& stream, const uint8_t* data, size_t size);
  void put(const char* data, size_t size);
  void put_escaped(const uint8_t* data, size_t size);
  void put_tail(const char* stream);
  void flush();
  void give_up(size_t written);
  void rotate();
  void compress_older();
  void await_compressor();

  LogOptions options_;
  int fd_ = -1;
  uint64_t size_ = 0, dropped_ = 0;
  uint64_t told_ = 0;      // dropped bytes that a note in the buffer tells of
  bool mid_line_ = false;  // the buffer goes on with a line whose beginning was written
  bool torn_ = false;      // half a line is at the end of the file
  pid_t compressor_ = -1;
  // The last second that was formatted.
  time_t second_ = -1;
  char second_text_[20];
};

}  // namespace jubako
