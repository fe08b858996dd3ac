/* One of two threads stores through a null pointer while the other waits for it. */
#include <pthread.h>
#include <stdio.h>

static void *work(void *place) {
    *(int *)place = 1;
    return 0;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    pthread_join(thread, 0);
    puts("not come to");
    return 0;
}
