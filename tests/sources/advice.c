// What a program says of pages to come: `advice HOW` uses 64 pages of the file `data`, or of its own memory, and says how before.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, BYTES = PAGES * PAGE };

static int is(const char *how, const char *name) { return strcmp(how, name) == 0; }

static long sum_of(const volatile unsigned char *bytes) {
    long sum = 0;
    for (int page = 0; page < PAGES; page++) sum += bytes[page * PAGE + page];
    return sum;
}

static long sum_read(int file) {
    static unsigned char bytes[BYTES];
    return pread(file, bytes, BYTES, 0) == BYTES ? sum_of(bytes) : -1;
}

static void use_file(const char *how) {
    int file = open("data", O_RDONLY);
    if (is(how, "mapped") || is(how, "mapped-willneed")) {
        void *at = mmap(0, BYTES, PROT_READ, MAP_PRIVATE, file, 0);
        if (is(how, "mapped-willneed")) madvise(at, BYTES, MADV_WILLNEED);
        usleep(100000);
        printf("%ld\n", sum_of(at));
        return;
    }
    if (is(how, "willneed")) posix_fadvise(file, 0, BYTES / 2, POSIX_FADV_WILLNEED);
    if (is(how, "readahead")) readahead(file, 0, 0x7fffffff);
    usleep(100000);
    printf("%ld\n", sum_read(file));
    if (is(how, "dontneed")) posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    printf("%ld\n", sum_read(file));
}

static void use_memory(const char *how) {
    unsigned char *at = mmap(0, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int page = 0; page < PAGES; page++) at[page * PAGE + page] = page + 1;
    if (is(how, "free-pageout")) madvise(at, BYTES, MADV_FREE);
    madvise(at, BYTES, MADV_PAGEOUT);
    usleep(100000);
    if (is(how, "pageout-willneed")) madvise(at, BYTES, MADV_WILLNEED);
    printf("%ld\n", sum_of(at));
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "";
    if (strstr(how, "pageout")) use_memory(how);
    else use_file(how);
}
