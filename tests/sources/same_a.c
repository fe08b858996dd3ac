/* With same_b.c: two functions of one name, and one that the compiler puts into its callers. */
int other(int value);

static __attribute__((noinline)) int helper(int value) {
    volatile int sum = value;
    sum += 1;
    return sum;
}

static inline __attribute__((always_inline)) int twice(int value) {
    volatile int sum = value;
    sum += value;
    return sum;
}

static __attribute__((noinline)) int once_more(int value) {
    return helper(value) + 1;
}

int main(void) {
    int first = twice(3);
    int second = twice(first);
    return once_more(second) + other(second) != 25;
}
