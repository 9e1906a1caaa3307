#pragma once

#include "fault.h"
#include "limits.h"
#include "ring.h"
#include "source.h"

namespace jubako::archive {

/**
 * Outer format of a layer. The values are part of the wire format. `kAny` is `kDetect` for archives that are no layers:
 * they may be in xz and bzip2 too.
 */
enum class Compression : uint8_t { kNone = 0, kGzip = 1, kZstd = 2, kAny = 254, kDetect = 255 };

/** The producer's side of the ring: counts the decoded bytes and holds them to the limits. */
class Output {
 public:
  Output(Ring& ring, const Source& source, const Limits& limits, Fault& fault)
      : ring_(ring), source_(source), limits_(limits), fault_(fault) {}

  /** Room for decoded bytes. */
  struct Room {
    uint8_t* data;
    size_t size;
  };
  Room room();
  /** `size` bytes of the room were filled. False when a limit is exceeded. */
  bool commit(size_t size);
  void flush();

 private:
  Ring& ring_;
  const Source& source_;
  const Limits& limits_;
  Fault& fault_;
  uint8_t* chunk_ = nullptr;
  size_t used_ = 0;
  uint64_t total_ = 0;
};

/**
 * Decodes `source` into `output` until its end. With `kDetect` and `kAny` the first bytes decide; otherwise they must
 * agree. A gzip stream may have several members (RFC 1952, 2.2), a zstd stream several frames (RFC 8878, 3.1). Returns
 * false with `fault` set.
 */
bool decode(Source& source, Compression expected, Output& output, Fault& fault);

bool decode_gzip(Source& source, Output& output, Fault& fault);
bool decode_zstd(Source& source, Output& output, Fault& fault);
bool decode_xz(Source& source, Output& output, Fault& fault);
bool decode_bzip2(Source& source, Output& output, Fault& fault);

}  // namespace jubako::archive
