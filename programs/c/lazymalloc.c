/* Lazy malloc: 64 MiB from the C library's malloc, of which ten pages are touched.
 *
 * Look at: `faults.by_kind.zero`: the pages touched, plus a few of the library's own. `frames.peak` stays small. */
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 4096, MIB = 64, TOUCHED = 10 };

int main(void)
{
	size_t len = (size_t)MIB << 20, stride = len / TOUCHED;
	volatile char *memory = malloc(len);
	unsigned seen = 0;

	if (!memory)
		return perror("malloc"), 1;
	for (int i = 0; i < TOUCHED; i++) {
		seen += (unsigned char)memory[i * stride];
		memory[i * stride] = 1;
	}
	printf("asked for %d pages, touched %d, saw %u in them before\n", MIB * 256, TOUCHED, seen);
	return seen != 0;
}
