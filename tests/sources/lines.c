/* Functions, an inlined one, a loop, globals of many types, locals: what a debugger tells by source lines. */
#include <stdio.h>
#include <string.h>

enum colour { RED, GREEN = 5 };
struct point {
    int x, y;
};
struct shape {
    const char *name;
    struct point corners[2];
    enum colour colour;
    unsigned flags : 3;
    int slope : 4;
};

int count = 7;
double ratio = 0.5;
char word[8] = "folio";
struct shape shape = {"box", {{1, 2}, {-3, 4}}, GREEN, 5, -7};
struct shape *pointer = &shape;

static inline __attribute__((always_inline)) int twice(int value) {
    return value + value;
}

__attribute__((noinline)) static int work(int rounds) {
    int sum = 0;
    for (int i = 0; i < rounds; i++) {
        sum += twice(i);
    }
    return sum;
}

__attribute__((noinline)) static int outer(int rounds) {
    int result = work(rounds);
    return result + 1;
}

int main(void) {
    int first = outer(3);
    count += first;
    printf("%d %zu\n", count, strlen(word));
    return 0;
}
