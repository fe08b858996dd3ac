/* Values of every kind that C has, locals of blocks, frames of callers: what a debugger shows of a program. */
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum access { READ = 1, WRITE = 2, EXECUTE = 4 };
typedef struct node {
    struct node *next;
    int count;
    union {
        int as_int;
        char as_bytes[4];
    };
    struct {
        short low, high;
    };
} node_t;
struct packet {
    unsigned length;
    unsigned char bytes[];
};
struct fields {
    unsigned kind : 3;
    int delta : 5;
    unsigned long wide : 40;
    bool is_last : 1;
};

char padded[12] = "ab\0cd";
char full[3] = {'x', 'y', 'z'};
char none[4];
const char *greeting = "h\xc3\xa4llo\n\"you\"";
int grid[2][3] = {{1, 2, 3}, {4, 5, 6}};
char words[2][4] = {"one", "two"};
node_t second = {0, 7, {0x41424344}, {1, -2}};
node_t first = {&second, 3, {.as_bytes = "abc"}, {3, 4}};
node_t *list = &first;
struct fields fields = {5, -9, 0x123456789a, true};
enum access rights = READ | EXECUTE;
enum access odd = 9;
bool yes = true;
double tiny = 5e-324, huge = 1e300, third = 1.0 / 3;
float small = 0.1f;
long double precise = 0.1L;
__int128 wide = ((__int128)1 << 100) + 5;
unsigned __int128 widest = ~(unsigned __int128)0;
double complex turn = 1.5 - 2.0 * I;
int (*operation)(int, int);
int (*table[2])(int, int);
int (*rows)[3] = grid;
const char *const names[] = {"red", "green"};
_Thread_local int own = 11;
static _Thread_local char own_word[8] = "mine";
struct packet *packet;
struct {
    int inside;
} unnamed = {9};
signed char minus = -1;
int *nowhere = (int *)8;

__attribute__((noinline)) static int add(int a, int b) {
    static int calls = 40;
    calls++;
    return a + b + calls * 0;
}

__attribute__((noinline)) static int leaf(int n, const char *text, double ratio) {
    int square = n * n;
    int room[n];
    for (int i = 0; i < n; i++) {
        room[i] = i * 10;
    }
    {
        int square = -1;
        room[0] += square + (int)ratio + (int)strlen(text);
    }
    return room[0] + square; /* the end of leaf */
}

__attribute__((noinline)) static int down(int n, node_t *at) {
    int local = n * 100;
    if (n == 0) {
        return leaf(4, greeting, 2.5) + at->count;
    }
    local += down(n - 1, at->next ? at->next : at);
    return local;
}

int main(int argc, char **argv) {
    operation = add;
    table[1] = add;
    packet = malloc(sizeof *packet + 3);
    packet->length = 3;
    memcpy(packet->bytes, "\x01\x02\x03", 3);
    own += argc;
    int sum = add(1, 2);
    sum += down(3, list);
    for (int i = 0; i < 3; i++) {
        first.count += i;
    }
    return argv[0] == 0 ? sum : 0;
}
