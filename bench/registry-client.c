// A client of registries that costs next to nothing itself: a line in, nanoseconds out.
//   push PORT NAME FILE DIGEST CONNECTIONS    on each a blob as clients push it: POST, PATCH with all bytes, PUT
//   pull PORT NAME DIGEST SIZE CONNECTIONS    on each a blob, its bytes thrown away
//   manifests PORT NAME TAG CONNECTIONS N     N requests of a manifest, one at a time on each connection
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 1 << 14, BULK = 1 << 18, MOST = 64 };

typedef struct {
  int status;
  long length;
  /** Bytes of the body that came with the head. */
  long early;
  char location[2048];
} Answer;

static _Noreturn void die(const char* what) {
  perror(what);
  exit(1);
}

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) < 0) die("connect");
  return fd;
}

static void ask(int fd, const char* format, ...) {
  char text[HEAD];
  va_list words;
  va_start(words, format);
  int size = vsnprintf(text, sizeof text, format, words);
  va_end(words);
  if (size >= HEAD || send(fd, text, (size_t)size, MSG_NOSIGNAL) != size) die("send");
}

static Answer parse(char* text, long size, char* end) {
  Answer answer = {.early = size - (end + 4 - text)};
  *end = 0;
  answer.status = atoi(text + 9);
  for (char* line = strstr(text, "\r\n"); line; line = strstr(line, "\r\n")) {
    line += 2;
    if (!strncasecmp(line, "content-length:", 15)) answer.length = atol(line + 15);
    if (!strncasecmp(line, "location:", 9)) sscanf(line + 9, " %2047[^\r]", answer.location);
  }
  return answer;
}

static Answer answer_of(int fd) {
  char text[HEAD + 1];
  for (long size = 0; size < HEAD;) {
    ssize_t n = recv(fd, text + size, (size_t)(HEAD - size), 0);
    if (n <= 0) die("no answer");
    size += n;
    text[size] = 0;
    char* end = strstr(text, "\r\n\r\n");
    if (end) return parse(text, size, end);
  }
  die("a head too long");
}

static void skip(int fd, long left) {
  static char bulk[BULK];
  while (left > 0) {
    ssize_t n = recv(fd, bulk, left < BULK ? (size_t)left : BULK, 0);
    if (n <= 0) die("the body broke off");
    left -= n;
  }
}

static Answer expect(int fd, int status, const char* what) {
  Answer answer = answer_of(fd);
  if (answer.status != status) {
    fprintf(stderr, "%s: status %d\n", what, answer.status);
    exit(1);
  }
  return answer;
}

/** The path of a location, which may be a whole URL. */
static const char* path_of(const char* location) {
  const char* host = strstr(location, "://");
  return host ? strchr(host + 3, '/') : location;
}

static void push(int port, const char* name, const char* file, const char* digest) {
  int from = open(file, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (from < 0 || fstat(from, &info) < 0) die(file);
  int fd = connect_to(port);
  ask(fd, "POST /v2/%s/blobs/uploads/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", name);
  Answer at = expect(fd, 202, "POST");
  skip(fd, at.length - at.early);
  ask(fd,
      "PATCH %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: %ld\r\n\r\n",
      path_of(at.location), (long)info.st_size);
  for (off_t sent = 0; sent < info.st_size;)
    if (sendfile(fd, from, &sent, (size_t)(info.st_size - sent)) <= 0) die("sendfile");
  at = expect(fd, 202, "PATCH");
  skip(fd, at.length - at.early);
  ask(fd, "PUT %s%cdigest=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", path_of(at.location),
      strchr(at.location, '?') ? '&' : '?', digest);
  at = expect(fd, 201, "PUT");
  skip(fd, at.length - at.early);
  close(fd);
  close(from);
}

static void pull(int port, const char* name, const char* digest, long size) {
  int fd = connect_to(port);
  ask(fd, "GET /v2/%s/blobs/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", name, digest);
  Answer answer = expect(fd, 200, "GET");
  if (answer.length != size) die("another size");
  skip(fd, answer.length - answer.early);
  close(fd);
}

static void manifests(int port, const char* name, const char* tag, int connections, int count) {
  char question[HEAD / 2];
  snprintf(question, sizeof question,
           "GET /v2/%s/manifests/%s HTTP/1.1\r\nHost: localhost\r\n"
           "Accept: application/vnd.oci.image.manifest.v1+json\r\n\r\n",
           name, tag);
  int epoll = epoll_create1(EPOLL_CLOEXEC), fds[MOST], asked = 0, answered = 0;
  for (; asked < connections; asked++) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[asked] = connect_to(port)};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[asked], &event);
    ask(fds[asked], "%s", question);
  }
  while (answered < count) {
    struct epoll_event events[MOST];
    int n = epoll_wait(epoll, events, MOST, 10000);
    if (n <= 0) die("no answer");
    for (int i = 0; i < n; i++) {
      Answer answer = expect(events[i].data.fd, 200, "GET");
      skip(events[i].data.fd, answer.length - answer.early);
      answered++;
      if (asked < count) ask(events[i].data.fd, "%s", question);
      if (asked < count) asked++;
    }
  }
  for (int i = 0; i < connections; i++) close(fds[i]);
  close(epoll);
}

typedef struct {
  int port;
  char name[256], word[2048], digest[256];
  long size;
} Transfer;

static void do_push(const Transfer* it) { push(it->port, it->name, it->word, it->digest); }
static void do_pull(const Transfer* it) { pull(it->port, it->name, it->digest, it->size); }

/** On several connections at the same time: a process for each, so that no one waits for another. */
static void at_once(int connections, void (*act)(const Transfer*), const Transfer* it) {
  if (connections == 1) {
    act(it);
    return;
  }
  for (int i = 0; i < connections; i++) {
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child > 0) continue;
    act(it);
    _exit(0);
  }
  for (int status; wait(&status) > 0;)
    if (status != 0) die("a connection");
}

int main(void) {
  char line[4096];
  Transfer it;
  int connections, count;
  while (fgets(line, sizeof line, stdin)) {
    long from = now_ns();
    if (sscanf(line, "push %d %255s %2047s %255s %d", &it.port, it.name, it.word, it.digest, &connections) == 5)
      at_once(connections, do_push, &it);
    else if (sscanf(line, "pull %d %255s %255s %ld %d", &it.port, it.name, it.digest, &it.size, &connections) == 5)
      at_once(connections, do_pull, &it);
    else if (sscanf(line, "manifests %d %255s %255s %d %d", &it.port, it.name, it.word, &connections, &count) == 5 &&
             connections <= MOST)
      manifests(it.port, it.name, it.word, connections, count);
    else
      die("what?");
    printf("%ld\n", now_ns() - from);
    fflush(stdout);
  }
  return 0;
}
