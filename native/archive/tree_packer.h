#pragma once

#include <errno.h>
#include <sys/stat.h>

#include <atomic>

#include "link_table.h"
#include "tar_writer.h"

namespace jubako::archive {

/** What a tree is written as. The values are part of the wire format (`src/archive/pack-plan.ts`). */
enum class PackForm : uint8_t {
  /** An overlay upper as a layer: whiteouts and opaque directories in the archive's notation, no entry for the root. */
  kLayer = 0,
  /** Files as they are. */
  kTree = 1,
};

/** Walks a tree by descriptors, in the order of the names' bytes, and writes its members. */
class TreePacker {
 public:
  /** `tolerant`: what changes or vanishes meanwhile is no failure. `stop` ends the walk early, because nobody takes the
   * bytes any more. */
  TreePacker(PackForm form, bool tolerant, Sink& sink, const std::atomic<bool>& stop, Fault& fault)
      : form_(form), tolerant_(tolerant), sink_(sink), writer_(sink), stop_(stop), fault_(fault) {}

  /** Everything below an open directory; `prefix` is empty or ends with a slash. */
  bool contents(int directory, std::string_view prefix);
  /** One name and everything below it. `name` in the archive may differ from `entry` in the directory. */
  bool member(int parent, const char* entry, std::string_view name);
  /** A regular file that is open already. */
  bool file(int file, std::string_view name);
  void end() { writer_.end(); }

  uint64_t entries() const { return entries_; }
  /** Bytes of all files. */
  uint64_t bytes() const { return bytes_; }

 private:
  bool walk(int directory);
  bool one(int parent, const char* entry, uint8_t type);
  bool regular(int file);
  bool directory(int parent, const char* entry);
  bool other(int parent, const char* entry);
  bool whiteout(const char* entry);
  bool opaque(int directory);
  bool data(int file, uint64_t size);
  bool attributes(int fd, bool is_directory);
  bool hard_link(const struct stat& info);
  void describe(const struct stat& info, char type);
  void emit();
  /** A name that was listed cannot be opened. */
  bool gone(const char* call, int error) {
    return (tolerant_ && (error == ENOENT || error == ELOOP || error == ENOTDIR || error == ENXIO)) ||
           fault_.system(call, error);
  }
  bool changed() { return tolerant_ || fault_.fail(FaultKind::kSystem, {"it changed while it was read"}); }

  PackForm form_;
  bool tolerant_;
  Sink& sink_;
  TarWriter writer_;
  const std::atomic<bool>& stop_;
  Fault& fault_;
  /** Name of the current member, without a slash at its end. */
  Text path_;
  Entry entry_;
  LinkTable links_;
  /** Room for the names and for one value of extended attributes. */
  List<char> names_;
  List<char> value_;
  size_t depth_ = 0;
  uint64_t entries_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace jubako::archive
