//! The integer types of C's `<stdint.h>` that Berkeley SoftFloat's bindings name.
//!
//! The published crate of this name finds them by running CMake when it is built; this one stands in for it
//! (`[patch.crates-io]` in the workspace's manifest), so that the tests need no more than a C compiler.
#![no_std]
#![forbid(unsafe_code)]
#![allow(non_camel_case_types)] // the names are C's

/// The fast types of 32 bits: glibc makes them as wide as a register.
#[cfg(all(target_env = "gnu", target_pointer_width = "64", not(windows)))]
mod fast {
    pub type int_fast32_t = i64;
    pub type uint_fast32_t = u64;
}
/// The fast types of 32 bits elsewhere.
#[cfg(not(all(target_env = "gnu", target_pointer_width = "64", not(windows))))]
mod fast {
    pub type int_fast32_t = i32;
    pub type uint_fast32_t = u32;
}

/// `int_fast32_t`.
pub type int_fast32_t = fast::int_fast32_t;
/// `uint_fast32_t`.
pub type uint_fast32_t = fast::uint_fast32_t;
/// `int_fast64_t`.
pub type int_fast64_t = i64;
/// `uint_fast64_t`.
pub type uint_fast64_t = u64;
/// `uint_fast8_t`.
pub type uint_fast8_t = u8;
