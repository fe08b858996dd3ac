//! Devices: the drivers, and the disk, the console, the clock and the interrupts that the rest of the kernel sees.

pub mod block;
pub mod clock;
pub mod console;
pub mod drivers;
pub mod interrupts;
pub mod swap;
pub mod swap_check;
