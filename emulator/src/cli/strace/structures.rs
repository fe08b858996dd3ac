//! What lies in memory: Linux's structures for riscv64, as strace writes them.

use super::memory::UserMemory;
use super::siginfo::Siginfo;
use super::text;
use abi::{Call, Kind, Layout, sets};

/// Elements of a list that are shown.
const SHOWN_ELEMENTS: u64 = 32;

/// Bytes of a thread's name.
const MAX_NAME: usize = 15;

/// When memory is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the call is served: pages may not be there yet.
    Asked,
    /// When it has come back: what it had read.
    Read,
    /// When it has come back with this result: what it has written.
    Written(u64),
}

/// What lies at `address`; `None` if it cannot be read.
pub fn show(
    layout: Layout,
    address: u64,
    values: &[u64; 6],
    moment: Moment,
    memory: &UserMemory<'_>,
) -> Option<String> {
    if address == 0 {
        return Some("NULL".to_string());
    }
    let length = |argument: usize| match moment {
        Moment::Written(result) => result,
        Moment::Asked | Moment::Read => values[argument],
    };
    Some(match layout {
        Layout::Bytes { len } => bytes(address, length(len), memory)?,
        Layout::Noise { len } => text::noise(&beginning(address, length(len), memory)?),
        Layout::Name => {
            let mut name = memory.string(address)?;
            let more = if name.len() > MAX_NAME { "..." } else { "" };
            name.truncate(MAX_NAME);
            text::path(&name) + more
        }
        Layout::Text { .. } => text::path(&memory.string(address)?),
        Layout::Entries { len } => {
            format!("{address:#x} /* {} entries */", entries(address, length(len), memory)?)
        }
        Layout::Vector { count } => vector(address, values[count], moment, memory)?,
        Layout::Polls { count } => polls(address, values[count], memory, false)?,
        Layout::Descriptors { count } => descriptors(address, values[count], memory)?,
        Layout::Int => memory.halves::<1>(address).map(|[value]| format!("[{}]", value.cast_signed()))?,
        Layout::Signal => {
            memory.halves::<1>(address).map(|[value]| format!("[{}]", text::signal(value.into())))?
        }
        Layout::IntPair => memory.halves::<2>(address).map(|[a, b]| format!("[{a}, {b}]"))?,
        Layout::Word => memory.words::<1>(address).map(|[value]| format!("[{value}]"))?,
        Layout::Timespec | Layout::Remainder => time(memory.words(address)?, "nsec"),
        Layout::Timeval => time(memory.words(address)?, "usec"),
        Layout::TimespecPair => {
            let [a, b, c, d] = memory.words(address)?;
            format!("[{}, {}]", file_time([a, b]), file_time([c, d]))
        }
        Layout::Itimerval => {
            let [a, b, c, d] = memory.words(address)?;
            format!("{{it_interval={}, it_value={}}}", time([a, b], "usec"), time([c, d], "usec"))
        }
        Layout::Timezone => {
            let [west, dst] = memory.halves(address)?;
            format!("{{tz_minuteswest={west}, tz_dsttime={dst}}}")
        }
        Layout::Sigset => text::signal_set(memory.words::<1>(address)?[0]),
        Layout::SigsetArgument => {
            let [set, size] = memory.words(address)?;
            let shown = show(Layout::Sigset, set, values, moment, memory)?;
            format!("{{sigmask={shown}, sigsetsize={size}}}")
        }
        Layout::Sigaction => action(memory.words(address)?),
        Layout::Siginfo => Siginfo::read(address, memory)?.text(),
        Layout::SignalStack => {
            let [base, flags, size] = memory.words(address)?;
            let flags = text::flags(&sets::SIGNAL_STACK, flags);
            format!("{{ss_sp={}, ss_flags={flags}, ss_size={size}}}", text::address(base))
        }
        Layout::Stat => stat(address, memory)?,
        Layout::Statx => statx(address, memory)?,
        Layout::Rlimit => {
            let [soft, hard] = memory.words(address)?;
            format!("{{rlim_cur={}, rlim_max={}}}", limit(soft), limit(hard))
        }
        Layout::Tms => {
            let [user, system, ..]: [u64; 4] = memory.words(address)?;
            format!("{{tms_utime={user}, tms_stime={system}, ...}}")
        }
        Layout::Utsname => {
            let field =
                |index: u64| memory.string(address.wrapping_add(65 * index)).map(|bytes| text::path(&bytes));
            format!("{{sysname={}, nodename={}, ...}}", field(0)?, field(1)?)
        }
        Layout::WaitStatus => match moment {
            Moment::Written(1..) => {
                format!("[{{{}}}]", wait_status(u64::from(memory.halves::<1>(address)?[0])))
            }
            _ => text::address(address),
        },
        Layout::Processors { len } => descriptors(address, length(len).saturating_mul(8), memory)?,
        Layout::Statfs => statfs(memory.words(address)?),
        Layout::Sysinfo => sysinfo(memory.words(address)?),
        Layout::Rusage => {
            let [a, b, c, d] = memory.words(address)?;
            format!("{{ru_utime={}, ru_stime={}, ...}}", time([a, b], "usec"), time([c, d], "usec"))
        }
        Layout::Flock => flock(address, matches!(moment, Moment::Written(_)), memory)?,
        Layout::WindowSize => {
            let [size]: [u64; 1] = memory.words(address)?;
            let part = |index: u32| size >> (16 * index) & 0xffff;
            let [rows, columns, x, y] = [0, 1, 2, 3].map(part);
            format!("{{ws_row={rows}, ws_col={columns}, ws_xpixel={x}, ws_ypixel={y}}}")
        }
    })
}

/// What strace adds to a result: the descriptors that are ready.
pub fn remark(call: &Call, values: &[u64; 6], memory: &UserMemory<'_>, result: u64) -> String {
    let mut ready = Vec::new();
    for (index, argument) in call.arguments.iter().enumerate() {
        let Kind::InOut(layout) = argument.kind else { continue };
        match layout {
            Layout::Polls { .. } | Layout::Descriptors { .. } if result == 0 => {
                return " (Timeout)".to_string();
            }
            Layout::Polls { count } => ready.extend(polls(values[index], values[count], memory, true)),
            Layout::Descriptors { count } if values[index] != 0 => {
                let set = descriptors(values[index], values[count], memory);
                let name = ["", "in", "out", "except"].get(index).copied().unwrap_or_default();
                ready.extend(set.filter(|set| set != "[]").map(|set| format!("{name} {set}")));
            }
            _ => {}
        }
    }
    if ready.is_empty() { String::new() } else { format!(" ({})", ready.join(", ")) }
}

/// As much of `len` bytes as tells what is shown, and whether there is more.
fn beginning(address: u64, len: u64, memory: &UserMemory<'_>) -> Option<Vec<u8>> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    memory.all(address, len.min(text::SHOWN_BYTES + 1))
}

fn bytes(address: u64, len: u64, memory: &UserMemory<'_>) -> Option<String> {
    beginning(address, len, memory).map(|bytes| text::string(&bytes))
}

fn vector(address: u64, count: u64, moment: Moment, memory: &UserMemory<'_>) -> Option<String> {
    let mut left = if let Moment::Written(result) = moment { result } else { u64::MAX };
    let mut shown = Vec::new();
    for index in 0..count.min(SHOWN_ELEMENTS) {
        let [base, len]: [u64; 2] = memory.words(address.wrapping_add(16 * index))?;
        let part = len.min(left);
        left -= part;
        let base = match bytes(base, part, memory) {
            None if moment == Moment::Asked => return None,
            bytes => bytes.unwrap_or_else(|| text::address(base)),
        };
        shown.push(format!("{{iov_base={base}, iov_len={len}}}"));
    }
    let more = if count > SHOWN_ELEMENTS { ", ..." } else { "" };
    Some(format!("[{}{more}]", shown.join(", ")))
}

/// What is awaited of descriptors, or which of them are ready.
fn polls(address: u64, count: u64, memory: &UserMemory<'_>, is_answer: bool) -> Option<String> {
    let count = count & 0xffff_ffff;
    let mut shown = Vec::new();
    for index in 0..count.min(SHOWN_ELEMENTS) {
        let [fd, events]: [u32; 2] = memory.halves(address.wrapping_add(8 * index))?;
        let (wanted, ready) = (u64::from(events & 0xffff), u64::from(events >> 16));
        let fd = fd.cast_signed();
        if !is_answer {
            shown.push(format!("{{fd={fd}, events={}}}", text::flags(&sets::POLL, wanted)));
        } else if ready != 0 {
            shown.push(format!("{{fd={fd}, revents={}}}", text::flags(&sets::POLL, ready)));
        }
    }
    let more = if count > SHOWN_ELEMENTS { ", ..." } else { "" };
    Some(format!("[{}{more}]", shown.join(", ")))
}

fn descriptors(address: u64, count: u64, memory: &UserMemory<'_>) -> Option<String> {
    let count = usize::try_from(count.min(1024)).ok()?;
    let bytes = memory.all(address, count.div_ceil(8))?;
    let is_set = |fd: &usize| bytes[fd / 8] >> (fd % 8) & 1 != 0;
    let listed: Vec<String> = (0..count).filter(is_set).map(|fd| fd.to_string()).collect();
    Some(format!("[{}]", listed.join(" ")))
}

/// How many `struct linux_dirent64` there are in `len` bytes.
fn entries(address: u64, len: u64, memory: &UserMemory<'_>) -> Option<u64> {
    let bytes = memory.all(address, usize::try_from(len).ok()?)?;
    let (mut at, mut count) = (0, 0);
    while at + 18 < bytes.len() {
        let size = usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
        count += 1;
        at += size.max(1);
    }
    Some(count)
}

fn time([seconds, parts]: [u64; 2], unit: &str) -> String {
    format!("{{tv_sec={}, tv_{unit}={}}}", seconds.cast_signed(), parts.cast_signed())
}

/// A time that a file is to have.
fn file_time([seconds, parts]: [u64; 2]) -> String {
    const NOW: u64 = 0x3fff_ffff;
    const OMIT: u64 = 0x3fff_fffe;
    match parts {
        NOW => "UTIME_NOW".to_string(),
        OMIT => "UTIME_OMIT".to_string(),
        _ => {
            let date = text::date(seconds.cast_signed(), parts.cast_signed());
            let date = date.map_or(String::new(), |date| format!(" /* {date} */"));
            time([seconds, parts], "nsec") + &date
        }
    }
}

fn statfs(
    [kind, size, blocks, free, available, files, left, id, name, fragment, flags]: [u64; 11],
) -> String {
    let (kind, flags) = (text::flags(&sets::FILE_SYSTEM, kind), text::flags(&sets::MOUNT, flags));
    let [low, high] = [id & 0xffff_ffff, id >> 32].map(text::hex);
    format!(
        "{{f_type={kind}, f_bsize={size}, f_blocks={blocks}, f_bfree={free}, f_bavail={available}, f_files={files}, \
         f_ffree={left}, f_fsid={{val=[{low}, {high}]}}, f_namelen={name}, f_frsize={fragment}, f_flags={flags}}}"
    )
}

fn sysinfo(words: [u64; 14]) -> String {
    let [uptime, load1, load5, load15, total, free, shared, buffers, swap, free_swap, ..] = words;
    let [.., processes, high, free_high, unit] = words;
    format!(
        "{{uptime={uptime}, loads=[{load1}, {load5}, {load15}], totalram={total}, freeram={free}, sharedram={shared}, \
         bufferram={buffers}, totalswap={swap}, freeswap={free_swap}, procs={}, totalhigh={high}, freehigh={free_high}, \
         mem_unit={}}}",
        processes & 0xffff,
        unit & 0xffff_ffff,
    )
}

/// A lock of a part of a file; who has it, only if the call has said so.
fn flock(address: u64, tells_holder: bool, memory: &UserMemory<'_>) -> Option<String> {
    let [start, length]: [u64; 2] = memory.words(address.wrapping_add(8))?;
    let [kinds, ..]: [u32; 1] = memory.halves(address)?;
    let [holder] = memory.halves(address.wrapping_add(24))?;
    let kind = ["F_RDLCK", "F_WRLCK", "F_UNLCK"].get(usize::try_from(kinds & 0xffff).ok()?);
    let kind = kind.map_or_else(|| text::hex(u64::from(kinds & 0xffff)), |name| (*name).to_string());
    let whence = text::flags(&sets::WHENCE, u64::from(kinds >> 16));
    let (start, length) = (start.cast_signed(), length.cast_signed());
    let holder = if tells_holder { format!(", l_pid={}", holder.cast_signed()) } else { String::new() };
    Some(format!("{{l_type={kind}, l_whence={whence}, l_start={start}, l_len={length}{holder}}}"))
}

fn limit(value: u64) -> String {
    match value {
        u64::MAX => "RLIM64_INFINITY".to_string(),
        value if value > 1024 && value.is_multiple_of(1024) => format!("{}*1024", value / 1024),
        value => value.to_string(),
    }
}

fn action([handler, flags, mask]: [u64; 3]) -> String {
    let handler = match handler {
        0 => "SIG_DFL".to_string(),
        1 => "SIG_IGN".to_string(),
        handler => format!("{handler:#x}"),
    };
    let (mask, flags) = (text::signal_set(mask), text::flags(&sets::SIGACTION, flags));
    format!("{{sa_handler={handler}, sa_mask={mask}, sa_flags={flags}}}")
}

fn file_type(mode: u32) -> &'static str {
    match mode >> 12 & 0xf {
        1 => "S_IFIFO",
        2 => "S_IFCHR",
        4 => "S_IFDIR",
        6 => "S_IFBLK",
        8 => "S_IFREG",
        10 => "S_IFLNK",
        12 => "S_IFSOCK",
        _ => "0",
    }
}

fn stat(address: u64, memory: &UserMemory<'_>) -> Option<String> {
    let [mode] = memory.halves(address.wrapping_add(16))?;
    let [rdev] = memory.words::<1>(address.wrapping_add(32))?;
    let [size] = memory.words::<1>(address.wrapping_add(48))?;
    let what = match mode >> 12 & 0xf {
        2 | 6 => format!("st_rdev=makedev({:#x}, {:#x})", rdev >> 8 & 0xfff, rdev & 0xff),
        _ => format!("st_size={size}"),
    };
    Some(format!("{{st_mode={}|{}, {what}, ...}}", file_type(mode), text::mode(u64::from(mode))))
}

fn statx(address: u64, memory: &UserMemory<'_>) -> Option<String> {
    let [mask] = memory.halves(address)?;
    let [mode] = memory.halves(address.wrapping_add(28))?;
    let [size] = memory.words::<1>(address.wrapping_add(40))?;
    let mask = text::flags(&sets::STATX, u64::from(mask));
    let (kind, mode) = (file_type(mode & 0xffff), text::mode(u64::from(mode)));
    Some(format!("{{stx_mask={mask}, stx_attributes=0, stx_mode={kind}|{mode}, stx_size={size}, ...}}"))
}

/// A status as `wait4` tells it.
fn wait_status(status: u64) -> String {
    match (status & 0x7f, status >> 8 & 0xff) {
        (0, code) => format!("WIFEXITED(s) && WEXITSTATUS(s) == {code}"),
        (0x7f, _) if status == 0xffff => "WIFCONTINUED(s)".to_string(),
        (0x7f, signal) => format!("WIFSTOPPED(s) && WSTOPSIG(s) == {}", text::signal(signal)),
        (signal, _) => format!("WIFSIGNALED(s) && WTERMSIG(s) == {}", text::signal(signal)),
    }
}

/// The last line of a process.
pub fn ending(status: u64) -> String {
    match (status & 0x7f, status & 0x80) {
        (0, _) => format!("+++ exited with {} +++", status >> 8 & 0xff),
        (signal, 0) => format!("+++ killed by {} +++", text::signal(signal)),
        (signal, _) => format!("+++ killed by {} (core dumped) +++", text::signal(signal)),
    }
}
