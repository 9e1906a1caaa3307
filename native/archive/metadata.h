#pragma once

#include <sys/stat.h>

#include "directory_log.h"

namespace jubako::archive {

/** True for attributes that a layer may set; see docs/decisions/layer-xattrs.md. */
bool xattr_allowed(std::string_view name);

/** Owner, mode, attributes and times of a regular file that was just made and written, in the order they need. */
bool file_metadata(int fd, const Entry& entry, Fault& fault);

/** Owner and times of a symbolic link, device or fifo; its mode was given when it was made. */
bool name_metadata(int parent, const char* name, const Entry& entry, Fault& fault);

/** A hard link's member may say something else than its target's; the later one wins, as with Docker. */
bool linked_metadata(int parent, const char* name, const Entry& entry, Fault& fault);

bool directory_metadata(int fd, const struct stat& now, const DirectoryLog::Record& record, Fault& fault);

}  // namespace jubako::archive
