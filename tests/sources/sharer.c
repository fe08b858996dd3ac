// Shared memory that lies in swap space while a child takes more private memory than there is: `sharer SHARED PRIVATE`, in pages.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static unsigned char *take(long pages, int how) {
    unsigned char *memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) exit(2);
    for (long page = 0; page < pages; page++) memory[page * PAGE] = 1 + page % 255;
    return memory;
}

int main(int argc, char **argv) {
    long shared = atol(argv[1]), private = atol(argv[2]);
    unsigned char *memory = take(shared, MAP_SHARED);
    if (fork() == 0) {
        take(private, MAP_PRIVATE);
        _exit(0);
    }
    int status;
    wait(&status);
    for (long page = 0; page < shared; page++)
        if (memory[page * PAGE] != 1 + page % 255) return 1;
    printf("the child: %s; the shared pages are as they were\n", WIFSIGNALED(status) ? "killed" : "done");
    return 0;
}
