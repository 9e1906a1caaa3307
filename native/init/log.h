// The json-file log: one JSON object a line, {"log":...,"stream":...,"time":...}, as Docker's driver of that name
// writes it. Bytes that are no valid UTF-8 stay as they are, so that nothing is lost.
#pragma once

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

// What JSON wants for a byte of text; nullptr: the byte itself.
const char* json_escape(uint8_t c, char (&room)[8]);

class Log {
 public:
  // A failing disk never stops the container: what cannot be written is counted and named once it works again.
  void open(const char* path, uint64_t max_size, uint32_t max_files);
  void write(LogStream& stream, const uint8_t* data, size_t size);
  // Writes the last line of a stream that ended without a line feed.
  void end(LogStream& stream);
  bool is_open() const { return fd_ >= 0; }

 private:
  void line(LogStream& stream, const uint8_t* data, size_t size);
  void put(const char* data, size_t size);
  void put_escaped(const uint8_t* data, size_t size);
  void flush();
  void rotate();

  const char* path_ = "";
  int fd_ = -1;
  uint64_t size_ = 0, max_size_ = 0, dropped_ = 0;
  uint32_t max_files_ = 1;
  char buffer_[4096];
  size_t used_ = 0;
  bool torn_ = false;
};

}  // namespace jubako
