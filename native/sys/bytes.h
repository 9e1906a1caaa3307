// Reader of the flat plan buffer: little endian, unaligned, every length checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace jubako {

struct Bytes {
  const uint8_t* data = nullptr;
  uint32_t size = 0;
};

// A string list inside the buffer: read again each time it is walked, nothing is allocated.
struct Strings;

class Reader {
 public:
  Reader() = default;
  Reader(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}

  bool ok() const { return ok_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }
  const uint8_t* at() const { return at_; }

  uint32_t u32() { return number<uint32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  int32_t i32() { return number<int32_t>(); }

  // Bytes followed by one NUL that is not counted; so strings need no copy.
  Bytes bytes() {
    uint32_t size = u32();
    if (!ok_ || left() < static_cast<size_t>(size) + 1 || at_[size] != 0) {
      ok_ = false;
      static const uint8_t none[1] = {0};
      return {none, 0};
    }
    Bytes out{at_, size};
    at_ += size + 1;
    return out;
  }
  const char* text() { return reinterpret_cast<const char*>(bytes().data); }
  Strings strings();

 private:
  template <typename T>
  T number() {
    T value = 0;
    if (left() < sizeof value) {
      ok_ = false;
      return 0;
    }
    memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool ok_ = true;
};

struct Strings {
  uint32_t count = 0;
  Reader reader;
  const char* next() { return reader.text(); }
};

inline Strings Reader::strings() {
  Strings list;
  list.count = u32();
  list.reader = *this;
  for (uint32_t i = 0; i < list.count && ok_; i++) bytes();
  if (!ok_) list.count = 0;
  return list;
}

}  // namespace jubako
