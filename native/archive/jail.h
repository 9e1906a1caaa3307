// Barrier A around whoever reads untrusted archives.
#pragma once

#include "../sys/failure.h"

namespace jubako::archive {

// What the process behind the barrier is for: it keeps the rights for that and no others.
enum class JailFor { kWriting, kReading };

// A detached clone of the mount `directory` is on, with it as the root: before any `unshare`, because a mount of
// another namespace cannot be cloned. -1 on failure.
int clone_directory(int directory, Failure& f);

// Moves this single-threaded process into mount, network, ipc and uts namespaces of its own whose root is the detached
// mount `tree`, and takes away every capability but those that its purpose needs. For reading the mount is read-only.
// Returns the new root's descriptor, -1 on failure. `tree` stays the caller's.
int enter_jail(int tree, JailFor purpose, Failure& f);

// The last part of that, for a process that is in namespaces and a root of its own already.
bool shed_rights(JailFor purpose, Failure& f);

// No new privileges, and system calls on an allow-list for all threads: from here on no descriptor leads out, no
// process or thread can be made and no program executed. Another call kills the process.
bool confine(JailFor purpose, Failure& f);

}  // namespace jubako::archive
