#include <bzlib.h>
#include <errno.h>

#include <algorithm>
#include <climits>

#include "decode.h"

namespace jubako::archive {

/** Streams may follow each other, as pbzip2 writes them. */
bool decode_bzip2(Source& source, Output& output, Fault& fault) {
  bool good = false;
  bool open = false;
  bz_stream stream = {};
  for (;;) {
    const Span input = source.peek(1, fault);
    if (fault.set()) break;
    if (!open) {
      if (input.size == 0) {
        good = true;
        break;
      }
      stream = {};
      if (BZ2_bzDecompressInit(&stream, 0, 0) != BZ_OK) {
        fault.system("malloc", ENOMEM);
        break;
      }
      open = true;
    }
    const Output::Room room = output.room();
    const unsigned given = static_cast<unsigned>(std::min<size_t>(input.size, UINT_MAX));
    const unsigned wanted = static_cast<unsigned>(std::min<size_t>(room.size, UINT_MAX));
    stream.next_in = const_cast<char*>(reinterpret_cast<const char*>(input.data));
    stream.avail_in = given;
    stream.next_out = reinterpret_cast<char*>(room.data);
    stream.avail_out = wanted;
    const int result = BZ2_bzDecompress(&stream);
    source.consume(given - stream.avail_in);
    if (result != BZ_OK && result != BZ_STREAM_END) {
      fault.malformed({"the bzip2 stream is damaged"});
      break;
    }
    const unsigned made = wanted - stream.avail_out;
    if (!output.commit(made)) break;
    if (result == BZ_STREAM_END) {
      BZ2_bzDecompressEnd(&stream);
      open = false;
    } else if (input.size == 0 && made == 0) {
      fault.malformed({"the bzip2 stream ends early"});
      break;
    }
  }
  if (open) BZ2_bzDecompressEnd(&stream);
  return good;
}

}  // namespace jubako::archive
