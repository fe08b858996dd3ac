/* Touches forty pages, and twenty of them again in a child. */
#include <sys/wait.h>
#include <unistd.h>

static char pages[40][4096] __attribute__((aligned(4096)));

static void fill(void) {
    for (int i = 0; i < 40; i++)
        pages[i][0] = 1;
}

static void rewrite(void) {
    for (int i = 0; i < 20; i++)
        pages[i][0] = 2;
}

int main(void) {
    fill();
    if (fork() == 0) {
        rewrite();
        _exit(0);
    }
    wait(0);
    return 0;
}
