/* Makes a disk slow: each sync takes as many microseconds longer as the file SLOW_SYNC says. See fleet_troubles.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int later(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    const char *path = getenv("SLOW_SYNC");
    FILE *file = path ? fopen(path, "r") : NULL;
    unsigned long us = 0;
    if (file) {
        if (fscanf(file, "%lu", &us) != 1) us = 0;
        fclose(file);
    }
    while (us) {
        unsigned long part = us < 500000 ? us : 500000;
        usleep(part);
        us -= part;
    }
    return result;
}

int fsync(int fd) { return later("fsync", fd); }
int fdatasync(int fd) { return later("fdatasync", fd); }
