#include "compressor.h"

#include <libdeflate.h>
#include <zstd.h>

namespace jubako::archive {

Compressor::~Compressor() {
  if (format_ == Compression::kGzip) libdeflate_free_compressor(static_cast<libdeflate_compressor*>(state_));
  if (format_ == Compression::kZstd) ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(state_));
  std::free(output_);
}

bool Compressor::open(Compression format, int level) {
  format_ = format;
  if (format == Compression::kNone) return true;
  if (format == Compression::kGzip) {
    libdeflate_compressor* compressor = libdeflate_alloc_compressor(level);
    if (compressor == nullptr) return false;
    state_ = compressor;
    capacity_ = libdeflate_gzip_compress_bound(compressor, Ring::kChunkSize);
  } else {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    if (context == nullptr) return false;
    state_ = context;
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    capacity_ = ZSTD_compressBound(Ring::kChunkSize);
  }
  output_ = static_cast<uint8_t*>(std::malloc(capacity_));
  return output_ != nullptr;
}

Span Compressor::compress(Span chunk) {
  if (format_ == Compression::kNone) return chunk;
  if (format_ == Compression::kGzip) {
    auto* compressor = static_cast<libdeflate_compressor*>(state_);
    return {output_, libdeflate_gzip_compress(compressor, chunk.data, chunk.size, output_, capacity_)};
  }
  const size_t size = ZSTD_compress2(static_cast<ZSTD_CCtx*>(state_), output_, capacity_, chunk.data, chunk.size);
  return {output_, ZSTD_isError(size) ? 0 : size};
}

}  // namespace jubako::archive
