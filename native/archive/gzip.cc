#include "inflate.h"

namespace jubako::archive {

namespace {

constexpr uint8_t kHeaderChecksum = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xe0;

uint32_t little_endian(const uint8_t* at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i > 0; i--) value = value << 8 | at[i - 1];
  return value;
}

class Member {
 public:
  Member(Source& source, Fault& fault) : source_(source), fault_(fault) {}

  /** RFC 1952, 2.3. */
  bool header() {
    uint8_t fixed[10] = {};
    if (!read(fixed, sizeof fixed)) return false;
    if (fixed[2] != 8) return fault_.malformed({"the gzip stream is damaged: unknown compression method"});
    const uint8_t flags = fixed[3];
    if ((flags & kReserved) != 0) return fault_.malformed({"the gzip stream is damaged: unknown header flags set"});
    if ((flags & kExtra) != 0) {
      uint8_t size[2] = {};
      if (!read(size, sizeof size) || !skip(little_endian(size, sizeof size))) return false;
    }
    if ((flags & kName) != 0 && !skip_text()) return false;
    if ((flags & kComment) != 0 && !skip_text()) return false;
    return (flags & kHeaderChecksum) == 0 || skip(2);
  }

  bool trailer(const Inflate& inflate) {
    uint8_t trailer[8] = {};
    if (!read(trailer, sizeof trailer)) return false;
    if (little_endian(trailer, 4) != inflate.checksum()) {
      return fault_.malformed({"the gzip stream is damaged: incorrect data check"});
    }
    return little_endian(trailer + 4, 4) == static_cast<uint32_t>(inflate.size()) ||
           fault_.malformed({"the gzip stream is damaged: incorrect length check"});
  }

 private:
  bool read(uint8_t* to, size_t size) {
    const Span span = source_.peek(size, fault_);
    if (span.size < size) return !fault_.set() && fault_.malformed({"the gzip stream ends early"});
    std::memcpy(to, span.data, size);
    source_.consume(size);
    return true;
  }
  bool skip(size_t size) {
    uint8_t byte = 0;
    for (; size > 0; size--) {
      if (!read(&byte, 1)) return false;
    }
    return true;
  }
  bool skip_text() {
    uint8_t byte = 0;
    do {
      if (!read(&byte, 1)) return false;
    } while (byte != 0);
    return true;
  }

  Source& source_;
  Fault& fault_;
};

/** What may follow the last member: nothing, or zero bytes as tapes pad with. */
bool padding(Source& source, Fault& fault) {
  for (;;) {
    const Span rest = source.peek(1, fault);
    if (rest.size == 0) return !fault.set();
    for (size_t index = 0; index < rest.size; index++) {
      if (rest.data[index] != 0) return fault.malformed({"bytes that are not gzip follow the gzip stream"});
    }
    source.consume(rest.size);
  }
}

}  // namespace

bool decode_gzip(Source& source, Output& output, Fault& fault) {
  for (bool first = true;; first = false) {
    const Span head = source.peek(2, fault);
    const bool another = head.size >= 2 && head.data[0] == 0x1f && head.data[1] == 0x8b;
    if (!first && !another) return padding(source, fault);
    Member member(source, fault);
    Inflate inflate(source, output, fault);
    if (!member.header() || !inflate.run() || !member.trailer(inflate)) return false;
  }
}

}  // namespace jubako::archive
