/* Recurses without an end, or calls abort() in a signal's handler some calls deep (`abort`), or sends itself SIGTERM (`term`). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int depth;

static int down(int n) {
    volatile char room[1000];
    room[0] = (char)n;
    depth++;
    return down(n + 1) + room[0];
}

static void handler(int number) {
    (void)number;
    abort();
}

static void raise_it(void) {
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    puts("never");
}

int main(int argc, char **argv) {
    if (argc > 1 && argv[1][0] == 't')
        raise(SIGTERM);
    if (argc > 1)
        raise_it();
    printf("%d\n", down(0));
    return 0;
}
