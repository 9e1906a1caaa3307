#pragma once

#include <openssl/sha.h>

#include <cstddef>
#include <cstdint>

namespace jubako::archive {

/** Streaming SHA-256 (FIPS 180-4) with the CPU's instructions for it where it has them. */
class Sha256 {
 public:
  static constexpr size_t kSize = 32;
  Sha256();
  void update(const uint8_t* data, size_t size);
  void finish(uint8_t digest[kSize]);

 private:
  SHA256_CTX state_;
};

}  // namespace jubako::archive
