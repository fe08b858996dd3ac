//! The system call instruction. Everything the programs ask of the kernel goes through here.
//!
//! Unsafe: a system call may do anything to this process's memory.
#![allow(unsafe_code)]

use crate::{Errno, Result};

/// System call `number` with up to six arguments, raw: a result in -4095..0 is an error.
///
/// # Safety
/// The kernel reads and writes memory as the arguments say: the caller answers for that memory.
#[inline]
pub unsafe fn raw(number: u32, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel keeps every register but a0; what memory it touches is the caller's promise.
    unsafe {
        core::arch::asm!(
            "ecall",
            in("a7") number as usize,
            inlateout("a0") args[0] => result,
            in("a1") args[1],
            in("a2") args[2],
            in("a3") args[3],
            in("a4") args[4],
            in("a5") args[5],
        );
    }
    result
}

/// As [`raw`], with the arguments that are missing taken as zero, and the result as a `Result`.
///
/// # Safety
/// As for [`raw`].
#[inline]
pub unsafe fn call<const N: usize>(number: u32, args: [usize; N]) -> Result<usize> {
    let mut six = [0; 6];
    six[..N].copy_from_slice(&args);
    // SAFETY: the caller's promise.
    let result = unsafe { raw(number, six) };
    match u32::try_from(-result) {
        Ok(number @ 1..=4095) => Err(Errno(number)),
        _ => Ok(result.cast_unsigned()),
    }
}
