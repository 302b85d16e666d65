/* For LD_PRELOAD: simulates a disk on which each fsync and fdatasync takes SLOW_FSYNC_US microseconds longer.
   gcc -shared -fPIC -O2 -o slow-fsync.so slow-fsync.c */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_first(void) {
  const char *text = getenv("SLOW_FSYNC_US");
  if (text) usleep((useconds_t)atoi(text));
}

int fsync(int file) {
  wait_first();
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  wait_first();
  return (int)syscall(SYS_fdatasync, file);
}
