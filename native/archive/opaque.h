#pragma once

#include "fault.h"

namespace jubako::archive {

/**
 * Marks directories as opaque for overlayfs (`trusted.overlay.opaque`=`y`, kernel: filesystems/overlayfs.rst). Setting
 * it takes CAP_SYS_ADMIN, which the jailed process does not have: it passes the directory's descriptor to a process
 * outside that does nothing else (docs/decisions/opaque-marks.md).
 */
class OpaqueMarks {
 public:
  /** `broker` is a socket to `serve_opaque_mark`; -1 sets the mark directly. */
  explicit OpaqueMarks(int broker) : broker_(broker) {}
  bool mark(int directory, Fault& fault) const;

 private:
  int broker_;
};

/** Broker's side: receives one descriptor, marks it if it is a directory, and answers. False at the end of file. */
bool serve_opaque_mark(int broker);

}  // namespace jubako::archive
