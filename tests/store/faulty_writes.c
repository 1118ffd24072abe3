/* Preloaded into a process: counts its writes, syncs, renames and removals below a folder, and at a chosen one
   kills the process, tears the write, or reports a full or broken disk from then on.

   FAULT_FOLDER   only files below it count
   FAULT_AT       the number of the operation, from 1; 0 counts only
   FAULT_KIND     "kill" (before it is done), "torn" (half a write, then kill), "full" (ENOSPC for this write and
                  all later ones), "sync" (EIO for this fsync and all later ones)
   FAULT_COUNT    a file that gets the number of operations when the process ends */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long done;

static const char *folder(void) { return getenv("FAULT_FOLDER"); }

static int is_kind(const char *kind) {
  const char *asked = getenv("FAULT_KIND");
  return asked && strcmp(asked, kind) == 0;
}

static int below(const char *path) {
  return folder() && path && strncmp(path, folder(), strlen(folder())) == 0;
}

static int watched(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return 0;
  path[size] = 0;
  return below(path);
}

static long at(void) {
  const char *text = getenv("FAULT_AT");
  return text ? atol(text) : 0;
}

/* 0: go on; 1: this is the operation, or a later one of a disk that stays broken */
static int hit(int lasting) {
  long number = atomic_fetch_add(&done, 1) + 1;
  return at() && (lasting ? number >= at() : number == at());
}

static void end(void) { kill(getpid(), SIGKILL); }

__attribute__((destructor)) static void say(void) {
  const char *path = getenv("FAULT_COUNT");
  FILE *out = path && atomic_load(&done) ? fopen(path, "w") : NULL;
  if (out) {
    fprintf(out, "%ld\n", atomic_load(&done));
    fclose(out);
  }
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define WRITE(call, half) \
  if (watched(fd) && hit(is_kind("full"))) { \
    if (is_kind("full")) { errno = ENOSPC; return -1; } \
    if (is_kind("torn")) { half; } \
    if (is_kind("kill") || is_kind("torn")) end(); \
  } \
  return call

ssize_t write(int fd, const void *data, size_t size) {
  REAL(ssize_t, write, int, const void *, size_t);
  WRITE(real(fd, data, size), real(fd, data, size / 2));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
  WRITE(real(fd, data, size, offset), real(fd, data, size / 2, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  WRITE(real(fd, data, size, offset), real(fd, data, size / 2, offset));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, writev, int, const struct iovec *, int);
  WRITE(real(fd, parts, count), real(fd, parts, count / 2));
}

#define SYNC(call) \
  if (watched(fd) && hit(is_kind("sync"))) { \
    if (is_kind("sync")) { errno = EIO; return -1; } \
    if (is_kind("kill")) end(); \
  } \
  return call

int fsync(int fd) {
  REAL(int, fsync, int);
  SYNC(real(fd));
}

int fdatasync(int fd) {
  REAL(int, fdatasync, int);
  SYNC(real(fd));
}

int ftruncate64(int fd, off64_t size) {
  REAL(int, ftruncate64, int, off64_t);
  if (watched(fd) && hit(0) && is_kind("kill")) end();
  return real(fd, size);
}

int rename(const char *from, const char *to) {
  REAL(int, rename, const char *, const char *);
  if ((below(from) || below(to)) && hit(0) && is_kind("kill")) end();
  return real(from, to);
}

int unlink(const char *path) {
  REAL(int, unlink, const char *);
  if (below(path) && hit(0) && is_kind("kill")) end();
  return real(path);
}
