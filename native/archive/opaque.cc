#include "opaque.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "../sys/fd.h"

namespace jubako::archive {

namespace {

int set_mark(int directory) {
  struct stat info;
  if (fstat(directory, &info) != 0) return errno;
  if (!S_ISDIR(info.st_mode)) return ENOTDIR;
  return fsetxattr(directory, "trusted.overlay.opaque", "y", 1, 0) == 0 ? 0 : errno;
}

union Ancillary {
  char bytes[CMSG_SPACE(sizeof(int))];
  cmsghdr align;
};

}  // namespace

bool OpaqueMarks::mark(int directory, Fault& fault) const {
  int error;
  if (broker_ < 0) {
    error = set_mark(directory);
  } else {
    char byte = 'o';
    iovec data{&byte, 1};
    Ancillary ancillary{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof ancillary.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &directory, sizeof directory);
    if (sendmsg(broker_, &message, MSG_NOSIGNAL) != 1) return fault.system("sendmsg", errno);
    ssize_t count;
    do count = read(broker_, &error, sizeof error);
    while (count < 0 && errno == EINTR);
    if (count != sizeof error) return fault.system("read", count < 0 ? errno : EPIPE);
  }
  return error == 0 || fault.system("fsetxattr", error, {"trusted.overlay.opaque cannot be set"});
}

bool serve_opaque_mark(int broker) {
  char byte;
  iovec data{&byte, 1};
  Ancillary ancillary{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.bytes;
  message.msg_controllen = sizeof ancillary.bytes;
  ssize_t count;
  do count = recvmsg(broker, &message, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count <= 0) return false;
  int error = EBADF;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    const Fd directory(fd);
    error = set_mark(directory.get());
  }
  return send(broker, &error, sizeof error, MSG_NOSIGNAL) == sizeof error;
}

}  // namespace jubako::archive
