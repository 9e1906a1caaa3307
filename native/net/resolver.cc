#include "resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../sys/fd.h"

namespace jubako {

namespace {

constexpr int64_t kTryMs = 2000, kIdleMs = 10000;
constexpr int kMaxAttempts = 6;
constexpr size_t kMaxMessage = 65535 + 2;

int64_t clock_ms() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

bool watch(Resolver& r, int fd, uint32_t events, void* who) {
  struct epoll_event event = {};
  event.events = events;
  event.data.ptr = who;
  return epoll_ctl(r.epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void tick(Resolver& r, bool on) {
  if (r.timer_on == on) return;
  r.timer_on = on;
  struct itimerspec when = {};
  if (on) when.it_value.tv_nsec = when.it_interval.tv_nsec = 200000000;
  timerfd_settime(r.timer, 0, &when, nullptr);
}

int upstream_socket(Resolver& r, const Upstream& upstream, int type) {
  int family = upstream.address.ss_family;
  type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
  return upstream.inside ? socket_in(r.inside, r.outside, family, type, 0) : socket(family, type, 0);
}

bool may_forward(const Resolver& r) {
  if (r.upstream_count == 0) return false;
  for (size_t i = 0; i < r.zone_count; i++) {
    if (r.zones[i].forwards) return true;
  }
  return false;
}

// The reply's size; 0: nobody here knows, -1: no reply at all.
ssize_t answer(Resolver& r, const uint8_t* message, size_t size, uint8_t* reply, size_t room, bool stream) {
  dns::Query query;
  uint8_t rcode = 0;
  switch (dns::parse(message, size, query, rcode)) {
    case dns::Parsed::kIgnore: return -1;
    case dns::Parsed::kRefuse: return static_cast<ssize_t>(dns::reply_empty(message, query, rcode, reply));
    case dns::Parsed::kQuery: break;
  }
  size_t limit = stream ? room : query.udp_size;
  char text[1024];
  if (query.type == dns::kTypePtr) {
    char address[INET6_ADDRSTRLEN];
    if (dns::reverse_address(query.name, address, sizeof address) &&
        dns::look_up_address(r.zones, r.zone_count, address, text, sizeof text))
      return static_cast<ssize_t>(dns::reply_name(message, query, text, reply, limit));
  } else {
    static dns::Address list[dns::kMaxAddresses];
    size_t found = 0;
    if (dns::look_up(r.zones, r.zone_count, query, list, found)) {
      // Another one first each time, so that clients that take the first share the load.
      if (found > 1) {
        size_t first = r.turn++ % found;
        dns::Address moved = list[0];
        list[0] = list[first];
        list[first] = moved;
      }
      return static_cast<ssize_t>(dns::reply_addresses(message, query, list, found, reply, limit));
    }
  }
  if (may_forward(r)) return 0;
  return static_cast<ssize_t>(dns::reply_empty(message, query, dns::kServerFailure, reply));
}

ssize_t failure_reply(const uint8_t* message, size_t size, uint8_t* reply) {
  dns::Query query;
  uint8_t rcode;
  if (dns::parse(message, size, query, rcode) != dns::Parsed::kQuery) return -1;
  return static_cast<ssize_t>(dns::reply_empty(message, query, dns::kServerFailure, reply));
}

// --- UDP

void forget(PendingQuery& p) {
  if (p.fd >= 0) close(p.fd);
  free(p.query);
  p = PendingQuery();
}

// Sends to the next upstream that takes it; gives up with a failure.
void pass_on(Resolver& r, PendingQuery& p) {
  while (p.attempts < kMaxAttempts && p.attempts < static_cast<int>(r.upstream_count) * 2) {
    const Upstream& upstream = r.upstreams[p.upstream++ % r.upstream_count];
    p.attempts++;
    if (p.fd >= 0) close(p.fd);
    p.fd = upstream_socket(r, upstream, SOCK_DGRAM);
    if (p.fd < 0) continue;
    // Connected: the kernel takes an answer of nobody else. A new port and a new number each time.
    if (connect(p.fd, reinterpret_cast<const struct sockaddr*>(&upstream.address), upstream.size) < 0 ||
        getrandom(&p.id, sizeof p.id, 0) < 0)
      continue;
    memcpy(p.query, &p.id, sizeof p.id);
    if (send(p.fd, p.query, p.size, MSG_NOSIGNAL) < 0 || !watch(r, p.fd, EPOLLIN, &p)) continue;
    p.until_ms = clock_ms() + kTryMs;
    tick(r, true);
    return;
  }
  uint8_t reply[dns::kHeader + dns::kMaxName + 64];
  ssize_t n = failure_reply(p.query + p.size, p.size, reply);
  if (n > 0)
    sendto(r.udp, reply, static_cast<size_t>(n), MSG_NOSIGNAL | MSG_DONTWAIT,
           reinterpret_cast<const struct sockaddr*>(&p.client), sizeof p.client);
  forget(p);
}

void forward(Resolver& r, const uint8_t* query, size_t size, const struct sockaddr_in& client) {
  for (PendingQuery& p : r.pending) {
    if (p.query) continue;
    // In front the question as it is sent, behind it as it came: for its number, and for a failure.
    p.query = static_cast<uint8_t*>(malloc(2 * size + 2));
    if (!p.query) return;
    memcpy(p.query, query, size);
    memcpy(p.query + size, query, size);
    p.size = size;
    p.client = client;
    pass_on(r, p);
    return;
  }
}

void upstream_answer(Resolver& r, PendingQuery& p) {
  static uint8_t reply[kMaxMessage];
  ssize_t n = recv(p.fd, reply, sizeof reply, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) return pass_on(r, p);
  if (n < static_cast<ssize_t>(dns::kHeader) || memcmp(reply, &p.id, 2) != 0) return;
  memcpy(reply, p.query + p.size, 2);
  sendto(r.udp, reply, static_cast<size_t>(n), MSG_NOSIGNAL | MSG_DONTWAIT,
         reinterpret_cast<const struct sockaddr*>(&p.client), sizeof p.client);
  forget(p);
}

void serve_udp(Resolver& r) {
  static uint8_t query[4096], reply[8192];
  for (int i = 0; i < 64; i++) {
    struct sockaddr_in client;
    socklen_t size = sizeof client;
    ssize_t n = recvfrom(r.udp, query, sizeof query, MSG_DONTWAIT, reinterpret_cast<struct sockaddr*>(&client), &size);
    if (n < 0) return;
    ssize_t m = answer(r, query, static_cast<size_t>(n), reply, sizeof reply, false);
    if (m == 0) forward(r, query, static_cast<size_t>(n), client);
    if (m > 0)
      sendto(r.udp, reply, static_cast<size_t>(m), MSG_NOSIGNAL | MSG_DONTWAIT,
             reinterpret_cast<const struct sockaddr*>(&client), size);
  }
}

// --- TCP

void hang_up(DnsStream& stream) {
  if (stream.up >= 0) close(stream.up);
  if (stream.fd >= 0) close(stream.fd);
  free(stream.in);
  free(stream.out);
  stream = DnsStream();
}

void accept_streams(Resolver& r) {
  for (;;) {
    int fd = accept4(r.tcp, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    DnsStream* free_one = nullptr;
    for (DnsStream& stream : r.streams) {
      if (stream.fd < 0) free_one = &stream;
    }
    auto* in = static_cast<uint8_t*>(free_one ? malloc(kMaxMessage) : nullptr);
    if (!in || !watch(r, fd, EPOLLIN, free_one)) {
      free(in);
      close(fd);
      continue;
    }
    free_one->fd = fd;
    free_one->in = in;
    free_one->until_ms = clock_ms() + kIdleMs;
    tick(r, true);
  }
}

// One message with its length before it. A client that does not take it at once loses it: its window was empty.
bool send_message(int fd, const uint8_t* message, size_t size) {
  return send(fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(size);
}

size_t message_size(const uint8_t* stream, size_t have) {
  if (have < 2) return 0;
  size_t size = static_cast<size_t>(stream[0] << 8 | stream[1]) + 2;
  return have >= size ? size : 0;
}

bool send_reply(DnsStream& stream, uint8_t* reply, ssize_t size) {
  reply[0] = static_cast<uint8_t>(size >> 8);
  reply[1] = static_cast<uint8_t>(size);
  return send_message(stream.fd, reply, static_cast<size_t>(size) + 2);
}

void question_done(DnsStream& stream) {
  size_t size = message_size(stream.in, stream.in_size);
  memmove(stream.in, stream.in + size, stream.in_size - size);
  stream.in_size -= size;
  free(stream.out);
  stream.out = nullptr;
  stream.out_size = 0;
  stream.upstream = 0;
  if (stream.up >= 0) close(stream.up);
  stream.up = -1;
}

bool connect_upstream(Resolver& r, DnsStream& stream) {
  if (stream.up >= 0) close(stream.up);
  stream.up = -1;
  stream.sent = false;
  stream.out_size = 0;
  while (stream.upstream < r.upstream_count) {
    const Upstream& upstream = r.upstreams[stream.upstream++];
    stream.up = upstream_socket(r, upstream, SOCK_STREAM);
    if (stream.up >= 0 &&
        (connect(stream.up, reinterpret_cast<const struct sockaddr*>(&upstream.address), upstream.size) == 0 ||
         errno == EINPROGRESS) &&
        watch(r, stream.up, EPOLLOUT, &stream))
      return true;
    if (stream.up >= 0) close(stream.up);
    stream.up = -1;
  }
  return false;
}

bool fail_question(DnsStream& stream) {
  uint8_t reply[dns::kHeader + dns::kMaxName + 64];
  ssize_t n = failure_reply(stream.in + 2, message_size(stream.in, stream.in_size) - 2, reply + 2);
  if (n <= 0 || !send_reply(stream, reply, n)) return false;
  question_done(stream);
  return true;
}

// Answers the complete questions in `in`, until one has to be passed on.
bool answer_stream(Resolver& r, DnsStream& stream) {
  static uint8_t reply[kMaxMessage];
  for (;;) {
    size_t size = message_size(stream.in, stream.in_size);
    if (size == 0) return true;
    ssize_t n = answer(r, stream.in + 2, size - 2, reply + 2, sizeof reply - 2, true);
    if (n < 0) return false;
    if (n == 0) {
      if (!stream.out) stream.out = static_cast<uint8_t*>(malloc(kMaxMessage));
      if (!stream.out) return false;
      if (connect_upstream(r, stream)) return true;
      if (!fail_question(stream)) return false;
      continue;
    }
    if (!send_reply(stream, reply, n)) return false;
    question_done(stream);
  }
}

bool read_upstream(Resolver& r, DnsStream& stream) {
  if (!stream.sent) {
    size_t size = message_size(stream.in, stream.in_size);
    if (!send_message(stream.up, stream.in, size)) {
      if (errno == EAGAIN) return true;
      return connect_upstream(r, stream) || (fail_question(stream) && answer_stream(r, stream));
    }
    stream.sent = true;
    struct epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = &stream;
    epoll_ctl(r.epoll, EPOLL_CTL_MOD, stream.up, &event);
    return true;
  }
  ssize_t n = recv(stream.up, stream.out + stream.out_size, kMaxMessage - stream.out_size, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) return connect_upstream(r, stream) || (fail_question(stream) && answer_stream(r, stream));
  stream.out_size += static_cast<size_t>(n);
  size_t size = message_size(stream.out, stream.out_size);
  if (size == 0) return true;
  if (!send_message(stream.fd, stream.out, size)) return false;
  question_done(stream);
  return answer_stream(r, stream);
}

bool read_client(Resolver& r, DnsStream& stream) {
  if (stream.in_size == kMaxMessage) return false;
  ssize_t n = recv(stream.fd, stream.in + stream.in_size, kMaxMessage - stream.in_size, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) return false;
  stream.in_size += static_cast<size_t>(n);
  stream.until_ms = clock_ms() + kIdleMs;
  return stream.up >= 0 || answer_stream(r, stream);
}

void serve_stream(Resolver& r, DnsStream& stream) {
  if (stream.fd < 0) return;
  bool good = stream.up < 0 || read_upstream(r, stream);
  if (good) good = read_client(r, stream);
  if (!good) hang_up(stream);
}

void serve_timer(Resolver& r) {
  uint64_t ticks;
  if (read(r.timer, &ticks, sizeof ticks) < 0) return;
  int64_t now = clock_ms();
  bool waiting = false;
  for (PendingQuery& p : r.pending) {
    if (p.query && now >= p.until_ms) pass_on(r, p);
    waiting |= p.query != nullptr;
  }
  for (DnsStream& stream : r.streams) {
    if (stream.fd >= 0 && now >= stream.until_ms) hang_up(stream);
    waiting |= stream.fd >= 0;
  }
  if (!waiting) tick(r, false);
}

}  // namespace

int socket_in(int inside, int outside, int family, int type, int protocol) {
  if (setns(inside, CLONE_NEWNET) < 0) return -1;
  int fd = socket(family, type, protocol);
  int error = errno;
  // Staying there would be worse than anything: this process works for the host.
  if (setns(outside, CLONE_NEWNET) < 0) abort();
  errno = error;
  return fd;
}

bool resolver_open(Resolver& r, int inside, int outside, uint16_t port, Failure& f) {
  r.inside = inside;
  r.outside = outside;
  r.epoll = epoll_create1(EPOLL_CLOEXEC);
  r.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (r.epoll < 0 || r.timer < 0) return fail(f, errno, "epoll_create1", "resolver");
  struct sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0x7f00000b);
  // One number for both protocols, so that one place in a rule is enough.
  for (int attempt = 0;; attempt++) {
    Fd udp(socket_in(inside, outside, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    Fd tcp(socket_in(inside, outside, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!udp || !tcp) return fail(f, errno, "socket", "127.0.0.11");
    // The loopback device may still be down: the container's first process raises it at the same time.
    int on = 1;
    setsockopt(udp.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    setsockopt(tcp.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
    address.sin_port = htons(port);
    socklen_t size = sizeof address;
    if (bind(udp.get(), reinterpret_cast<struct sockaddr*>(&address), size) < 0 ||
        getsockname(udp.get(), reinterpret_cast<struct sockaddr*>(&address), &size) < 0)
      return fail(f, errno, "bind", "127.0.0.11");
    if (bind(tcp.get(), reinterpret_cast<struct sockaddr*>(&address), size) < 0) {
      if (errno == EADDRINUSE && !port && attempt < 16) continue;
      return fail(f, errno, "bind", "127.0.0.11");
    }
    if (listen(tcp.get(), 64) < 0) return fail(f, errno, "listen", "127.0.0.11");
    r.udp = udp.release();
    r.tcp = tcp.release();
    r.port = ntohs(address.sin_port);
    break;
  }
  return (watch(r, r.udp, EPOLLIN, &r.udp) && watch(r, r.tcp, EPOLLIN, &r.tcp) &&
          watch(r, r.timer, EPOLLIN, &r.timer)) ||
         fail(f, errno, "epoll_ctl", "resolver");
}

bool resolver_add_upstream(Resolver& r, const char* text, bool inside) {
  if (r.upstream_count == Resolver::kUpstreams) return true;
  Upstream& upstream = r.upstreams[r.upstream_count];
  memset(&upstream, 0, sizeof upstream);
  auto* v4 = reinterpret_cast<struct sockaddr_in*>(&upstream.address);
  auto* v6 = reinterpret_cast<struct sockaddr_in6*>(&upstream.address);
  upstream.inside = inside;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(53);
    upstream.size = sizeof *v4;
  } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(53);
    upstream.size = sizeof *v6;
  } else {
    return false;
  }
  r.upstream_count++;
  return true;
}

bool resolver_add_zone(Resolver& r, const char* directory, const char* suffix, bool forwards) {
  resolver_drop_zone(r, directory);
  if (r.zone_count == Resolver::kZones) return false;
  dns::Zone& zone = r.zones[r.zone_count];
  zone = {strdup(directory), strdup(suffix), forwards};
  if (!zone.directory || !zone.suffix) return false;
  r.zone_count++;
  return true;
}

void resolver_drop_zone(Resolver& r, const char* directory) {
  for (size_t i = 0; i < r.zone_count; i++) {
    if (strcmp(r.zones[i].directory, directory) != 0) continue;
    free(r.zones[i].directory);
    free(r.zones[i].suffix);
    memmove(r.zones + i, r.zones + i + 1, (r.zone_count - i - 1) * sizeof r.zones[0]);
    r.zone_count--;
    return;
  }
}

void resolver_serve(Resolver& r) {
  struct epoll_event events[32];
  int n = epoll_wait(r.epoll, events, 32, 0);
  for (int i = 0; i < n; i++) {
    void* who = events[i].data.ptr;
    if (who == &r.udp) {
      serve_udp(r);
    } else if (who == &r.tcp) {
      accept_streams(r);
    } else if (who == &r.timer) {
      serve_timer(r);
    } else if (who >= r.pending && who < r.pending + Resolver::kPending) {
      auto& p = *static_cast<PendingQuery*>(who);
      if (p.query) upstream_answer(r, p);
    } else {
      serve_stream(r, *static_cast<DnsStream*>(who));
    }
  }
}

void resolver_close(Resolver& r) {
  for (PendingQuery& p : r.pending) forget(p);
  for (DnsStream& stream : r.streams) hang_up(stream);
  for (int* fd : {&r.udp, &r.tcp, &r.timer, &r.epoll}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

}  // namespace jubako
