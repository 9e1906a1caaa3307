// Times commands with as little of its own as possible: each line on standard input is one command, its words separated
// by the unit separator (0x1f); the answer is one line with the exit status, the nanoseconds from posix_spawn to the
// reaped exit and the microseconds of CPU of the command and of what it waited for. The command's standard streams are
// /dev/null.
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

enum { MAX_WORDS = 256 };

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int split(char* line, char** words) {
  int count = 0;
  for (char* word = strtok(line, "\x1f"); word && count < MAX_WORDS - 1; word = strtok(NULL, "\x1f"))
    words[count++] = word;
  words[count] = NULL;
  return count;
}

int main(void) {
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
  char* line = NULL;
  size_t size = 0;
  for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
    char* words[MAX_WORDS];
    line[length - 1] = '\0';
    if (split(line, words) == 0) continue;
    pid_t pid;
    int status = 0;
    struct rusage used = {0};
    long start = now_ns();
    int error = posix_spawnp(&pid, words[0], &quiet, NULL, words, environ);
    if (error == 0) wait4(pid, &status, 0, &used);
    long end = now_ns();
    int code = error ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    long cpu = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    printf("%d %ld %ld\n", code, end - start, cpu);
    fflush(stdout);
  }
  free(line);
  return 0;
}
