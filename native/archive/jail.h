// Barrier A around whoever reads untrusted archives.
#pragma once

#include "../sys/failure.h"

namespace jubako::archive {

// Moves this single-threaded process into mount, network, ipc and uts namespaces of its own whose root is `directory`,
// and takes away every capability but those that writing a layer needs. Returns the new root's descriptor, -1 on
// failure.
int enter_jail(int directory, Failure& f);

// No new privileges, and system calls on an allow-list for all threads: from here on no descriptor leads out, no
// process or thread can be made and no program executed. Another call kills the process.
bool confine(Failure& f);

}  // namespace jubako::archive
