/* Prints the first line of a file.
 *
 *   riscv64-linux-gnu-gcc -g -static -o reads reads.c
 */
#include <stdio.h>

int main(int argc, char **argv) {
    char line[200];
    FILE *file = argc > 1 ? fopen(argv[1], "r") : stdin;
    if (!file) {
        perror(argv[1]);
        return 1;
    }
    if (fgets(line, sizeof line, file))
        printf("%s", line);
    return 0;
}
