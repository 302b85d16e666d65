/*
 * Keeps, beside the files of a process, what would be left of them if the power went: a copy of each file as it was when it was
 * last synced. For LD_PRELOAD; CLAUDE_NET_SYNCED is the directory of the copies, which take the names of the files.
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

static void keep(int fd) {
  const char *synced = getenv("CLAUDE_NET_SYNCED");
  char link[64], path[4096], copy[4200], fresh[4300];
  struct stat info;
  if (!synced || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return;
  path[length] = 0;
  const char *name = strrchr(path, '/') + 1;
  if (strncmp(name, "hub.db", 6) != 0) return;
  snprintf(copy, sizeof copy, "%s/%s", synced, name);
  snprintf(fresh, sizeof fresh, "%s.new", copy);
  int in = open(path, O_RDONLY), out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in < 0 || out < 0) abort();
  for (off_t left = info.st_size; left > 0;) {
    ssize_t sent = sendfile(out, in, NULL, left);
    if (sent <= 0) abort();
    left -= sent;
  }
  close(in);
  close(out);
  rename(fresh, copy);
}

static int synced(const char *call, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
  int result = real(fd);
  if (result == 0) keep(fd);
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
