/* Ends by a signal that it sends itself, SIGKILL if there is an argument, and before that has a child that its parent ends. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void give_up(int signal) {
    raise(signal);
}

int main(int argc, char **argv) {
    pid_t child = fork();
    if (child == 0)
        for (;;) pause();
    kill(child, SIGTERM);
    waitpid(child, 0, 0);
    give_up(argc > 1 ? SIGKILL : SIGTERM);
    return argv == 0;
}
