/*
 * For LD_PRELOAD: copies each file that the process syncs to the directory CLAUDE_NET_SYNCED, under its name, as it was when its last sync
 * began. The copies are what a loss of power certainly preserves. Each sync takes CLAUDE_NET_SYNC_US microseconds longer, that of the
 * database 20 times as long, so that a process that is killed has often written data that is not synced.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* Copies the store's file behind `fd` to `fresh`; `copy` is the name that it gets once it is synced. Returns the factor by which its sync
 * takes longer, 0 for any other file. */
static int keep(int fd, char *copy, char *fresh) {
  const char *synced = getenv("CLAUDE_NET_SYNCED");
  char link[64], path[4096];
  struct stat info;
  if (!synced || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  const char *name = strrchr(path, '/') + 1;
  if (strcmp(name, "hub.db") != 0 && strcmp(name, "hub.db-wal") != 0) return 0;
  snprintf(copy, 4200, "%s/%s", synced, name);
  snprintf(fresh, 4300, "%s.%d", copy, gettid());
  int in = open(path, O_RDONLY), out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in < 0 || out < 0) abort();
  for (off_t left = info.st_size; left > 0;) {
    ssize_t sent = sendfile(out, in, NULL, left);
    if (sent <= 0) abort();
    left -= sent;
  }
  close(in);
  close(out);
  return strcmp(name, "hub.db") == 0 ? 20 : 1;
}

static int synced(const char *call, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
  char copy[4200], fresh[4300];
  int times = keep(fd, copy, fresh);
  const char *us = getenv("CLAUDE_NET_SYNC_US");
  if (us) usleep(times * atoi(us));
  int result = real(fd);
  if (times && result == 0) rename(fresh, copy);
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
