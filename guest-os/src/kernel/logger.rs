//! The kernel's log: to the host's log through the host device, else to the firmware's console. Never to the program's stdout.

use crate::arch;
use crate::devices::drivers::host;
use crate::local::HartLocal;
use crate::sbi;
use core::fmt::Write;
use isa::sbi::EID_DBCN;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Longest line; the rest is cut.
const LINE_BYTES: usize = 512;

struct KernelLog;

/// A line being put together, outside the heap: the log must work when the heap does not.
struct Line {
    bytes: [u8; LINE_BYTES],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let count = text.len().min(LINE_BYTES - self.len);
        self.bytes[self.len..self.len + count].copy_from_slice(&text.as_bytes()[..count]);
        self.len += count;
        Ok(())
    }
}

static LINE: HartLocal<Line> = HartLocal::new(Line { bytes: [0; LINE_BYTES], len: 0 });

impl Log for KernelLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        let mut line = LINE.get_mut();
        line.len = 0;
        let by_host = host::is_present();
        if !by_host {
            let _ = write!(line, "kernel {}: ", level_name(record.level()));
        }
        let _ = write!(line, "{}", record.args());
        let line = &*line;
        let text = &line.bytes[..line.len];
        if by_host {
            host::with(|host| host.log(record.level() as u64, text));
        } else {
            console_write(text);
            console_write(b"\n");
        }
    }
    fn flush(&self) {}
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// Starts logging: everything to the host, which filters; on a bare console only warnings.
pub fn start() {
    static LOG: KernelLog = KernelLog;
    let level = if host::is_present() { LevelFilter::Debug } else { LevelFilter::Warn };
    // A second start (there is none) would keep the first logger.
    let _ = log::set_logger(&LOG).map(|()| log::set_max_level(level));
}

/// Writes bytes that lie in the direct map to the firmware's console.
pub fn console_write(bytes: &[u8]) {
    if sbi::has_extension(EID_DBCN) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(count) = sbi::debug_console_write(arch::phys_of(rest.as_ptr()).0, rest.len() as u64)
            else {
                break;
            };
            rest = rest.get(usize::try_from(count).unwrap_or(0)..).unwrap_or_default();
        }
    } else {
        bytes.iter().for_each(|&byte| sbi::legacy_putchar(byte));
    }
}
