// Threads that sleep, wake and take turns in few pages of their own: `lent THREADS ROUNDS`.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t turns;
static long rounds, sum;

static void *work(void *unused) {
    for (long round = 0; round < rounds; round++) {
        sem_wait(&turns);
        pthread_mutex_lock(&mutex);
        sum++;
        pthread_mutex_unlock(&mutex);
        sem_post(&turns);
    }
    return unused;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 1;
    pthread_t threads[32];
    rounds = argc > 2 ? atol(argv[2]) : 1;
    sem_init(&turns, 0, 1);
    for (long i = 0; i < count; i++) pthread_create(&threads[i], 0, work, 0);
    for (long i = 0; i < count; i++) pthread_join(threads[i], 0);
    printf("%ld\n", sum);
}
