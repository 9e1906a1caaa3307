#pragma once

#include "compressor.h"
#include "sha256.h"
#include "tree_packer.h"

namespace jubako::archive {

struct PackRequest {
  PackForm form;
  /** Whether the diffID is wanted. */
  bool hash;
  /** What changes or vanishes meanwhile is no failure. */
  bool tolerant;
  /** Descriptor that gets the stream; -1: it is only hashed. */
  int output;
  Compression compression;
  int level;
};

struct PackResult {
  /** Of the tar stream, and of the bytes that went to the output. */
  uint8_t diff_id[Sha256::kSize];
  uint8_t digest[Sha256::kSize];
  uint64_t size = 0;
  uint64_t written = 0;
  uint64_t entries = 0;
  /** Bytes of all files. */
  uint64_t bytes = 0;
};

/**
 * One run: the caller's thread walks the tree and makes the stream; threads of their own hash it, compress it and write
 * it.
 */
class Pack {
 public:
  /** What is walked. */
  class Walk {
   public:
    virtual bool run(TreePacker& packer, Fault& fault) = 0;

   protected:
    ~Walk() = default;
  };

  /**
   * Starts the threads, which wait. Separate from `run`, so that the process may give up the right to make threads in
   * between.
   */
  bool start(const PackRequest& request, Fault& fault);
  bool run(Walk& walk, PackResult& result, Fault& fault);

 private:
  struct State;
  /** Lives as long as the process: threads use it. */
  State* state_ = nullptr;
};

}  // namespace jubako::archive
