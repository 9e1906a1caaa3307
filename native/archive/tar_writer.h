#pragma once

#include "entry.h"
#include "sink.h"

namespace jubako::archive {

/**
 * Writes members in the one form that every machine gives for the same files (docs/decisions/canonical-layers.md):
 * ustar headers, and a pax header in front only for what ustar cannot say, its records in a fixed order.
 */
class TarWriter {
 public:
  explicit TarWriter(Sink& sink) : sink_(sink) {}

  /**
   * Header of a member. `numbers.size` bytes of data and `padding` must follow. `entry.xattrs` must be in the order of
   * their names, and the time not before the epoch.
   */
  void header(const Entry& entry);
  void padding(uint64_t size);
  /** Two blocks of zeros. */
  void end();

 private:
  void pax(const Entry& entry, bool name_fits, bool link_fits);
  void record(std::string_view key, std::string_view value);

  Sink& sink_;
  Text records_;
};

}  // namespace jubako::archive
