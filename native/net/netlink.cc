#include "netlink.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "../sys/fd.h"

namespace jubako {

namespace {

constexpr int kBuffer = 8 << 20;

void buffer_size(int fd, int forced, int plain) {
  int size = kBuffer;
  if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) < 0) setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

// NLMSGERR_ATTR_MSG of an extended acknowledgement (include/uapi/linux/netlink.h).
const char* explanation(const struct nlmsghdr* header) {
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) return nullptr;
  size_t at = NLMSG_HDRLEN + sizeof(struct nlmsgerr);
  const auto* error = static_cast<const struct nlmsgerr*>(NLMSG_DATA(header));
  // Without NLM_F_CAPPED the payload of the request stands before the attributes.
  if (!(header->nlmsg_flags & NLM_F_CAPPED)) at += NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);
  const auto* bytes = reinterpret_cast<const uint8_t*>(header);
  while (at + sizeof(struct nlattr) <= header->nlmsg_len) {
    const auto* attribute = reinterpret_cast<const struct nlattr*>(bytes + at);
    if (attribute->nla_len < sizeof *attribute || at + attribute->nla_len > header->nlmsg_len) break;
    if ((attribute->nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG && attribute->nla_len > sizeof *attribute &&
        bytes[at + attribute->nla_len - 1] == 0)
      return reinterpret_cast<const char*>(attribute + 1);
    at += NLMSG_ALIGN(attribute->nla_len);
  }
  return nullptr;
}

bool keep(Replies& replies, const uint8_t* data, size_t size, Failure& f) {
  auto* room = static_cast<uint8_t*>(realloc(replies.data, replies.size + size));
  if (!room) return fail(f, ENOMEM, "realloc");
  memcpy(room + replies.size, data, size);
  replies.data = room;
  replies.size += size;
  return true;
}

}  // namespace

int open_netlink(int protocol, Failure& f) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return fail(f, errno, "socket", "netlink"), -1;
  int on = 1;
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Without it the kernel ignores what a dump asks for beyond the address family.
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  return fd.release();
}

bool link_index(int socket, const char* name, uint32_t& index, Failure& f) {
  struct ifreq request = {};
  copy_text(request.ifr_name, sizeof request.ifr_name, name);
  if (ioctl(socket, SIOCGIFINDEX, &request) < 0) return fail(f, errno, "ioctl", name);
  index = static_cast<uint32_t>(request.ifr_ifindex);
  return true;
}

bool exchange(int socket, const char* what, const uint8_t* messages, size_t size, const int32_t* tolerated,
              size_t tolerated_count, Replies* replies, Failure& f) {
  if (size > 100 * 1024) {
    buffer_size(socket, SO_SNDBUFFORCE, SO_SNDBUF);
    buffer_size(socket, SO_RCVBUFFORCE, SO_RCVBUF);
  }
  struct sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  ssize_t n;
  do n = sendto(socket, messages, size, 0, reinterpret_cast<struct sockaddr*>(&kernel), sizeof kernel);
  while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(size)) return fail(f, n < 0 ? errno : EMSGSIZE, "netlink", what);
  // Both families are handled inside sendto(2): what there is to say is in the socket now, and reading a part of a dump
  // makes the next one.
  static thread_local uint8_t buffer[32768];
  bool good = true;
  for (;;) {
    n = recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return good;
    if (n < 0) return good && fail(f, errno, "netlink", what);
    int left = static_cast<int>(n);
    for (auto* header = reinterpret_cast<struct nlmsghdr*>(buffer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type != NLMSG_ERROR) {
        if (replies && header->nlmsg_type >= NLMSG_MIN_TYPE &&
            !keep(*replies, reinterpret_cast<const uint8_t*>(header), NLMSG_ALIGN(header->nlmsg_len), f))
          return false;
        continue;
      }
      int error = -static_cast<const struct nlmsgerr*>(NLMSG_DATA(header))->error;
      bool fine = error == 0 || !good;
      for (size_t i = 0; i < tolerated_count; i++) fine |= tolerated[i] == error;
      if (fine) continue;
      const char* why = explanation(header);
      char text[sizeof f.path];
      snprintf(text, sizeof text, why ? "%s: %s" : "%s", what, why);
      good = fail(f, error, "netlink", text);
    }
  }
}

}  // namespace jubako
