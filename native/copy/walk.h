// Walks what a request names, in one order on every machine, and digests or copies it.
#pragma once

#include "../archive/fault.h"
#include "../archive/list.h"
#include "../archive/sha256.h"
#include "pool.h"
#include "request.h"

namespace jubako::copy {

struct Result {
  uint8_t digest[archive::Sha256::kSize] = {};
  uint64_t entries = 0, bytes = 0;
  // Sources that are regular files.
  uint64_t files = 0;
};

// `target`: the root that is copied into; -1 for a digest.
bool walk(const Request& request, int root, int target, Pool& pool, Result& result, archive::Fault& fault);

// The target directory of the request with what is missing above it.
bool make_target(const Request& request, int target, archive::Fault& fault);

bool read_file(const Request& request, int root, archive::Text& contents, archive::Fault& fault);

// Path of a file below `root` that has the bytes; empty: none has.
bool search(Bytes wanted, int root, archive::Text& path, archive::Fault& fault);

bool clamp_times(int root, uint64_t latest, archive::Fault& fault);

}  // namespace jubako::copy
