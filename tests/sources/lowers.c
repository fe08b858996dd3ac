// A process that lowers its own budget of pages far below what it has (RLIMIT_RSS, or by unlocking), beside one that has many pages and does
// nothing; and what `/proc/PID/mem` shows of that one's pages that are in memory.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, MANY = 2000, FEW = 40, IDLE = 500 };

static unsigned char *fill(long pages, int locks) {
    unsigned char *memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (locks && mlock(memory, pages * PAGE)) _exit(3);
    for (long page = 0; page < pages; page++) memory[page * PAGE] = page | 1;
    return memory;
}

static int is_whole(const unsigned char *memory, long pages) {
    for (long page = 0; page < pages; page++)
        if (memory[page * PAGE] != (unsigned char)(page | 1)) return 0;
    return 1;
}

static int lowers(int locks) {
    unsigned char *memory = fill(MANY, locks);
    struct rlimit few = {FEW * PAGE, FEW * PAGE};
    if (setrlimit(RLIMIT_RSS, &few)) return 2;
    if (locks && munlock(memory, MANY * PAGE)) return 3;
    return !is_whole(memory, MANY);
}

// How many pages that are there cannot be read, or are wrong.
static int unreadable(pid_t pid, const unsigned char *memory) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/mem", pid);
    int bytes = open(name, O_RDONLY), bad = 0, there = 0;
    snprintf(name, sizeof name, "/proc/%d/pagemap", pid);
    int map = open(name, O_RDONLY);
    for (long page = 0; page < IDLE; page++) {
        uint64_t entry = 0, at = (uintptr_t)memory + page * PAGE;
        unsigned char byte = 0;
        if (pread(map, &entry, 8, at / PAGE * 8) != 8) return -1;
        if (!(entry >> 63)) continue;
        there++;
        bad += pread(bytes, &byte, 1, at) != 1 || byte != (unsigned char)(page | 1);
    }
    return there ? bad : -2;
}

int main(void) {
    int ends[2], status;
    unsigned char *memory;
    pipe(ends);
    pid_t idle = fork();
    if (idle == 0) {
        memory = fill(IDLE, 0);
        write(ends[1], &memory, sizeof memory);
        pause();
        _exit(0);
    }
    read(ends[0], &memory, sizeof memory);
    for (int locks = 0; locks < 2; locks++) {
        if (fork() == 0) _exit(lowers(locks));
        if (wait(&status) == idle) return puts("the idle one has ended"), 1;
        printf("%s: %x\n", locks ? "unlocked" : "lowered", status);
    }
    printf("of the idle one, %d pages that are there cannot be read\n", unreadable(idle, memory));
    kill(idle, SIGKILL);
    return 0;
}
