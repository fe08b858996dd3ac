/* A parent and a child that share a page until one of them writes to it.
 *
 *   riscv64-linux-gnu-gcc -g -static -o forks forks.c
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int counter = 1;

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        counter += 1; /* the page becomes the child's own */
        printf("child: counter is %d at %p\n", counter, (void *)&counter);
        return 0;
    }
    waitpid(child, NULL, 0);
    printf("parent: counter is %d at %p\n", counter, (void *)&counter);
    return 0;
}
