#include <zlib.h>

#include "decode.h"

namespace jubako::archive {

namespace {

/** Inflates one member. False with `fault` set. */
bool member(z_stream& stream, Source& source, Output& output, Fault& fault) {
  for (;;) {
    const Span input = source.peek(1, fault);
    if (fault.set()) return false;
    const Output::Room room = output.room();
    stream.next_in = const_cast<uint8_t*>(input.data);
    stream.avail_in = static_cast<uInt>(input.size);
    stream.next_out = room.data;
    stream.avail_out = static_cast<uInt>(room.size);
    const int result = inflate(&stream, Z_NO_FLUSH);
    source.consume(input.size - stream.avail_in);
    if (!output.commit(room.size - stream.avail_out)) return false;
    if (result == Z_STREAM_END) return true;
    if (input.size == 0 && stream.avail_out != 0) return fault.malformed({"the gzip stream ends early"});
    if (result != Z_OK && result != Z_BUF_ERROR) {
      const char* detail = stream.msg == nullptr ? "invalid data" : stream.msg;
      return fault.malformed({"the gzip stream is damaged: ", detail});
    }
  }
}

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
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) return fault.system("inflateInit2", 12);
  bool good = true;
  for (bool first = true; good; first = false) {
    const Span head = source.peek(2, fault);
    const bool another = head.size >= 2 && head.data[0] == 0x1f && head.data[1] == 0x8b;
    if (!first && !another) {
      good = padding(source, fault);
      break;
    }
    inflateReset(&stream);
    good = member(stream, source, output, fault);
  }
  inflateEnd(&stream);
  return good;
}

}  // namespace jubako::archive
