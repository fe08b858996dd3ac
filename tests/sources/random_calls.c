/* random_calls SEED CALLS: so many system calls at random, by children that die of it or come to their end: every number of the table and some
 * beyond, with descriptors, sizes, paths, addresses inside and outside of memory, and structures that hold the same. Two thirds of the
 * children are an ordinary user's. One that waits longer than five seconds is killed. Used by tests/random_calls.rs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TABLE = 470, PAGE = 4096, BUFFERS = 4, CALLS_OF_A_CHILD = 2000 };

static uint64_t state;
static uint64_t rnd(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1dULL >> 16;
}
static uint64_t below(uint64_t n) { return rnd() % n; }

static volatile uint64_t *counter;
static char *buffers;
static const char *const paths[] = {
    "/tmp/a", "/tmp/b", "/tmp", "/", ".", "..", "/dev/null", "/dev/zero", "/dev/tty", "/dev/ptmx", "/proc/self/maps", "/proc/self/mem",
    "/proc/self/fd/5", "/proc/self/exe", "/proc/sys/kernel/shmmax", "/tmp/a/b", "", "tmp/../tmp/a", "/proc/1/status", "/dev/shm/s",
};

/* A place of which there are so many bytes before the memory ends. */
static uint64_t at_end(uint64_t bytes) { return (uint64_t)buffers + (2 * below(BUFFERS) + 1) * PAGE - bytes; }
static uint64_t place(void) { return (uint64_t)buffers + 2 * below(BUFFERS) * PAGE + (below(4) ? below(64) * 8 : below(PAGE)); }

static uint64_t argument(void) {
    switch (below(16)) {
    case 0: return 0;
    case 1: case 2: case 3: return below(24);
    case 4: return 1ULL << below(64);
    case 5: return (1ULL << below(64)) - 1;
    case 6: return -below(200);
    case 7: return rnd() << 16 ^ rnd();
    case 8: case 9: case 10: return place();
    case 11: return at_end(below(65));
    case 12: return (uint64_t)paths[below(sizeof paths / sizeof *paths)];
    case 13: return below(4) ? below(1 << 16) : 0x3ffffff000 + below(3) * 0x1000 - 8;
    case 14: return below(64) * PAGE;
    default: return below(2) ? (uint64_t)getpid() : (uint64_t)rnd() & (1ULL << below(33)) - 1;
    }
}
/* Numbers, addresses and small structures where calls look for them. */
static void fill(void) {
    uint64_t *words = (uint64_t *)(buffers + 2 * below(BUFFERS) * PAGE);
    for (int i = 0; i < 8; i++) words[below(PAGE / 8)] = argument();
}

/* What would only stop the child, or reach the one who started it. */
static int is_left_out(long number, int is_root) {
    switch (number) {
    case SYS_exit: case SYS_exit_group: case SYS_reboot: return 1;
    case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: case SYS_pidfd_send_signal:
    case SYS_prlimit64: case SYS_process_vm_writev: case SYS_process_madvise: case SYS_ptrace: return is_root;
    case SYS_rt_sigreturn: return below(50) != 0;
    default: return 0;
    }
}

static void child(int is_root) {
    int null = open("/dev/null", O_RDWR), ends[2];
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) _exit(1);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    eventfd(3, EFD_NONBLOCK);
    epoll_create1(0);
    socket(AF_INET, SOCK_STREAM, 0);
    open("/tmp/a", O_RDWR | O_CREAT, 0666);
    open("/tmp", O_RDONLY | O_DIRECTORY);
    open("/proc/self/maps", O_RDONLY);
    syscall(SYS_memfd_create, "m", 3);
    if (!is_root && setresuid(1000, 1000, 1000)) _exit(1);
    for (int i = 0; i < CALLS_OF_A_CHILD; i++) {
        long number = below(TABLE);
        if (is_left_out(number, is_root)) continue;
        if (below(4) == 0) fill();
        uint64_t arguments[6];
        for (int a = 0; a < 6; a++) arguments[a] = argument();
        if (number == SYS_clone) arguments[0] &= below(2) ? 0xffULL : ~0ULL;
        ++*counter;
        pid_t before = getpid();
        syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
        if (syscall(SYS_getpid) != before) syscall(SYS_exit_group, 0);
    }
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    uint64_t wanted = strtoull(argv[2], 0, 0);
    state = strtoull(argv[1], 0, 0) * 0x9e3779b97f4a7c15ULL + 1;
    counter = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* Each other page is no memory. */
    buffers = mmap(0, 2 * BUFFERS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < BUFFERS; i++) munmap(buffers + (2 * i + 1) * PAGE, PAGE);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, 0);
    long children = 0, killed = 0;
    while (*counter < wanted) {
        uint64_t seed = rnd();
        int is_root = children++ % 3 == 0;
        pid_t pid = fork();
        if (pid < 0) { perror("fork"); return 3; }
        if (pid == 0) { state = seed | 1; child(is_root); }
        int status = 0, ended = 0;
        for (int waits = 0; !ended; waits++) {
            struct timespec second = {1, 0};
            pid_t who;
            sigtimedwait(&set, 0, &second);
            while ((who = waitpid(-1, &status, WNOHANG)) > 0)
                if (who == pid) { ended = 1; killed += WIFSIGNALED(status); }
            if (!ended && waits > 4) kill(pid, SIGKILL);
        }
        /* What it has left behind. */
        kill(-1, SIGKILL);
        while (waitpid(-1, &status, 0) > 0) {}
    }
    printf("%llu calls by %ld children, %ld of them killed\n", (unsigned long long)*counter, children, killed);
    return 0;
}
