/* OpenSBI as a file that boot loaders start as they start Linux: the header of a RISC-V `Image` before `fw_dynamic.bin`, and
   what that wants to know of the next stage. For loaders that run in M-mode, as U-Boot does without firmware below it: they
   leave that mode to what they start, and Linux needs an SBI there.

   FIRMWARE is fw_dynamic.bin, KERNEL the address at which the loader has put Linux. Harts come with their number in a0 and the
   device tree in a1, and go on so. It runs at any address that is a multiple of 256 KiB, since OpenSBI protects itself by PMP. */

    .option norvc
    .option norelax
    .globl _start
_start:
    j start
    .balign 8
    .quad 0                     /* where, from the start of RAM */
    .quad 1 << 20               /* how much memory; OpenSBI has its heap and its stacks behind the file's end */
    .quad 0                     /* little-endian */
    .word 2, 0                  /* the header's version, 0.2 */
    .quad 0
    .ascii "RISCV\0\0\0RSC\5"
    .word 0
start:
    lla a2, next_stage
    lla t0, firmware
    jr t0

    .balign 8
next_stage:                     /* struct fw_dynamic_info: magic, version, address, S-mode, options, any hart may boot */
    .quad 0x4942534f, 2, KERNEL, 1, 0, -1

    .balign 0x40000
firmware:
    .incbin FIRMWARE
