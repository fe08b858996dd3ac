//! Integer code under Sv39: a sieve, a sort, a table-driven CRC, a small interpreter and a matrix product, as a program
//! that anyone might run. The benches compare its time here with Spike's.
#![no_std]
#![no_main]
#![allow(unsafe_code)] // docs/unsafe.md

use bare as _;
use core::arch::global_asm;
use core::hint::black_box;

// No trap is expected: park.
global_asm!(".globl trap_entry", ".balign 4", "trap_entry: j trap_entry");

const ROUNDS: u32 = 240;

fn sieve(flags: &mut [u8; 16384]) -> u32 {
    flags.fill(1);
    let mut count = 0;
    for n in 2..flags.len() {
        if flags[n] != 0 {
            count += 1;
            for multiple in (n * n..flags.len()).step_by(n) {
                flags[multiple] = 0;
            }
        }
    }
    count
}

fn sort(keys: &mut [u32; 4096], mut seed: u32) -> u32 {
    for key in keys.iter_mut() {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        *key = seed;
    }
    keys.sort_unstable();
    keys[0] ^ keys[4095]
}

fn crc(table: &[u32; 256], bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &b| table[((crc ^ u32::from(b)) & 0xff) as usize] ^ crc >> 8)
}

fn matrix(a: &[[u64; 24]; 24], b: &[[u64; 24]; 24]) -> u64 {
    let mut trace = 0u64;
    for i in 0..24 {
        for j in 0..24 {
            let cell = (0..24).fold(0u64, |sum, k| sum.wrapping_add(a[i][k].wrapping_mul(b[k][j])));
            trace = trace.rotate_left(1) ^ cell;
        }
    }
    trace
}

/// A little stack machine: the branchy, table-switched code of an interpreter.
fn interpret(program: &[u8], mut x: u64) -> u64 {
    let mut stack = [0u64; 16];
    let mut top = 0usize;
    for _ in 0..64 {
        for &op in program {
            match op & 7 {
                0 => {
                    stack[top & 15] = x;
                    top = top.wrapping_add(1);
                }
                1 => {
                    top = top.wrapping_sub(1);
                    x ^= stack[top & 15];
                }
                2 => x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                3 => x = x.rotate_right(u32::from(op >> 3)),
                4 => x = x.wrapping_add(u64::from(op)),
                5 if x & 1 == 0 => x >>= 1,
                6 => x ^= x >> 29,
                _ => x = !x,
            }
        }
    }
    x
}

#[unsafe(no_mangle)]
extern "C" fn bench_main() -> u32 {
    let mut flags = [0u8; 16384];
    let mut keys = [0u32; 4096];
    let mut table = [0u32; 256];
    for (n, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(n as u32, |c, _| if c & 1 != 0 { 0xedb8_8320 ^ c >> 1 } else { c >> 1 });
    }
    let mut a = [[0u64; 24]; 24];
    for (i, row) in a.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            *cell = (i * 31 + j * 17) as u64;
        }
    }
    // Bytes that look random enough to be a program for the little stack machine.
    let program = table.map(|entry| entry.to_le_bytes()[1]);
    let mut sum = 0u64;
    for round in 0..ROUNDS {
        if sieve(black_box(&mut flags)) != 1900 {
            return 1;
        }
        sum ^= u64::from(sort(black_box(&mut keys), round + 1));
        sum = sum.rotate_left(7) ^ u64::from(crc(black_box(&table), black_box(&flags)));
        sum ^= matrix(black_box(&a), black_box(&a));
        sum = interpret(black_box(&program), sum);
    }
    if crc(&table, b"123456789") != 0xcbf4_3926 || black_box(sum) == 0 {
        return 2;
    }
    0
}
