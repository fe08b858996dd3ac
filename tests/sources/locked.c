/* Two threads that each have what the other wants. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t forks[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };
__thread int before, own;
static void take(int first) {
    own = errno = first + 40;
    pthread_mutex_lock(&forks[first]);
    usleep(1000);
    pthread_mutex_lock(&forks[1 - first]);
}
static void *other(void *unused) {
    take(1);
    return unused;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, other, 0);
    take(0);
    return 0;
}
