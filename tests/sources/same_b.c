static __attribute__((noinline)) int helper(int value) {
    volatile int difference = value;
    difference -= 1;
    return difference;
}

int other(int value) {
    return helper(value);
}
