/* Variables that each thread and each process has of its own. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

_Thread_local int mine = 5;
int shared;

static void *work(void *arg) {
    mine = *(int *)arg;
    shared += mine;
    return &mine; /* a thread's own */
}

static inline __attribute__((always_inline)) int inner(int a) {
    int deep = a + shared;
    shared = deep;
    return deep * 2; /* in the inner function */
}

static inline __attribute__((always_inline)) int middle(int b) {
    int mid = b * 3;
    int result = inner(mid);
    return result + mid;
}

__attribute__((noinline)) static int outer(int c) {
    int out = c + 1;
    return middle(out) + out;
}

int main(void) {
    pthread_t thread;
    int seven = 7, n = 3;
    mine = 6;
    pthread_create(&thread, 0, work, &seven);
    pthread_join(thread, 0);
    if (fork() == 0) {
        n = 4;
        shared = 50;
        return n; /* a process's own */
    }
    wait(0);
    return outer(n) > shared;
}
