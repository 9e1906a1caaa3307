// One act on trees: which files are meant, and what becomes of them. src/builder/tree/orders.ts writes these fields.
#pragma once

#include "../sys/bytes.h"

namespace jubako::copy {

enum class Act : uint32_t {
  kDigest = 0,  // one digest of names, kinds, modes, owners and contents
  kCopy = 1,    // put them into the target
  kMkdir = 2,   // make the target and what is missing above it
  kRead = 3,    // the bytes of one file
  kClamp = 4,   // no time in the target later than `latest`
  kSearch = 5,  // path of a file in the target that has the bytes of `changes`
};

constexpr uint32_t kWildcards = 1;   // sources are patterns
constexpr uint32_t kParents = 2;     // the path below the pivot is kept
constexpr uint32_t kIntoTarget = 4;  // the target is a directory whatever is there
constexpr uint32_t kNoOwner = 8;     // owners of the sources count for nothing
constexpr uint32_t kReplace = 16;    // what is in the way and of another kind goes, as when an archive is unpacked
constexpr uint32_t kKeep = 0xffffffff;

struct ModeChange {
  uint32_t who, action, permissions, conditional, special;
};

struct Request {
  Act act;
  uint32_t root;
  uint32_t flags;
  Strings sources;
  Strings ignores;   // paths from the root
  Strings excludes;  // paths from a source that is a directory
  const char* target;
  const char* owner;  // "user[:group]"; empty: as the sources, or root with kNoOwner
  uint32_t mode;      // kKeep: as the sources
  Bytes changes;      // ModeChange[]; of a search what is looked for
  uint64_t latest;    // seconds since the epoch; all ones: any time

  bool read(Reader& r) {
    act = static_cast<Act>(r.u32());
    root = r.u32();
    flags = r.u32();
    sources = r.strings();
    ignores = r.strings();
    excludes = r.strings();
    target = r.text();
    owner = r.text();
    mode = r.u32();
    changes = r.bytes();
    latest = r.u64();
    return r.ok();
  }
};

}  // namespace jubako::copy
