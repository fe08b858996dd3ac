/* Arrays of many equal elements, of arrays and of structures, and a pointer to a row. */
#include <stdio.h>

struct node {
    int count;
    struct node *next;
};

int zeros[3000];
int mixed[64];
int few[10];
int grid[3][4];
struct node nodes[3];

static void fill(int (*rows)[4]) {
    mixed[20] = 5;
    mixed[40] = 7;
    rows[1][2] = 9;
    nodes[1].count = 4;
    nodes[1].next = nodes;
}

int main(void) {
    int *flat = &grid[0][0];
    fill(grid);
    puts("filled");
    return *flat;
}
