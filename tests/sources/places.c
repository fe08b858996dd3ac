// Where its parts lie: the program, the heap, a mapping, the stack. `places again` executes itself without randomisation; `places settings N` sets
// kernel.randomize_va_space first.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "again")) {
        personality(ADDR_NO_RANDOMIZE);
        return execl("/proc/self/exe", argv[0], (char *)0);
    }
    if (argc > 2 && !strcmp(argv[1], "settings")) {
        int fd = open("/proc/sys/kernel/randomize_va_space", O_WRONLY);
        if (fd < 0 || write(fd, argv[2], 1) != 1) return 1;
        return execl("/proc/self/exe", argv[0], (char *)0);
    }
    void *mapped = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%p %p %p %p\n", (void *)main, sbrk(0), mapped, (void *)&argc);
    return 0;
}
