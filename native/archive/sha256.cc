// The low-level functions: EVP would bring OpenSSL's providers and configuration loader into a static program.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sha256.h"

namespace jubako::archive {

Sha256::Sha256() { SHA256_Init(&state_); }

void Sha256::update(const uint8_t* data, size_t size) { SHA256_Update(&state_, data, size); }

void Sha256::finish(uint8_t digest[kSize]) { SHA256_Final(digest, &state_); }

}  // namespace jubako::archive
