// The vDSO: its bytes in hexadecimal to standard output, and what its functions say to standard error.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long nanoseconds(struct timespec time) { return time.tv_sec * 1000000000LL + time.tv_nsec; }

static long long called(int clock) {
    struct timespec time;
    syscall(SYS_clock_gettime, clock, &time);
    return nanoseconds(time);
}

// Whether the library's clock, which asks the vDSO, says what the calls around it say.
static int agrees(int clock) {
    struct timespec time = {-1, -1};
    long long before = called(clock);
    if (clock_gettime(clock, &time) != 0 || time.tv_nsec < 0 || time.tv_nsec >= 1000000000) return 0;
    return before < nanoseconds(time) && nanoseconds(time) < called(clock);
}

static volatile int handled;
static void handler(int signal) { handled = signal; }

int main(void) {
    const unsigned char *page = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
    if (!page) return 1;
    for (int i = 0; i < 4096; i++) printf("%02x", page[i]);
    int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_TAI};
    for (int i = 0; i < 5; i++) fprintf(stderr, "clock %d: %d\n", clocks[i], agrees(clocks[i]));
    struct timespec time;
    errno = 0;
    int no_clock = clock_gettime(77, &time), why = errno;
    fprintf(stderr, "no clock: %d, %s\n", no_clock, strerror(why));
    fprintf(stderr, "of the process: %d\n", clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time));
    long long before = called(CLOCK_REALTIME);
    struct timeval day;
    gettimeofday(&day, 0);
    long long microseconds = day.tv_sec * 1000000LL + day.tv_usec;
    fprintf(stderr, "day: %d\n", before / 1000 <= microseconds && microseconds <= called(CLOCK_REALTIME) / 1000);
    struct timespec later = {day.tv_sec + 1000, 0};
    fprintf(stderr, "set: %d\n", clock_settime(CLOCK_REALTIME, &later));
    clock_gettime(CLOCK_REALTIME, &time);
    fprintf(stderr, "then: %ld\n", (long)(time.tv_sec - later.tv_sec));
    fprintf(stderr, "still: %d\n", agrees(CLOCK_REALTIME));
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    fprintf(stderr, "handled: %d\n", handled);
    return 0;
}
