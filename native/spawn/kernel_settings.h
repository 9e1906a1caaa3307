// Settings of the namespaces that the calling process is in.
#pragma once

#include "../sys/failure.h"

namespace jubako {

bool raise_loopback(Failure& f);

// `key` as a path below /proc/sys. Written through a procfs of its own: what a container mounted over /proc/sys cannot
// redirect it (CVE-2025-52881).
bool set_sysctl(const char* key, const char* value, Failure& f);

}  // namespace jubako
