// Processes that want more memory together than there is: `crowd CHILDREN PAGES ROUNDS [OWN]`. The parent fills OWN pages of its own and forks;
// each child stores a word into each of PAGES new pages in turn, ROUNDS times, and then looks whether all are as they should be.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / sizeof(long) };

static volatile long *map(long pages) {
    volatile long *memory = mmap(0, (pages + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) exit(2);
    return memory;
}

static int child(long number, long pages, long rounds) {
    volatile long *memory = map(pages);
    for (long round = 0; round < rounds; round++)
        for (long page = 0; page < pages; page++) memory[page * WORDS + page % WORDS] = number + page + round;
    for (long page = 0; page < pages; page++)
        if (memory[page * WORDS + page % WORDS] != number + page + rounds - 1) return 1;
    return 0;
}

int main(int argc, char **argv) {
    long children = atol(argv[1]), pages = atol(argv[2]), rounds = atol(argv[3]), own = argc > 4 ? atol(argv[4]) : 0;
    volatile long *memory = map(own);
    for (long page = 0; page < own; page++) memory[page * WORDS] = page + 1;
    for (long number = 1; number <= children; number++)
        if (fork() == 0) _exit(child(number, pages, rounds));
    long right = 0;
    for (int status; wait(&status) > 0;) right += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    for (long page = 0; page < own; page++)
        if (memory[page * WORDS] != page + 1) return 1;
    printf("%ld of %ld are right\n", right, children);
    return right != children;
}
