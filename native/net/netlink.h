// Sends netlink requests that somebody else wrote: src/network makes the messages, this carries them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../sys/bytes.h"
#include "../sys/failure.h"

namespace jubako {

// What a message holds a place for, because it is known only when it is sent.
enum class PatchKind : uint32_t {
  kNamespace = 0,  // u32: descriptor of the container's network namespace
  kLinkIndex = 1,  // u32: index of the link named `names[value]`, in the socket's namespace
  kPort = 2,       // u16, big endian: port number `value` of those that were reserved
  kResolver = 3,   // u16, big endian: port of the container's name service
};

struct Patch {
  uint32_t offset;
  PatchKind kind;
  uint32_t value;
};

// Answers, one after the other as the kernel sent them. Freed by the owner.
struct Replies {
  uint8_t* data = nullptr;
  size_t size = 0;
};

// A socket of the calling thread's network namespace, or -1.
int open_netlink(int protocol, Failure& f);

// Index of a link in the socket's namespace.
bool link_index(int socket, const char* name, uint32_t& index, Failure& f);

// Sends all messages in one go and reads what comes back. The first error that is not in `tolerated` is the failure,
// with the kernel's own explanation; `what` says what it was about. The kernel does not stop at an error of rtnetlink
// and undoes a whole batch of nfnetlink.
bool exchange(int socket, const char* what, const uint8_t* messages, size_t size, const int32_t* tolerated,
              size_t tolerated_count, Replies* replies, Failure& f);

}  // namespace jubako
