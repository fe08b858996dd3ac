/* Functions that have no frame, functions that are put into others twice, lines whose code lies in several places. */
#include <stdio.h>

volatile int sink;

static inline __attribute__((always_inline)) int scaled(int value) {
    int result = value * 3;
    sink = result;
    return result + 1;
}

__attribute__((noinline)) int leaf(int a, int b) {
    int sum = a + b;
    if (sum > 10)
        sum -= 10;
    return sum;
}

__attribute__((noinline)) int total(const int *values, int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += scaled(values[i]);
    return sum;
}

__attribute__((noinline)) int framed(int depth) {
    char text[64];
    snprintf(text, sizeof text, "%d", depth);
    sink = text[0];
    return leaf(depth, text[0]);
}

int main(int argc, char **argv) {
    int values[] = {argc, argc + 1, argc + 2};
    int first = scaled(argc);
    int second = scaled(first);
    int all = total(values, 3);
    printf("%d %d %d %d\n", first, second, all, leaf(first, second) + framed(argc));
    return 0;
}
