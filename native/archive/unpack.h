#pragma once

#include "barriers.h"
#include "decode.h"
#include "opaque.h"
#include "path_set.h"
#include "placement.h"
#include "sha256.h"

namespace jubako::archive {

struct UnpackRequest {
  int blob;
  /** Root of the new tree; the caller has made sure that the directory is empty. */
  int root;
  Compression compression;
  /** Bytes of the blob when known, else 0: for the limit on the ratio. */
  uint64_t compressed_size;
  Limits limits;
  Barriers barriers;
  Placement placement = {};
  /** Of a blob that is a file still being written; outlives the run. */
  Growth* growth = nullptr;
};

struct UnpackResult {
  uint8_t diff_id[Sha256::kSize];
  /** Bytes of the tar stream with all padding, and of the blob. */
  uint64_t uncompressed = 0;
  uint64_t compressed = 0;
  uint64_t entries = 0;
  /** Bytes of all files. */
  uint64_t size = 0;
};

/** What the caller hears meanwhile. */
class UnpackObserver {
 public:
  /** Every few megabytes. */
  virtual void progress(uint64_t compressed, uint64_t uncompressed) = 0;
  /** Once after success, for every directory that no member describes. */
  virtual void implicit(std::string_view path) = 0;

 protected:
  ~UnpackObserver() = default;
};

/** One run: decoding and hashing on threads of their own, parsing and writing on the caller's. */
class Unpack {
 public:
  /**
   * Starts the threads, which wait. Separate from `run`, so that the process may give up the right to make threads in
   * between.
   */
  bool start(const UnpackRequest& request, Fault& fault);
  /** After a failure threads may still be at work: the process has to end. */
  bool run(const OpaqueMarks& marks, UnpackObserver& observer, UnpackResult& result, Fault& fault);

 private:
  struct State;
  /** Lives as long as the process: threads use it. */
  State* state_ = nullptr;
};

}  // namespace jubako::archive
