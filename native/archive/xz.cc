#include <errno.h>
#include <lzma.h>

#include "decode.h"

namespace jubako::archive {

namespace {

// xz -9 needs 65 MiB; an archive must not choose how much memory its reader needs.
constexpr uint64_t kMaxMemory = uint64_t{128} << 20;

const char* reason_of(lzma_ret result) {
  switch (result) {
    case LZMA_OPTIONS_ERROR: return "unsupported options";
    case LZMA_DATA_ERROR: return "corrupt data";
    case LZMA_FORMAT_ERROR: return "not in xz format";
    default: return "unexpected end";
  }
}

}  // namespace

bool decode_xz(Source& source, Output& output, Fault& fault) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kMaxMemory, LZMA_CONCATENATED) != LZMA_OK) return fault.system("malloc", ENOMEM);
  bool good = false;
  for (;;) {
    const Span input = source.peek(1, fault);
    if (fault.set()) break;
    const Output::Room room = output.room();
    stream.next_in = input.data;
    stream.avail_in = input.size;
    stream.next_out = room.data;
    stream.avail_out = room.size;
    const lzma_ret result = lzma_code(&stream, input.size == 0 ? LZMA_FINISH : LZMA_RUN);
    source.consume(input.size - stream.avail_in);
    if (result != LZMA_OK && result != LZMA_STREAM_END) {
      if (result == LZMA_MEMLIMIT_ERROR) {
        fault.limit({"the xz stream needs more than 128 MiB of memory"});
      } else if (result == LZMA_MEM_ERROR) {
        fault.system("malloc", ENOMEM);
      } else {
        fault.malformed({"the xz stream is damaged: ", reason_of(result)});
      }
      break;
    }
    if (!output.commit(room.size - stream.avail_out)) break;
    if (result == LZMA_STREAM_END) {
      good = true;
      break;
    }
  }
  lzma_end(&stream);
  return good;
}

}  // namespace jubako::archive
