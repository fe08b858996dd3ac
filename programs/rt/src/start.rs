//! The first instructions of a program, and the arguments that the kernel put on its stack.
//!
//! Unsafe: the entry is assembly, and reads the initial stack as the psABI lays it out (argc, argv, NULL, envp, NULL, auxv).
#![allow(unsafe_code)]

use core::ffi::CStr;

// The return address is zeroed: this is the outermost frame.
core::arch::global_asm!(
    ".section .text._start,\"ax\",@progbits",
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "    mv a0, sp",
    "    andi sp, sp, -16",
    "    li ra, 0",
    "    call {entry}",
    ".size _start, . - _start",
    ".text",
    entry = sym entry,
);

// SAFETY: `rt::main!` defines the function with this signature, and the linker finds no other.
unsafe extern "Rust" {
    /// Defined by `rt::main!`.
    safe fn program_main(args: Args) -> i32;
}

extern "C" fn entry(stack: *const usize) -> ! {
    crate::os::exit(program_main(Args { stack }))
}

/// The program's arguments, environment and auxiliary vector.
#[derive(Clone, Copy)]
pub struct Args {
    /// Address of `argc` on the initial stack. Invariant: as the kernel passed it to `_start`.
    stack: *const usize,
}

impl Args {
    /// Word `index` of the initial stack. Callers stay within the vectors, which end in zero words.
    fn word(self, index: usize) -> usize {
        // SAFETY: `stack` is the initial stack (invariant of the field); callers never pass the end of auxv.
        unsafe { *self.stack.add(index) }
    }

    /// Number of arguments, the program's name included.
    pub fn len(self) -> usize {
        self.word(0)
    }

    /// Whether there is not even a program name.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Argument `index`; 0 is the program's name.
    pub fn get(self, index: usize) -> Option<&'static str> {
        if index >= self.len() {
            return None;
        }
        Self::string(self.word(1 + index)).to_str().ok()
    }

    /// Argument `index` as a number, or `default` where there is none or it is not one.
    pub fn number(self, index: usize, default: usize) -> usize {
        self.get(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// Argument `index` as a size in bytes, which may end in K, M or G, or `default` where there is none or it is not one.
    pub fn bytes(self, index: usize, default: usize) -> usize {
        let parse = |text: &str| {
            let digits = text.trim_end_matches(['K', 'M', 'G']);
            let unit = match &text[digits.len()..] {
                "" => 1,
                "K" => 1 << 10,
                "M" => 1 << 20,
                "G" => 1 << 30,
                _ => return None,
            };
            digits.parse().ok().and_then(|number: usize| number.checked_mul(unit))
        };
        self.get(index).and_then(parse).unwrap_or(default)
    }

    /// All arguments, the program's name first.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        (0..self.len()).filter_map(move |i| self.get(i))
    }

    /// The environment, as `NAME=value`.
    pub fn env(self) -> impl Iterator<Item = &'static CStr> {
        let first = self.len() + 2;
        (first..).map(move |i| self.word(i)).take_while(|&at| at != 0).map(Self::string)
    }

    /// Entry `tag` of the auxiliary vector (`AT_…`).
    pub fn aux(self, tag: u32) -> Option<usize> {
        let mut at = self.len() + 2 + self.env().count() + 1;
        loop {
            match self.word(at) {
                0 => return None,
                found if found == tag as usize => return Some(self.word(at + 1)),
                _ => at += 2,
            }
        }
    }

    /// Addresses of the vectors `argv` and `envp`, as execve(2) wants them.
    pub fn vectors(self) -> (usize, usize) {
        let argv = self.stack.wrapping_add(1) as usize;
        let envp = self.stack.wrapping_add(self.len() + 2) as usize;
        (argv, envp)
    }

    fn string(at: usize) -> &'static CStr {
        // SAFETY: argv and envp point to NUL-terminated strings that live as long as the process.
        unsafe { CStr::from_ptr(at as *const _) }
    }
}
