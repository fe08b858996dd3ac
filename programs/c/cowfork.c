/* Copy-on-write through the C library's fork: parent and child each see their own values.
 *
 * Look at: `faults.by_kind.cow_copy`. Of the 64 pages shared at fork, the child writes two; the parent, once the child is gone,
 * writes them all without a copy (`cow_reuse`). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64 };

static volatile unsigned char memory[PAGES * PAGE] __attribute__((aligned(4096)));

static unsigned sum(void)
{
	unsigned total = 0;
	for (int i = 0; i < PAGES; i++)
		total += memory[i * PAGE];
	return total;
}

int main(void)
{
	int status;

	for (int i = 0; i < PAGES; i++)
		memory[i * PAGE] = 1;
	fflush(stdout);
	pid_t child = fork();
	if (child < 0)
		return perror("fork"), 1;
	if (child == 0) {
		memory[0] = memory[PAGE] = 11;
		printf("child: sum %u\n", sum());
		exit(7);
	}
	if (waitpid(child, &status, 0) != child)
		return perror("waitpid"), 1;
	printf("parent: child's status %d, sum %u\n", WEXITSTATUS(status), sum());
	for (int i = 0; i < PAGES; i++)
		memory[i * PAGE] = 2;
	printf("parent: sum %u\n", sum());
	return 0;
}
