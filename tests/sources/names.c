/* Pages of several kinds, by an argument: what the debugger calls their addresses. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct {
    long room[1024];
} table = {{1}};
int counter = 7;

static void handler(int number) {
    counter += number;
}

static __attribute__((noinline)) void drop(char *page) {
    munmap(page, 4096);
}

static __attribute__((noinline)) void touch(char *page) {
    page[0]++;
}

int main(int argc, char **argv) {
    int flags = MAP_ANONYMOUS | (argc > 2 ? MAP_SHARED : MAP_PRIVATE);
    switch (argc > 1 ? argv[1][0] : 'c') {
    case 'c':
        table.room[600] = 1;
        if (fork() == 0) {
            table.room[600] = 2;
            _exit(3);
        }
        wait(NULL);
        break;
    case 'm': {
        char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, flags, -1, 0);
        touch(page);
        drop(page);
        touch(page);
        break;
    }
    case 's':
        signal(SIGUSR1, handler);
        raise(SIGUSR1);
        break;
    case 'a':
        abort();
    }
    return 0;
}
