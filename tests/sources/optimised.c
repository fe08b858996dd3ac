/* Variables that an optimising compiler keeps in registers, passes on, splits or throws away. */
#include <stdio.h>

struct pair {
    int first;
    long second;
};

volatile int source = 7;
int total;

__attribute__((noipa)) void sink(int value) {
    total += value;
}

__attribute__((noinline)) static int middle(int seed) {
    int constant = 12;
    int unused = source;
    struct pair pair = {seed, (long)seed * seed};
    sink(seed * 6);
    sink(constant);
    return (int)pair.second + pair.first;
}

int main(void) {
    int seed = source;
    int result = middle(seed);
    printf("%d %d %d\n", seed, result, total);
    return 0;
}
