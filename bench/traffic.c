// Both ends of the network benchmark, one static program that runs on the host and in every engine's containers.
//   traffic serve PORT                        answers each request on each connection with 64 bytes
//   traffic load ADDRESS PORT COUNT MS        COUNT connections, one request at a time on each: requests per second
//   traffic ask NAME MS                       look-ups of NAME at the first server of /etc/resolv.conf, one at a time:
//                                             look-ups per second, median and 99th percentile in microseconds
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, EVENTS = 64, MAX_LOOKUPS = 1 << 20 };

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

static int no_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static struct sockaddr_in address_of(const char* text, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  if (inet_pton(AF_INET, text, &address.sin_addr) != 1) die(text);
  return address;
}

static _Noreturn void serve(int port) {
  struct sockaddr_in address = address_of("0.0.0.0", port);
  int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) < 0 || listen(listener, 256) < 0) die("listen");
  watch(epoll, listener);
  char buffer[SIZE];
  for (;;) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        watch(epoll, no_delay(accept(listener, NULL, NULL)));
      } else if (recv(fd, buffer, SIZE, 0) <= 0 || send(fd, buffer, SIZE, MSG_NOSIGNAL) != SIZE) {
        close(fd);
      }
    }
  }
}

static int load(const char* host, int port, int count, double milliseconds) {
  struct sockaddr_in address = address_of(host, port);
  int epoll = epoll_create1(0);
  char buffer[SIZE] = "GET / HTTP/1.1\r\n\r\n";
  for (int i = 0; i < count; i++) {
    int fd = no_delay(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(fd, (struct sockaddr*)&address, sizeof address) < 0) die("connect");
    watch(epoll, fd);
    if (send(fd, buffer, SIZE, MSG_NOSIGNAL) != SIZE) die("send");
  }
  double from = now_us(), until = from + milliseconds * 1e3, at = from;
  long answers = 0;
  while (at < until) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, 5000);
    if (n <= 0) die("no answer");
    for (int i = 0; i < n; i++) {
      if (recv(events[i].data.fd, buffer, SIZE, 0) != SIZE) die("recv");
      answers++;
      if (send(events[i].data.fd, buffer, SIZE, MSG_NOSIGNAL) != SIZE) die("send");
    }
    at = now_us();
  }
  printf("%.0f\n", (double)answers * 1e6 / (at - from));
  return 0;
}

static int compare(const void* a, const void* b) {
  float x = *(const float*)a, y = *(const float*)b;
  return (x > y) - (x < y);
}

static size_t question(const char* name, unsigned char* to) {
  static const unsigned char head[12] = {0, 0, 1, 0, 0, 1};
  size_t size = sizeof head;
  memcpy(to, head, sizeof head);
  for (const char* label = name; *label;) {
    size_t length = strcspn(label, ".");
    to[size++] = (unsigned char)length;
    memcpy(to + size, label, length);
    size += length;
    label += length + (label[length] == '.');
  }
  static const unsigned char end[5] = {0, 0, 1, 0, 1};
  memcpy(to + size, end, sizeof end);
  return size + sizeof end;
}

static int ask(const char* name, double milliseconds) {
  char line[256], server[64] = "";
  FILE* file = fopen("/etc/resolv.conf", "r");
  while (file && !*server && fgets(line, sizeof line, file)) sscanf(line, "nameserver %63s", server);
  if (!*server || strlen(name) > 200) die("resolv.conf");
  struct sockaddr_in address = address_of(server, 53);
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval patience = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) < 0) die("connect");
  unsigned char message[512], answer[512];
  size_t size = question(name, message);
  float* times = malloc(MAX_LOOKUPS * sizeof *times);
  size_t count = 0;
  double from = now_us(), until = from + milliseconds * 1e3, at = from;
  while (at < until && count < MAX_LOOKUPS) {
    message[0] = (unsigned char)(count >> 8);
    message[1] = (unsigned char)count;
    if (send(fd, message, size, 0) < 0) die("send");
    ssize_t n = recv(fd, answer, sizeof answer, 0);
    if (n < 12 || answer[7] == 0) {
      fprintf(stderr, "no address of %s\n", name);
      return 1;
    }
    double now = now_us();
    times[count++] = (float)(now - at);
    at = now;
  }
  qsort(times, count, sizeof *times, compare);
  printf("%.0f %.1f %.1f\n", (double)count * 1e6 / (at - from), times[count / 2], times[count * 99 / 100]);
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 3 && !strcmp(argv[1], "serve")) serve(atoi(argv[2]));
  if (argc == 6 && !strcmp(argv[1], "load")) return load(argv[2], atoi(argv[3]), atoi(argv[4]), atof(argv[5]));
  if (argc == 4 && !strcmp(argv[1], "ask")) return ask(argv[2], atof(argv[3]));
  return 2;
}
