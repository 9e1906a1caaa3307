#include <errno.h>
#include <zstd.h>

#include "decode.h"

namespace jubako::archive {

namespace {
// 32 MiB. zstd itself stays within 8 MiB up to level 19; more is only made on request (--long, --ultra), and an archive
// must not choose how much memory its reader needs.
constexpr int kMaxWindowLog = 25;
}  // namespace

bool decode_zstd(Source& source, Output& output, Fault& fault) {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  if (context == nullptr) return fault.system("malloc", ENOMEM);
  ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kMaxWindowLog);
  bool good = false;
  // 0 exactly between two frames.
  size_t pending = 0;
  for (;;) {
    const Span input = source.peek(1, fault);
    if (fault.set()) break;
    const Output::Room room = output.room();
    ZSTD_inBuffer in{input.data, input.size, 0};
    ZSTD_outBuffer out{room.data, room.size, 0};
    if (input.size == 0 && pending == 0) {
      good = true;
      break;
    }
    pending = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(pending)) {
      const char* detail = ZSTD_getErrorName(pending);
      if (std::string_view(detail).find("too much memory") != std::string_view::npos) {
        fault.limit({"the zstd stream needs a window of more than 32 MiB"});
      } else {
        fault.malformed({"the zstd stream is damaged: ", detail});
      }
      break;
    }
    source.consume(in.pos);
    if (!output.commit(out.pos)) break;
    if (input.size == 0 && out.pos == 0 && pending != 0) {
      fault.malformed({"the zstd stream ends early"});
      break;
    }
  }
  ZSTD_freeDCtx(context);
  return good;
}

}  // namespace jubako::archive
