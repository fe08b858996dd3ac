/* Reads a block that has been given back: it is so large that `free` unmaps it. */
#include <stdio.h>
#include <stdlib.h>

struct block {
    int count;
    char text[1 << 20];
};

static struct block *make(void) {
    struct block *block = malloc(sizeof *block);
    block->count = 3;
    return block;
}

static void drop(struct block *block) {
    free(block);
}

static int use(struct block *block) {
    return block->count;
}

int main(void) {
    struct block *block = make();
    drop(block);
    printf("%d\n", use(block));
    return 0;
}
