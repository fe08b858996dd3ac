/* Dies in the C library's own code, by what its argument says: frees a block twice, or writes behind an array. */
#include <stdlib.h>
#include <string.h>

static void twice(char *block) {
    free(block);
    free(block);
}

static void smash(const char *text) {
    char few[8];
    strcpy(few, text);
}

int main(int argc, char **argv) {
    if (argc > 1 && argv[1][0] == 't') twice(malloc(10));
    smash("past them!");
    return 0;
}
