/* The smallest C program: what a static C library needs before main runs, one page at a time.
 *
 * Look at: `folio run --stats hello-c`. Compare its faults with those of the Rust `hello`, which has no library: the
 * difference is the C library's start-up (relocations, stdio, locale tables), in pages that were really used. */
#include <stdio.h>

int main(int argc, char **argv)
{
	puts("Hello from C.");
	for (int i = 1; i < argc; i++)
		printf("argument %d: %s\n", i, argv[i]);
	return 0;
}
