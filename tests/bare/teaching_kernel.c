// A kernel as teaching systems are: it starts in M-mode on every hart, delegates all to S-mode, turns Sv39 paging on, takes timer interrupts by
// Sstc (or, with CLINT, by M-mode, which turns them into software interrupts), those of the disk and of the UART through the PLIC, drives a virtio
// disk over either version of the transport, and prints by one interrupt per byte (with NO_IIR by a driver that never reads IIR, as in xv6 before
// 2025). It ends through the test finisher.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define FINISHER 0x100000UL
#define PLIC 0xc000000UL
#define UART 0x10000000UL
#define DISK 0x10001000UL
#define DISK_IRQ 1
#define UART_IRQ 10
#define SECTOR 512
#define QUEUE 8
#define PAGE 4096
#define MAX_HARTS 8

#define csr_read(name) ({ u64 v; asm volatile("csrr %0, " #name : "=r"(v)); v; })
#define csr_write(name, value) asm volatile("csrw " #name ", %0" ::"r"((u64)(value)))
#define csr_set(name, value) asm volatile("csrs " #name ", %0" ::"r"((u64)(value)))
#define fence() asm volatile("fence iorw, iorw" ::: "memory")
#define reg32(address) (*(volatile u32 *)(address))

__attribute__((aligned(16))) u8 stacks[MAX_HARTS][PAGE];
static __attribute__((aligned(PAGE))) u64 root_table[512];
static volatile u32 paging_ready, harts_up, ticks[MAX_HARTS], disk_done, uart_busy, uart_interrupts;

asm(".section .entry, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "  csrr a0, mhartid\n"
    "  la sp, stacks\n"
    "  addi a1, a0, 1\n"
    "  slli a1, a1, 12\n"
    "  add sp, sp, a1\n"
    "  call start\n"
    "1: j 1b\n"
    ".text\n");

static void put(const char *text) {
    for (; *text; text++) {
        while (!(*(volatile u8 *)(UART + 5) & 0x20)) {}
        *(volatile u8 *)UART = (u8)*text;
    }
}

static void finish(u32 code) {
    reg32(FINISHER) = code;
    for (;;) {}
}

static void fail(const char *why) {
    put("failed: ");
    put(why);
    put("\n");
    finish(0x3333 | 1 << 16);
}

// ---- The timer: S-mode's own, or M-mode's handler, which sets the next one and makes a software interrupt for S-mode.

#define INTERVAL 10000

#ifdef CLINT
#define TICK (1UL << 63 | 1)
static u64 timer_scratch[MAX_HARTS][5]; // three registers, the address of mtimecmp, the interval

void machine_timer(void);
asm(".align 2\n"
    "machine_timer:\n"
    "  csrrw sp, mscratch, sp\n"
    "  sd t0, 0(sp)\n"
    "  sd t1, 8(sp)\n"
    "  sd t2, 16(sp)\n"
    "  ld t0, 24(sp)\n"
    "  ld t1, 32(sp)\n"
    "  ld t2, 0(t0)\n"
    "  add t2, t2, t1\n"
    "  sd t2, 0(t0)\n"
    "  csrwi sip, 2\n"
    "  ld t0, 0(sp)\n"
    "  ld t1, 8(sp)\n"
    "  ld t2, 16(sp)\n"
    "  csrrw sp, mscratch, sp\n"
    "  mret\n");

static void timer_init(u64 hart) {
    u64 compare = 0x2004000 + 8 * hart;
    *(volatile u64 *)compare = *(volatile u64 *)0x200bff8 + INTERVAL;
    timer_scratch[hart][3] = compare;
    timer_scratch[hart][4] = INTERVAL;
    csr_write(mscratch, timer_scratch[hart]);
    csr_write(mtvec, machine_timer);
    csr_set(mie, 1 << 7);
}

static void next_tick(void) {
    csr_write(sip, csr_read(sip) & ~2UL);
}
#else
#define TICK (1UL << 63 | 5)
static void timer_init(u64 hart) {
    (void)hart;
    csr_set(0x30a, 1UL << 63); // menvcfg.STCE
    csr_set(mcounteren, 2);
    csr_write(0x14d, -1UL); // stimecmp
}

static void next_tick(void) {
    u64 now = csr_read(time);
    csr_write(0x14d, now + INTERVAL);
}
#endif

// ---- The UART.

static volatile u8 *const uart = (volatile u8 *)UART;

static void uart_init(void) {
    uart[1] = 0;
    uart[3] = 0x80;
    uart[0] = 3;
    uart[1] = 0;
    uart[3] = 3;
    uart[2] = 7;
    uart[1] = 3;
}

// A byte goes out only after the interrupt of the one before.
static void print(const char *text) {
    u32 before = uart_interrupts, sent = 0;
    for (; *text; text++, sent++) {
        while (uart_busy) asm volatile("wfi");
        uart_busy = 1;
        uart[0] = (u8)*text;
    }
    while (uart_busy) asm volatile("wfi");
    if (uart_interrupts - before < sent) fail("an interrupt for each byte");
}

// ---- The disk: the registers of both versions.

struct descriptor { u64 address; u32 length; u16 flags, next; };
struct available { u16 flags, index, ring[QUEUE], event; };
struct used { u16 flags, index; struct { u32 id, length; } ring[QUEUE]; };

// One piece, as the legacy transport wants it; version 2 is given the same places.
static __attribute__((aligned(PAGE))) struct {
    struct descriptor descriptors[QUEUE];
    struct available available;
    u8 gap[PAGE - QUEUE * sizeof(struct descriptor) - sizeof(struct available)];
    struct used used;
} queue;
static struct { u32 kind, reserved; u64 sector; } header;
static volatile u8 status;
static u8 data[2 * SECTOR];
static u16 seen;

static void set_address(u64 low, void *address) {
    reg32(DISK + low) = (u32)(u64)address;
    reg32(DISK + low + 4) = (u32)((u64)address >> 32);
}

static void disk_init(void) {
    u32 version = reg32(DISK + 4);
    if (reg32(DISK) != 0x74726976 || reg32(DISK + 8) != 2 || reg32(DISK + 0xc) != 0x554d4551) fail("no disk");
    reg32(DISK + 0x70) = 0;
    reg32(DISK + 0x70) = 1;
    reg32(DISK + 0x70) = 3;
    // No feature is taken, VERSION_1 neither.
    reg32(DISK + 0x20) = 0;
    reg32(DISK + 0x70) = 11;
    if (reg32(DISK + 0x70) != 11) fail("the features");
    reg32(DISK + 0x30) = 0;
    if (reg32(DISK + 0x34) < QUEUE) fail("the queue's size");
    if (version == 2) {
        put("virtio version 2\n");
        if (reg32(DISK + 0x44)) fail("a queue that is ready");
        reg32(DISK + 0x38) = QUEUE;
        set_address(0x80, queue.descriptors);
        set_address(0x90, &queue.available);
        set_address(0xa0, &queue.used);
        reg32(DISK + 0x44) = 1;
    } else if (version == 1) {
        put("virtio version 1\n");
        reg32(DISK + 0x28) = PAGE;
        reg32(DISK + 0x38) = QUEUE;
        reg32(DISK + 0x40) = (u32)((u64)&queue / PAGE);
    } else {
        fail("the version");
    }
    reg32(DISK + 0x70) = 15;
}

static void disk_io(u32 kind, u64 sector) {
    header.kind = kind;
    header.sector = sector;
    status = 0xff;
    queue.descriptors[0] = (struct descriptor){(u64)&header, 16, 1, 1};
    queue.descriptors[1] = (struct descriptor){(u64)data, sizeof data, kind ? 1 : 3, 2};
    queue.descriptors[2] = (struct descriptor){(u64)&status, 1, 2, 0};
    queue.available.ring[queue.available.index % QUEUE] = 0;
    fence();
    queue.available.index++;
    fence();
    disk_done = 0;
    reg32(DISK + 0x50) = 0;
    while (!disk_done) asm volatile("wfi");
    if (status) fail("the disk's status");
}

// ---- Traps.

__attribute__((interrupt("supervisor"), aligned(4))) static void trap(void) {
    u64 cause = csr_read(scause), hart;
    asm volatile("mv %0, tp" : "=r"(hart));
    if (cause == TICK) {
        ticks[hart]++;
        next_tick();
    } else if (cause == (1UL << 63 | 9)) {
        u32 source = reg32(PLIC + 0x201004);
        if (source == UART_IRQ) {
#ifndef NO_IIR
            (void)uart[2];
#endif
            uart_interrupts++;
            if (uart[5] & 0x20) uart_busy = 0;
        } else if (source == DISK_IRQ) {
            reg32(DISK + 0x64) = reg32(DISK + 0x60) & 3;
            fence();
            while (seen != *(volatile u16 *)&queue.used.index) {
                seen++;
                disk_done = 1;
            }
        } else {
            fail("an interrupt of another source");
        }
        reg32(PLIC + 0x201004) = source;
    } else {
        fail("a trap that was not expected");
    }
}

// ---- From M-mode to S-mode.

static void supervisor(void) {
    u64 hart;
    asm volatile("mv %0, tp" : "=r"(hart));
    csr_write(stvec, trap); // direct: the address is aligned
    if (hart == 0) {
        // Gigapages: devices, and RAM.
        // A and D stay clear: such kernels leave them to the hardware, as QEMU's board sets them by default.
        root_table[0] = 0 << 28 | 0x07;
        root_table[2] = 2UL << 28 | 0x0f;
        __sync_synchronize();
        paging_ready = 1;
    }
    while (!paging_ready) {}
    asm volatile("sfence.vma");
    csr_write(satp, 8UL << 60 | (u64)root_table / PAGE);
    asm volatile("sfence.vma");
    next_tick();
    csr_set(sstatus, 2);
    __sync_fetch_and_add(&harts_up, 1);
    if (hart != 0) {
        for (;;) asm volatile("wfi");
    }
    put("paging is on\n");
    while (harts_up < HARTS) {}
    for (u32 other = 0; other < HARTS; other++) {
        while (ticks[other] < 3) asm volatile("wfi");
    }
    put("all harts tick\n");

    reg32(PLIC + 4 * DISK_IRQ) = 1;
    reg32(PLIC + 4 * UART_IRQ) = 1;
    reg32(PLIC + 0x2080) = 1 << DISK_IRQ | 1 << UART_IRQ;
    reg32(PLIC + 0x201000) = 0;
    uart_init();
    disk_init();
    disk_io(0, 2);
    print("sector 2: ");
    print((char *)data);
    for (u32 i = 0; i < sizeof data; i++) data[i] = (u8)(i * 7 + 3);
    disk_io(1, 4);
    for (u32 i = 0; i < sizeof data; i++) data[i] = 0;
    disk_io(0, 4);
    for (u32 i = 0; i < sizeof data; i++) {
        if (data[i] != (u8)(i * 7 + 3)) fail("what was written");
    }
    print("written and read back\n");
    finish(0x5555);
}

void start(u64 hart) {
    asm volatile("mv tp, %0" ::"r"(hart));
    csr_write(mstatus, (csr_read(mstatus) & ~(3UL << 11)) | 1UL << 11);
    csr_write(mepc, supervisor);
    csr_write(satp, 0);
    csr_write(medeleg, 0xffff);
    csr_write(mideleg, 0xffff);
    csr_set(sie, 1 << 9 | 1 << 5 | 1 << 1);
    csr_write(pmpaddr0, 0x3fffffffffffffUL);
    csr_write(pmpcfg0, 0xf);
    timer_init(hart);
    asm volatile("mret");
}
