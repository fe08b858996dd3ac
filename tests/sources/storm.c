// Processes that do at random what needs memory in every way, all at once: `storm SEED PROCESSES STEPS PAGES`. Each knows what its pages hold, and
// compares. Says how many have ended well, by a signal, and with a wrong byte.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, SHARED_PAGES = 8, FILE_PAGES = 24, FILLED = 7, THREADS = 2, THREAD_PAGES = 10, WRONG = 9 };

struct Kid {
    unsigned long random;
    int pages;
    unsigned char *memory, *expected; // a byte in each page, and what it should be
    unsigned char *shared;
    int file, common; // of its own, and of all
};

static unsigned draw(struct Kid *kid, unsigned below) {
    kid->random = kid->random * 6364136223846793005UL + 1442695040888963407UL;
    return (kid->random >> 33) % below;
}

static unsigned char *map(long pages, int protection, int how) {
    void *memory = mmap(0, pages * PAGE, protection, how | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? 0 : memory;
}

static unsigned char *byte_of(struct Kid *kid, unsigned page) { return kid->memory + page * PAGE + 7; }

static void compare(struct Kid *kid, unsigned page) {
    if (*byte_of(kid, page) == kid->expected[page]) return;
    dprintf(2, "page %u holds %d and not %d\n", page, *byte_of(kid, page), kid->expected[page]);
    _exit(WRONG);
}

static void compare_all(struct Kid *kid) {
    for (int page = 0; page < kid->pages; page++) compare(kid, page);
}

static void *touch_all(void *memory) {
    volatile char *bytes = memory;
    for (int i = 0; i < 4 * THREAD_PAGES; i++) bytes[(i % THREAD_PAGES) * PAGE + 100]++;
    return 0;
}

static void run_threads(void) {
    unsigned char *memory = map(THREAD_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (!memory) return;
    pthread_t threads[THREADS];
    int made = 0;
    while (made < THREADS && pthread_create(&threads[made], 0, touch_all, memory) == 0) made++;
    while (made > 0) pthread_join(threads[--made], 0);
    munmap(memory, THREAD_PAGES * PAGE);
}

// A child that looks at all it has got, stores, is stopped for a while, and killed at some time, if it has not ended.
static void fork_and_kill(struct Kid *kid, unsigned page) {
    int waits = draw(kid, 2), stops = draw(kid, 2), microseconds = draw(kid, 200), status;
    pid_t child = fork();
    if (child == 0) {
        compare_all(kid);
        *byte_of(kid, page) = 99;
        if (waits) pause();
        _exit(0);
    }
    if (child < 0) return;
    usleep(microseconds);
    if (stops) {
        kill(child, SIGSTOP);
        usleep(microseconds);
        kill(child, SIGCONT);
        usleep(microseconds);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == WRONG) _exit(WRONG);
}

static void move_all(struct Kid *kid) {
    long bytes = (long)kid->pages * PAGE;
    unsigned char *to = map(kid->pages, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
    if (!to) return;
    void *moved = mremap(kid->memory, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (moved == MAP_FAILED) munmap(to, bytes);
    else kid->memory = moved;
}

static void write_and_read_file(struct Kid *kid, unsigned page, int step) {
    unsigned char bytes[64], read[64];
    if (kid->file < 0) kid->file = memfd_create("storm", 0);
    memset(bytes, step, sizeof bytes);
    if (pwrite(kid->file, bytes, sizeof bytes, (long)page * PAGE) != sizeof bytes) return;
    if (pread(kid->file, read, sizeof read, (long)page * PAGE) == sizeof read && memcmp(bytes, read, sizeof read)) _exit(WRONG);
}

// All read, write, cut and punch one file, of which each byte is always FILLED or 0.
static void use_common_file(struct Kid *kid) {
    unsigned char bytes[2 * PAGE];
    long at = (long)draw(kid, FILE_PAGES) * PAGE, count;
    switch (draw(kid, 6)) {
    case 0: ftruncate(kid->common, at); ftruncate(kid->common, (long)FILE_PAGES * PAGE); break;
    case 1: fallocate(kid->common, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at + 100, 3 * PAGE); break;
    case 2: memset(bytes, FILLED, sizeof bytes); pwrite(kid->common, bytes, sizeof bytes, at); break;
    default:
        count = pread(kid->common, bytes, sizeof bytes, at);
        for (long i = 0; i < count; i++) if (bytes[i] != FILLED && bytes[i]) _exit(WRONG);
    }
}

// Says of some pages what is to become of them. What was given up may be zeros, until it is stored to.
static void advise(struct Kid *kid, unsigned page, int step) {
    static const int advices[] = {MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED};
    unsigned char *at = kid->memory + page * PAGE;
    long bytes = (1 + draw(kid, kid->pages - page)) * (long)PAGE;
    if (draw(kid, 2)) {
        madvise(at, bytes, advices[draw(kid, 3)]);
    } else if (madvise(at, PAGE, MADV_FREE) == 0) {
        if (draw(kid, 2)) usleep(draw(kid, 400));
        if (draw(kid, 2)) madvise(at, PAGE, MADV_PAGEOUT);
        if (*byte_of(kid, page) && *byte_of(kid, page) != kid->expected[page]) _exit(WRONG);
        *byte_of(kid, page) = kid->expected[page] = step;
    }
}

static void pass_through_pipe(struct Kid *kid, unsigned page) {
    int ends[2];
    unsigned char bytes[100];
    if (pipe(ends)) return;
    if (write(ends[1], kid->memory + page * PAGE, sizeof bytes) == sizeof bytes && read(ends[0], bytes, sizeof bytes) == sizeof bytes
        && bytes[7] != kid->expected[page])
        _exit(WRONG);
    close(ends[0]);
    close(ends[1]);
}

static void run(struct Kid *kid, int steps) {
    kid->memory = map(kid->pages, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    kid->expected = calloc(kid->pages, 1);
    if (!kid->memory || !kid->expected) _exit(0);
    for (int step = 1; step <= steps; step++) {
        unsigned what = draw(kid, 17), page = draw(kid, kid->pages);
        unsigned char *whole = kid->memory + page * PAGE;
        switch (what) {
        case 0: case 1: case 2: case 3: *byte_of(kid, page) = kid->expected[page] = step; break;
        case 4: compare(kid, page); break;
        case 5: case 12: use_common_file(kid); break;
        case 6: if (madvise(whole, PAGE, MADV_DONTNEED) == 0) kid->expected[page] = 0; break;
        case 7: kid->shared[page % SHARED_PAGES * PAGE + step % PAGE]++; break;
        case 8: if (mlock(whole, PAGE) == 0 && draw(kid, 2)) munlock(whole, PAGE); break;
        case 9: munlock(kid->memory, (long)kid->pages * PAGE); break;
        case 10: fork_and_kill(kid, page); break;
        case 11: write_and_read_file(kid, page, step); break;
        case 13: run_threads(); break;
        case 14: move_all(kid); break;
        case 15: pass_through_pipe(kid, page); break;
        case 16: advise(kid, page, step); break;
        }
    }
    compare_all(kid);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    long seed = atol(argv[1]), processes = atol(argv[2]), steps = atol(argv[3]), pages = atol(argv[4]);
    unsigned char *shared = map(SHARED_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED);
    int common = memfd_create("common", 0);
    ftruncate(common, (long)FILE_PAGES * PAGE);
    for (long number = 0; number < processes; number++) {
        struct Kid kid = {.random = seed * 7919 + number * 104729 + 13, .pages = pages, .shared = shared, .file = -1, .common = common};
        if (fork() == 0) run(&kid, steps);
    }
    int well = 0, killed = 0, wrong = 0;
    for (int status; wait(&status) > 0;) {
        if (WIFSIGNALED(status)) killed++;
        else if (WEXITSTATUS(status)) wrong++;
        else well++;
    }
    printf("%d well, %d killed, %d wrong\n", well, killed, wrong);
    return wrong > 0;
}
