//! Processes and threads: what they are, how they begin, execute, wait, get signals and end.

pub mod alarms;
pub mod children;
pub mod exec;
pub mod exit;
pub mod image;
pub mod process;
pub mod signal;
pub mod thread;
pub mod timers;
pub mod vdso;
pub mod wait;
