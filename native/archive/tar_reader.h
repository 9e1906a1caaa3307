#pragma once

#include "entry.h"
#include "limits.h"
#include "pax.h"
#include "ring.h"

namespace jubako::archive {

/** Reads the members of a tar stream in order. Nothing of the stream is kept, whatever its size. */
class TarReader {
 public:
  enum class Next { kEntry, kEnd, kFailed };

  TarReader(Ring& ring, int consumer, const Limits& limits, Fault& fault)
      : ring_(ring), consumer_(consumer), limits_(limits), fault_(fault) {}

  /** Passes over the rest of the current member and reads the next. */
  Next next(Entry& entry);

  /** The next piece of the member's data in the archive; empty when it is complete, or failed (see the fault). */
  Span read();

  /** Reads what follows the end of the archive, so that the whole stream is hashed and its end seen. */
  void drain();

  /** Counts one thing towards the limit on entries. */
  bool count();
  uint64_t bytes() const { return bytes_; }

 private:
  enum class Meta { kEntry, kContinue, kEnd, kFailed };

  const uint8_t* block();
  bool fill();
  bool truncated() { return fault_.malformed({"the tar stream ends early"}); }
  bool skip_member();
  bool text(uint64_t size, Text& to);
  Meta header(Entry& entry, const uint8_t*& block);
  bool finish(Entry& entry, const uint8_t* block);
  bool apply_sparse(Entry& entry, const uint8_t* block);
  bool read_sparse_map(Entry& entry);

  Ring& ring_;
  int consumer_;
  const Limits& limits_;
  Fault& fault_;

  Span chunk_;
  uint64_t bytes_ = 0;
  uint64_t count_ = 0;
  /** Bytes of the current member still to come, and of the padding after them. */
  uint64_t left_ = 0;
  uint64_t padding_ = 0;

  TarHeader header_;
  PaxRecords pax_;
  bool has_pax_ = false, has_long_name_ = false, has_long_link_ = false;
  Text long_name_, long_link_, records_;
};

}  // namespace jubako::archive
