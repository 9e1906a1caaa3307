// The name service of one container: sockets in its network namespace at 127.0.0.11, answers from zones, all else from
// the resolvers of the host. Never blocks; one descriptor to wait for.
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include "../sys/failure.h"
#include "zones.h"

namespace jubako {

struct Upstream {
  struct sockaddr_storage address;
  socklen_t size;
  bool inside;  // asked from the container's network, not the host's
};

// A question that was passed on by UDP.
struct PendingQuery {
  int fd = -1;
  struct sockaddr_in client = {};
  uint8_t* query = nullptr;
  size_t size = 0;
  uint16_t id = 0;
  size_t upstream = 0;
  int attempts = 0;
  int64_t until_ms = 0;
};

// A connection of a client, and the one that its question was passed on by.
struct DnsStream {
  int fd = -1, up = -1;
  uint8_t* in = nullptr;  // length and question as they come
  size_t in_size = 0;
  uint8_t* out = nullptr;  // of the upstream: length and answer as they come
  size_t out_size = 0;
  bool sent = false;
  size_t upstream = 0;
  int64_t until_ms = 0;
};

struct Resolver {
  static constexpr size_t kZones = 64, kUpstreams = 8, kPending = 128, kStreams = 16;
  int epoll = -1, udp = -1, tcp = -1, timer = -1;
  bool timer_on = false;
  uint16_t port = 0;
  int inside = -1, outside = -1;  // namespaces for sockets to upstreams
  dns::Zone zones[kZones];
  size_t zone_count = 0;
  Upstream upstreams[kUpstreams];
  size_t upstream_count = 0;
  PendingQuery pending[kPending];
  DnsStream streams[kStreams];
  unsigned turn = 0;
};

// Opens the sockets in the namespace `inside`, both at `port`; 0: any.
bool resolver_open(Resolver& r, int inside, int outside, uint16_t port, Failure& f);
// An address as text, with an optional %scope or not at all; false if it is none.
bool resolver_add_upstream(Resolver& r, const char* address, bool inside);
// A zone of the same directory is replaced.
bool resolver_add_zone(Resolver& r, const char* directory, const char* suffix, bool forwards);
void resolver_drop_zone(Resolver& r, const char* directory);
// Call when `epoll` is readable.
void resolver_serve(Resolver& r);
void resolver_close(Resolver& r);

// socket(2) in another network namespace.
int socket_in(int inside, int outside, int family, int type, int protocol);

}  // namespace jubako
