// A reload of the host's firewall takes every table away. Each supervisor whose container needs one hears of it from
// the kernel; the first makes the table again, and each adds what is its container's own.
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"
#include "supervisor.h"

namespace jubako {

namespace {

constexpr uint8_t kInet = 1;
constexpr off_t kMaxRules = 16 << 20;

// Elements come and go with containers, and each transaction has its number: nobody wakes up for these.
bool ignore_elements(int fd) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFT_MSG_NEWSETELEM, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFT_MSG_DELSETELEM, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFT_MSG_NEWGEN, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

int listen_for_tables(Failure& f) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  struct sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1U << (NFNLGRP_NFTABLES - 1);
  if (!fd || !ignore_elements(fd.get()) ||
      bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof address) < 0)
    return fail(f, errno, "socket", "nf_tables"), -1;
  return fd.release();
}

// Whether one of the messages says that the table is gone.
bool tells_of(const uint8_t* bytes, size_t size, const char* table) {
  int left = static_cast<int>(size);
  for (auto* header = reinterpret_cast<const struct nlmsghdr*>(bytes); NLMSG_OK(header, left);
       header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE)) continue;
    const auto* message = static_cast<const struct nfgenmsg*>(NLMSG_DATA(header));
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof *message) || message->nfgen_family != kInet) continue;
    const auto* at = reinterpret_cast<const uint8_t*>(message) + NLMSG_ALIGN(sizeof *message);
    const auto* end = reinterpret_cast<const uint8_t*>(header) + header->nlmsg_len;
    while (at + NLA_HDRLEN <= end) {
      const auto* attribute = reinterpret_cast<const struct nlattr*>(at);
      if (attribute->nla_len < NLA_HDRLEN || at + attribute->nla_len > end) break;
      if ((attribute->nla_type & NLA_TYPE_MASK) == NFTA_TABLE_NAME &&
          attribute->nla_len == NLA_HDRLEN + strlen(table) + 1 && memcmp(attribute + 1, table, strlen(table) + 1) == 0)
        return true;
      at += NLA_ALIGN(attribute->nla_len);
    }
  }
  return false;
}

// Everything that is to be heard now. True: the table is gone, or something was not heard.
bool table_is_gone(Heal& heal) {
  alignas(struct nlmsghdr) static uint8_t buffer[32768];
  bool gone = false;
  for (;;) {
    ssize_t n = recv(heal.socket, buffer, sizeof buffer, MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {
      gone = true;
      continue;
    }
    if (n <= 0) return gone;
    gone |= static_cast<size_t>(n) > sizeof buffer || tells_of(buffer, static_cast<size_t>(n), heal.table);
  }
}

// The table with its networks, as a transaction that fails where it is there already.
void make_table(Supervisor& s) {
  Failure ignored;
  Fd file(sys::open_file(s.network.heal.rules, O_RDONLY | O_NOFOLLOW));
  struct stat info;
  if (!file || fstat(file.get(), &info) < 0 || info.st_size <= 0 || info.st_size > kMaxRules) return;
  auto size = static_cast<size_t>(info.st_size);
  auto* messages = static_cast<uint8_t*>(malloc(size));
  if (messages && read(file.get(), messages, size) == info.st_size) {
    Fd socket(open_netlink(NETLINK_NETFILTER, ignored));
    if (socket) exchange(socket.get(), "table", messages, size, nullptr, 0, nullptr, ignored);
  }
  free(messages);
}

}  // namespace

// {text table, text path of the transaction that makes it, bytes steps that add what is this container's}. Without a
// table there is nothing to heal.
bool network_heal(Supervisor& s, Reader& r, Failure& f) {
  const char* table = r.text();
  const char* rules = r.text();
  Bytes own = r.bytes();
  Heal& heal = s.network.heal;
  if (!*table) return heal_leave(s), true;
  // The step's bytes may go with the request that brought them.
  size_t table_size = strlen(table) + 1, rules_size = strlen(rules) + 1;
  auto* memory = static_cast<char*>(malloc(table_size + rules_size + own.size));
  if (!memory) return fail(f, ENOMEM, "malloc");
  memcpy(memory, table, table_size);
  memcpy(memory + table_size, rules, rules_size);
  memcpy(memory + table_size + rules_size, own.data, own.size);
  if (heal.socket < 0) heal.socket = listen_for_tables(f);
  if (heal.socket < 0) return free(memory), false;
  rewatch(s, heal.socket, EPOLLIN, &heal);
  free(heal.memory);
  heal.memory = memory;
  heal.table = memory;
  heal.rules = memory + table_size;
  heal.own = {reinterpret_cast<uint8_t*>(memory) + table_size + rules_size, own.size};
  return true;
}

void heal_serve(Supervisor& s) {
  Heal& heal = s.network.heal;
  if (!table_is_gone(heal)) return;
  make_table(s);
  run_exit_steps(s, StepList(Reader(heal.own.data, heal.own.size)));
}

// The socket stays: closing it may wait for the kernel to free what others deleted.
void heal_leave(Supervisor& s) {
  Heal& heal = s.network.heal;
  if (heal.socket >= 0) unwatch(s, heal.socket);
  free(heal.memory);
  heal.memory = nullptr;
}

}  // namespace jubako
