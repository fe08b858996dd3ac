/* Dies with most of its stack in swap space, if it has 300 frames. */
#include <stdlib.h>

enum { PAGE = 4096, PAGES = 1000 };

static __attribute__((noinline)) void crash(int *nowhere) {
    *nowhere = 1;
}

static __attribute__((noinline)) int outer(int depth) {
    volatile char room[3 * PAGE];
    room[0] = (char)depth;
    if (depth > 0)
        return outer(depth - 1) + room[0];
    char *memory = malloc(PAGES * PAGE);
    for (int round = 0; round < 3; round++)
        for (int page = 0; page < PAGES; page++)
            memory[page * PAGE] = 1;
    crash(NULL);
    return memory[PAGE] + room[0];
}

int main(void) {
    return outer(20);
}
