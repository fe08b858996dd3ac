//! A program's first stack: strings, auxiliary vector, environment, arguments (System V ABI; Linux's `create_elf_tables`).

use alloc::vec::Vec;
use isa::VirtAddr;

/// What goes onto the stack.
#[derive(Clone, Copy, Debug)]
pub struct StackRequest<'a> {
    /// First byte above the stack.
    pub top: VirtAddr,
    /// The arguments, without their final NULs.
    pub argv: &'a [Vec<u8>],
    /// The environment.
    pub envp: &'a [Vec<u8>],
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
    /// Where the argument strings lie (for `/proc/PID/cmdline`): address and length.
    pub argument_strings: (VirtAddr, u64),
}

/// Lays the stack out.
pub fn build_stack(request: &StackRequest<'_>) -> StackImage {
    use linux_raw_sys::auxvec as linux;
    // Strings, in rising order of address: random bytes, argv, envp, path, a null word.
    let mut strings = request.random.to_vec();
    let mut offsets = Vec::new();
    let argument_start = strings.len();
    for text in request.argv.iter().chain(request.envp).map(Vec::as_slice).chain([request.path]) {
        offsets.push(strings.len() as u64);
        strings.extend_from_slice(text);
        strings.push(0);
    }
    let argument_end = offsets.get(request.argv.len()).copied().unwrap_or(argument_start as u64);
    strings.extend([0; 8]);
    let base = (request.top.0 - strings.len() as u64) & !15;
    strings.resize(usize::try_from(request.top.0 - base).unwrap_or(strings.len()), 0);

    let at = |offset: &u64| base + offset;
    let (arguments, rest) = offsets.split_at(request.argv.len());
    let (environment, path) = rest.split_at(request.envp.len());
    let mut words = alloc::vec![request.argv.len() as u64];
    words.extend(arguments.iter().map(at));
    words.push(0);
    words.extend(environment.iter().map(at));
    words.push(0);
    for &(kind, value) in request.auxv {
        words.extend([u64::from(kind), value]);
    }
    words.extend([u64::from(linux::AT_RANDOM), base]);
    words.extend(path.iter().flat_map(|offset| [u64::from(linux::AT_EXECFN), base + offset]));
    words.extend([u64::from(linux::AT_NULL), 0]);

    // The stack pointer must be a multiple of 16.
    let sp = (base - words.len() as u64 * 8) & !15;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(usize::try_from(base - sp).unwrap_or(bytes.len()), 0);
    bytes.extend(strings);
    let argument_start = argument_start as u64;
    StackImage {
        bytes,
        sp: VirtAddr(sp),
        argument_strings: (VirtAddr(base + argument_start), argument_end - argument_start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_finds_its_arguments() {
        let top = VirtAddr(0x40_0000_0000 >> 1);
        let (argv, envp) = ([b"echo".to_vec(), b"hi".to_vec()], [b"A=b".to_vec()]);
        let request = StackRequest {
            top,
            argv: &argv,
            envp: &envp,
            path: b"/bin/echo",
            random: [7; 16],
            auxv: &[(6, 4096)],
        };
        let image = build_stack(&request);
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
        let (start, len) = image.argument_strings;
        assert_eq!(&image.bytes[offset(start.0)..][..usize::try_from(len).unwrap()], b"echo\0hi\0");
    }
}
