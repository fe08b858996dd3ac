//! File systems of the guest OS: VFS, ext4, tmpfs, devices, `/proc`, pipes.
#![no_std]
#![forbid(unsafe_code)]
