//! A program's first stack: strings, auxiliary vector, environment, arguments (System V ABI; Linux's `create_elf_tables`).

use crate::Strings;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::ops::Range;
use isa::VirtAddr;

/// What goes onto the stack.
#[derive(Clone, Copy, Debug)]
pub struct StackRequest<'a> {
    /// First byte above the stack.
    pub top: VirtAddr,
    /// The arguments.
    pub argv: &'a Strings,
    /// The environment.
    pub envp: &'a Strings,
    /// The program's path (`AT_EXECFN`).
    pub path: &'a [u8],
    /// Sixteen random bytes (`AT_RANDOM`).
    pub random: [u8; 16],
    /// Further entries of the auxiliary vector: type and value. `AT_EXECFN`, `AT_RANDOM` and `AT_NULL` are added.
    pub auxv: &'a [(u32, u64)],
}

/// The finished stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StackImage {
    /// Its contents, to be copied to `[sp, top)`.
    pub bytes: Vec<u8>,
    /// The stack pointer: the address of `argc`.
    pub sp: VirtAddr,
    /// Where in `bytes` the auxiliary vector is, with its end.
    pub auxv: Range<usize>,
}

/// Lays the stack out. Fails if there is no memory for the image, which is as large as the arguments and the environment.
pub fn build_stack(request: &StackRequest<'_>) -> Result<StackImage, TryReserveError> {
    use linux_raw_sys::auxvec as linux;
    // Strings, in rising order of address: random bytes, argv, envp, path, a null word.
    let (argv, envp) = (request.argv, request.envp);
    let argv_at = request.random.len();
    let envp_at = argv_at + argv.as_bytes().len();
    let path_at = envp_at + envp.as_bytes().len();
    let string_bytes = path_at + request.path.len() + 1 + 8;
    let base = (request.top.0 - string_bytes as u64) & !15;
    // Words below them: argc, argv, NULL, envp, NULL, the auxiliary vector and the three entries added to it.
    let words = 1 + argv.len() + 1 + envp.len() + 1 + 2 * (request.auxv.len() + 3);
    // The stack pointer must be a multiple of 16.
    let sp = (base - words as u64 * 8) & !15;

    let size = |from: u64, to: u64| usize::try_from(to - from).expect("a usize has 64 bits");
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size(sp, request.top.0))?;
    let mut put = |word: u64| bytes.extend_from_slice(&word.to_le_bytes());
    put(argv.len() as u64);
    for (list, start) in [(argv, argv_at), (envp, envp_at)] {
        let mut at = base + start as u64;
        for text in list.iter() {
            put(at);
            at += text.len() as u64 + 1;
        }
        put(0);
    }
    let added = [(linux::AT_RANDOM, base), (linux::AT_EXECFN, base + path_at as u64), (linux::AT_NULL, 0)];
    for &(kind, value) in request.auxv.iter().chain(&added) {
        put(u64::from(kind));
        put(value);
    }
    let auxv = bytes.len() - (request.auxv.len() + added.len()) * 16..bytes.len();
    bytes.resize(size(sp, base), 0);
    for part in [&request.random[..], argv.as_bytes(), envp.as_bytes(), request.path] {
        bytes.extend_from_slice(part);
    }
    bytes.resize(size(sp, request.top.0), 0);
    Ok(StackImage { bytes, sp: VirtAddr(sp), auxv })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_finds_its_arguments() {
        let top = VirtAddr(0x40_0000_0000 >> 1);
        let (argv, envp) =
            (Strings::from_bytes(b"echo\0hi\0").unwrap(), Strings::from_bytes(b"A=b\0").unwrap());
        let request = StackRequest {
            top,
            argv: &argv,
            envp: &envp,
            path: b"/bin/echo",
            random: [7; 16],
            auxv: &[(6, 4096)],
        };
        let image = build_stack(&request).unwrap();
        assert_eq!(image.sp.0 % 16, 0);
        assert_eq!(image.sp.0 + image.bytes.len() as u64, top.0);
        let offset = |va: u64| usize::try_from(va - image.sp.0).unwrap();
        let word = |n: usize| u64::from_le_bytes(image.bytes[n * 8..][..8].try_into().unwrap());
        let text = |va: u64| image.bytes[offset(va)..].split(|&b| b == 0).next().unwrap();
        assert_eq!((word(0), text(word(1)), text(word(2)), word(3)), (2, &b"echo"[..], &b"hi"[..], 0));
        assert_eq!((text(word(4)), word(5)), (&b"A=b"[..], 0));
        assert_eq!((word(6), word(7), word(8)), (6, 4096, 25));
        assert_eq!(&image.bytes[offset(word(9))..][..16], [7; 16]);
        assert_eq!((word(10), text(word(11)), word(12)), (31, &b"/bin/echo"[..], 0));
    }
}
