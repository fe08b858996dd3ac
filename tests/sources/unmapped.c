/* Writes to a page after the function `drop` has unmapped it. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static void drop(char *page) {
    munmap(page, 4096);
}

static void use(char *page) {
    page[1] = 'a';
}

int main(void) {
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page, "hi");
    puts(page);
    drop(page);
    use(page);
    return 0;
}
