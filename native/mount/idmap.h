// A user namespace that only says how the ids of a mount are shown (mount_setattr(2), MOUNT_ATTR_IDMAP).
#pragma once

#include "../sys/failure.h"

namespace jubako {

// `uids` and `gids` are the lines of uid_map(5): the id on the disk, the id it is shown as, how many. Descriptor of the
// namespace, -1 and `f` on failure.
int make_id_map(const char* uids, const char* gids, Failure& f);

}  // namespace jubako
