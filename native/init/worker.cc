#include "worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include "../spawn/protocol.h"
#include "../spawn/start.h"

namespace jubako {

namespace {

bool send_all(const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t n = send(kControlFd, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

bool send_frame(uint32_t type, const void* data, size_t size) {
  protocol::Header header = {type, static_cast<uint32_t>(size)};
  return send_all(&header, sizeof header) && send_all(data, size);
}

// {u32 kind, i32 errno, three length-prefixed texts: call, entry, reason}; read by src/archive/frames.ts.
void send_fault(const archive::Fault& fault) {
  archive::List<char> frame;
  auto number = [&](uint32_t value) { frame.append(reinterpret_cast<const char*>(&value), sizeof value); };
  auto text = [&](std::string_view value) {
    number(static_cast<uint32_t>(value.size()));
    frame.append(value.data(), value.size());
  };
  number(static_cast<uint32_t>(fault.kind()));
  number(static_cast<uint32_t>(fault.error()));
  text(fault.call());
  text(fault.entry());
  text(fault.reason());
  send_frame(protocol::kFault, frame.data(), frame.size());
}

void give_up(const Failure& failure) {
  send_frame(protocol::kFailed, &failure, sizeof failure);
  _exit(1);
}

}  // namespace jubako
