#include "decode.h"

#include <cstring>

namespace jubako::archive {

Output::Room Output::room() {
  if (chunk_ == nullptr) {
    chunk_ = ring_.acquire();
    used_ = 0;
  }
  return {chunk_ + used_, Ring::kChunkSize - used_};
}

bool Output::commit(size_t size) {
  used_ += size;
  total_ += size;
  if (used_ == Ring::kChunkSize) flush();
  if (total_ > limits_.max_bytes) {
    return fault_.limit({"the uncompressed layer has more than ", Decimal(limits_.max_bytes), " bytes"});
  }
  if (limits_.ratio_exceeded(total_, source_.bytes_for_ratio())) {
    return fault_.limit({"the layer expands to more than ", Decimal(limits_.max_ratio), " times its compressed size"});
  }
  return true;
}

void Output::flush() {
  if (chunk_ != nullptr && used_ > 0) ring_.publish(used_);
  chunk_ = nullptr;
}

namespace {

constexpr std::string_view name_of(Compression compression) {
  switch (compression) {
    case Compression::kGzip: return "gzip";
    case Compression::kZstd: return "zstd";
    default: return "uncompressed tar";
  }
}

bool begins_with(Span head, std::string_view magic) {
  return head.size >= magic.size() && std::memcmp(head.data, magic.data(), magic.size()) == 0;
}

// RFC 8878, 3.1.2: sixteen magic numbers, little-endian 0x184D2A5?.
bool is_skippable_frame(Span head) {
  return head.size >= 4 && (head.data[0] & 0xf0) == 0x50 && std::memcmp(head.data + 1, "\x2a\x4d\x18", 3) == 0;
}

Compression detect(Span head) {
  if (begins_with(head, "\x1f\x8b")) return Compression::kGzip;
  if (begins_with(head, "\x28\xb5\x2f\xfd") || is_skippable_frame(head)) return Compression::kZstd;
  return Compression::kNone;
}

bool decode_none(Source& source, Output& output, Fault& fault) {
  for (;;) {
    const Span input = source.peek(1, fault);
    if (input.size == 0) return !fault.set();
    const Output::Room room = output.room();
    const size_t size = input.size < room.size ? input.size : room.size;
    std::memcpy(room.data, input.data, size);
    source.consume(size);
    if (!output.commit(size)) return false;
  }
}

}  // namespace

bool decode(Source& source, Compression expected, Output& output, Fault& fault) {
  const Span head = source.peek(6, fault);
  if (fault.set()) return false;
  const bool any = expected == Compression::kAny;
  if (begins_with(head, "BZh")) {
    if (any) return decode_bzip2(source, output, fault);
    return fault.fail(FaultKind::kUnsupported, {"bzip2 compression is not supported for layers"});
  }
  if (begins_with(head, {"\xfd"
                         "7zXZ\0",
                         6})) {
    if (any) return decode_xz(source, output, fault);
    return fault.fail(FaultKind::kUnsupported, {"xz compression is not supported for layers"});
  }
  const Compression found = detect(head);
  if (!any && expected != Compression::kDetect && expected != found) {
    return fault.malformed({"the layer is declared as ", name_of(expected), " but its content is ", name_of(found)});
  }
  if (found == Compression::kGzip) return decode_gzip(source, output, fault);
  if (found == Compression::kZstd) return decode_zstd(source, output, fault);
  return decode_none(source, output, fault);
}

}  // namespace jubako::archive
