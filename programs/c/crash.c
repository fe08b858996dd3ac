/* Dies of a null pointer: `folio ./crash` says where, `folio debug` shows the instruction and the page table.
 *
 *   riscv64-linux-gnu-gcc -g -static -o crash crash.c
 */
#include <stdio.h>

struct list {
    int value;
    struct list *next;
};

/* Forgets to ask whether there is a list. */
static int sum(const struct list *list) {
    int total = 0;
    do {
        total += list->value;
        list = list->next;
    } while (list);
    return total;
}

int main(void) {
    struct list two = {2, NULL}, one = {1, &two};
    printf("1 + 2 = %d\n", sum(&one));
    fflush(stdout);
    printf("nothing = %d\n", sum(NULL));
    return 0;
}
