// Children that take memory and keep it: `greedy PAGES...`, one child for each number. Every child goes over its pages again and again,
// ROUNDS times after all have them, and checks what it finds. The parent tells how each has ended, in their order.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, ROUNDS = 20, MOST = 64 };

static int keep(long pages) {
    volatile unsigned char *memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 2;
    for (int round = 0; round < ROUNDS; round++)
        for (long page = 0; page < pages; page++) {
            volatile unsigned char *byte = memory + page * PAGE + page % PAGE;
            if (*byte != (unsigned char)(round ? round + page : 0)) return 1;
            *byte = round + 1 + page;
        }
    return 0;
}

int main(int argc, char **argv) {
    pid_t children[MOST];
    for (int i = 1; i < argc && i < MOST; i++)
        if ((children[i] = fork()) == 0) _exit(keep(atol(argv[i])));
    for (int i = 1; i < argc && i < MOST; i++) {
        int status;
        waitpid(children[i], &status, 0);
        if (WIFSIGNALED(status)) printf("%s pages: signal %d\n", argv[i], WTERMSIG(status));
        else printf("%s pages: status %d\n", argv[i], WEXITSTATUS(status));
    }
    return 0;
}
