//! What the files of `/proc` say, in Linux's formats (proc(5)).

use crate::inode::DELETED;
use crate::vfs::Mounts;
use crate::{Errno, FileSystemId, MapFlags, MapInfo, MapUse, ProcInfo, ProcessInfo, SystemName, Text};
use alloc::format;
use alloc::string::ToString;
use core::fmt::{Arguments, Write};

/// Writes a file's text; `pid` is 0 for those of the system, a thread's number for those of a thread.
pub(super) type Writer = fn(&dyn ProcInfo, u32, &mut Text) -> Result<(), Errno>;

/// Writes what is mounted.
pub(super) type MountsWriter = fn(&Mounts, &mut Text) -> Result<(), Errno>;

/// Takes what is written to a file, with the number that its writer gets.
pub(super) type Taker = fn(&dyn ProcInfo, u32, &[u8]) -> Result<(), Errno>;

/// The release of Linux that this system is like.
pub const RELEASE: &str = "6.12.0";
/// The same for programs that know no other major number than 2 (UNAME26): 6.x is 2.6.(60 + x).
pub const RELEASE_AS_2_6: &str = "2.6.72";
/// Which kernel it is.
pub const VERSION: &str = "#1 Folio";
const KIB_PER_PAGE: u64 = isa::addr::PAGE_SIZE / 1024;
const PAGE: u64 = isa::addr::PAGE_SIZE;

fn process(info: &dyn ProcInfo, pid: u32) -> Result<ProcessInfo, Errno> {
    info.process(pid).ok_or(Errno::ESRCH)
}

/// Adds a line. It can only fail for want of memory.
fn line(out: &mut Text, text: Arguments<'_>) -> Result<(), Errno> {
    writeln!(out, "{text}").map_err(|_| Errno::ENOMEM)
}

pub(super) fn kernel_cmdline(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("root=/dev/vda rw"))
}

pub(super) fn hostname(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(&info.system_name(SystemName::Host))?;
    out.push(b"\n")
}

pub(super) fn osrelease(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("{RELEASE}"))
}

pub(super) fn kernel_version(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("{VERSION}"))
}

pub(super) fn ostype(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("Linux"))
}

pub(super) fn core_pattern(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("core"))
}

pub(super) fn domainname(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(&info.system_name(SystemName::Domain))?;
    out.push(b"\n")
}

/// Open files, free ones, and as many as there may be.
pub(super) fn file_nr(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("{}\t0\t{}", info.open_files(), i64::MAX))
}

pub(super) fn segments(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    const HEAD: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      \
                        dtime      ctime                   rss                  swap";
    line(out, format_args!("{HEAD}"))?;
    info.each_segment(&mut |it| {
        let ([uid, gid, cuid, cgid], [atime, dtime, ctime]) = (it.owner, it.times);
        write!(out, "{:10} {:10}  {:4o} {:21} ", it.key, it.id, it.mode, it.len_bytes)
            .map_err(|_| Errno::ENOMEM)?;
        write!(out, "{:5} {:5}  {:5} {uid:5} {gid:5} {cuid:5} {cgid:5} ", it.maker_pid, it.last_pid, it.uses)
            .map_err(|_| Errno::ENOMEM)?;
        line(out, format_args!("{atime:10} {dtime:10} {ctime:10} {:21} {:21}", it.resident_pages * PAGE, 0))
    })
}

pub(super) fn setting(value: u64, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("{value}"))
}

/// The number that a program has written, after which only spaces may come. EINVAL.
pub(super) fn number(bytes: &[u8]) -> Result<u64, Errno> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0').parse().map_err(|_| Errno::EINVAL)
}

pub(super) fn version(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("Linux version {RELEASE} (folio@folio) #1 Thu Jan 1 00:00:00 UTC 1970"))
}

pub(super) fn filesystems(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(b"nodev\tsysfs\nnodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\n\text4\n")
}

/// The number of the mount of the first file system; those of files without a name are before it.
const FIRST_MOUNT: u64 = 20;
/// What the root is mounted on.
const NO_MOUNT: u64 = 1;

/// The number of the mount of a file system.
pub(crate) fn mount_number(fs: FileSystemId) -> u64 {
    FIRST_MOUNT + u64::from(fs.0)
}

/// A path in a line of which spaces end words, as Linux writes it.
fn mount_path(path: &[u8], out: &mut Text) -> Result<(), Errno> {
    for &byte in path {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => {
                write!(out, "\\{byte:03o}").map_err(|_| Errno::ENOMEM)?;
            }
            _ => out.push(&[byte])?,
        }
    }
    Ok(())
}

pub(super) fn mounts(mounts: &Mounts, out: &mut Text) -> Result<(), Errno> {
    mounts.iter().try_for_each(|mount| {
        mount_path(&mount.device, out)?;
        out.push(b" ")?;
        mount_path(&mount.path, out)?;
        line(out, format_args!(" {} {},relatime{} 0 0", mount.kind, mount.flags.words(), mount.options))
    })
}

pub(super) fn mount_info(mounts: &Mounts, out: &mut Text) -> Result<(), Errno> {
    mounts.iter().try_for_each(|mount| {
        let parent = mount.covers.as_ref().map_or(NO_MOUNT, |(dir, _)| mount_number(dir.fs));
        let (id, minor) = (mount_number(mount.root.fs), u64::from(mount.root.fs.0) + 1);
        write!(out, "{id} {parent} 0:{minor} / ").map_err(|_| Errno::ENOMEM)?;
        mount_path(&mount.path, out)?;
        write!(out, " {},relatime - {} ", mount.flags.words(), mount.kind).map_err(|_| Errno::ENOMEM)?;
        mount_path(&mount.device, out)?;
        line(out, format_args!(" rw{}", mount.options))
    })
}

/// A file of `fdinfo`.
pub(super) fn descriptor(info: &dyn ProcInfo, pid: u32, fd: u32, out: &mut Text) -> Result<(), Errno> {
    let it = info.descriptor_info(pid, fd).ok_or(Errno::ENOENT)?;
    let mount = it.file.map_or(FIRST_MOUNT - 1, |file| mount_number(file.fs));
    let ino = it.file.map_or(1, |file| file.ino);
    line(out, format_args!("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{mount}\nino:\t{ino}", it.offset, it.flags))?;
    info.describe_descriptor(pid, fd, out)
}

pub(super) fn processors(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    match info.system().harts {
        0 | 1 => line(out, format_args!("0")),
        harts => line(out, format_args!("0-{}", harts - 1)),
    }
}

pub(super) fn huge_pages(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("always madvise [never]"))
}

/// The loopback interface alone; what goes over it is not counted, as there are no packets.
pub(super) fn network_devices(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(b"Inter-|   Receive                                                |  Transmit\n")?;
    out.push(b" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")?;
    let zeros = "       0       0    0    0    0     0          0         0";
    line(out, format_args!("    lo:{zeros} {zeros}"))
}

/// None: whoever is near is reached without one.
pub(super) fn routes(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(b"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n")
}

pub(super) fn addresses6(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("{:032x} 01 80 10 80       lo", 1))
}

pub(super) fn cpuinfo(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    for hart in 0..info.system().harts {
        line(out, format_args!("processor\t: {hart}"))?;
        line(out, format_args!("hart\t\t: {hart}"))?;
        line(out, format_args!("isa\t\t: rv64imafdc_zicntr_zicsr_zifencei"))?;
        line(out, format_args!("mmu\t\t: sv39"))?;
        line(out, format_args!(""))?;
    }
    Ok(())
}

pub(super) fn loadavg(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    let system = info.system();
    let (mut count, mut last) = (0, 0);
    info.each_process(&mut |pid| {
        (count, last) = (count + 1, pid);
        true
    });
    line(out, format_args!("0.00 0.00 0.00 {}/{} {last}", system.running, count))
}

pub(super) fn meminfo(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    let system = info.system();
    let swap = system.swap.unwrap_or_default();
    let rows = [
        ("MemTotal", system.total_pages),
        ("MemFree", system.free_pages),
        // Clean pages of the cache are dropped when frames run out.
        ("MemAvailable", system.free_pages + system.cached_pages),
        ("Buffers", 0),
        ("Cached", system.cached_pages + system.shared_memory_pages),
        ("SwapCached", swap.cached_pages),
        ("SwapTotal", swap.total_pages),
        ("SwapFree", swap.total_pages - swap.used_pages),
        ("Dirty", 0),
        ("AnonPages", system.anonymous_pages),
        ("Shmem", system.shared_memory_pages),
        ("PageTables", system.page_table_pages),
        ("CommitLimit", system.commit_limit_pages),
        ("Committed_AS", system.committed_pages),
    ];
    for (name, pages) in rows {
        line(out, format_args!("{:<16}{:>8} kB", format!("{name}:"), pages * KIB_PER_PAGE))?;
    }
    Ok(())
}

/// What Linux has of this and is known here, in its order; pages, and what has happened since boot.
pub(super) fn vmstat(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    let (system, (faults, major_faults)) = (info.system(), info.faults());
    let swap = system.swap.unwrap_or_default();
    for (name, count) in [
        ("nr_free_pages", system.free_pages),
        ("nr_anon_pages", system.anonymous_pages),
        ("nr_file_pages", system.cached_pages + system.shared_memory_pages),
        ("nr_dirty", 0),
        ("nr_shmem", system.shared_memory_pages),
        ("nr_page_table_pages", system.page_table_pages),
        ("nr_swapcached", swap.cached_pages),
        ("pswpin", swap.pages_in),
        ("pswpout", swap.pages_out),
        ("pgfault", faults),
        ("pgmajfault", major_faults),
    ] {
        line(out, format_args!("{name} {count}"))?;
    }
    Ok(())
}

pub(super) fn swaps(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority"))?;
    let Some(swap) = info.system().swap else { return Ok(()) };
    // Linux keeps the columns below their heads for sizes of up to seven digits.
    let column = |pages: u64| {
        let size = pages * KIB_PER_PAGE;
        format!("{size}\t{}", if size < 10_000_000 { "\t" } else { "" })
    };
    let path = format!("/dev/{}", swap.disk);
    let (size, used) = (column(swap.total_pages), column(swap.used_pages));
    line(out, format_args!("{path:<40}partition\t{size}{used}-2"))
}

/// Hundredths of a second, as seconds with two decimals.
fn seconds(ticks: u64) -> alloc::string::String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

pub(super) fn uptime(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    let system = info.system();
    line(out, format_args!("{} {}", seconds(system.uptime_ticks), seconds(system.idle_ticks)))
}

pub(super) fn system_stat(info: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    let system = info.system();
    let times = format!("{} 0 {} {} 0 0 0 0 0 0", system.user_ticks, system.system_ticks, system.idle_ticks);
    line(out, format_args!("cpu  {times}"))?;
    // Times are kept for the whole machine; they are shown as hart 0's.
    for hart in 0..system.harts {
        let times = if hart == 0 { times.as_str() } else { "0 0 0 0 0 0 0 0 0 0" };
        line(out, format_args!("cpu{hart} {times}"))?;
    }
    line(out, format_args!("intr {}", system.interrupts))?;
    line(out, format_args!("ctxt {}", system.context_switches))?;
    line(out, format_args!("btime {}", system.boot_seconds))?;
    line(out, format_args!("processes {}", system.forks))?;
    line(out, format_args!("procs_running {}", system.running))?;
    line(out, format_args!("procs_blocked {}", system.blocked))?;
    Ok(())
}

pub(super) fn cmdline(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    info.cmdline(pid, out)
}

pub(super) fn environ(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    info.environ(pid, out)
}

pub(super) fn auxv(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    info.auxv(pid, out)
}

pub(super) fn io(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    let counts = info.transfers(pid);
    for (name, count) in [
        ("rchar", counts.bytes_read),
        ("wchar", counts.bytes_written),
        ("syscr", counts.reads),
        ("syscw", counts.writes),
        ("read_bytes", counts.bytes_from_disk),
        ("write_bytes", 0),
        ("cancelled_write_bytes", 0),
    ] {
        line(out, format_args!("{name}: {count}"))?;
    }
    Ok(())
}

/// Linux's measure: a thousand, and as many thousandths of the memory as the process has, of which two thirds are told.
pub(super) fn oom_score(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    let (known, total) = (process(info, pid)?, info.system().total_pages.max(1));
    let used = i64::try_from((known.resident_pages + known.swapped_pages) * 1000 / total).unwrap_or(1000);
    // As Linux: a process that is never killed has 0, one that is like others two thirds of a thousand.
    let score = if known.oom_score_adj <= -1000 { 0 } else { 1000 + used + i64::from(known.oom_score_adj) };
    line(out, format_args!("{}", score.max(0) * 2 / 3))
}

pub(super) fn oom_score_adj(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    line(out, format_args!("{}", process(info, pid)?.oom_score_adj))
}

pub(super) fn set_oom_score_adj(info: &dyn ProcInfo, pid: u32, bytes: &[u8]) -> Result<(), Errno> {
    let text = core::str::from_utf8(bytes).map_err(|_| Errno::EINVAL)?;
    let value: i32 = text
        .trim_matches(|c: char| c.is_ascii_whitespace() || c == '\0')
        .parse()
        .map_err(|_| Errno::EINVAL)?;
    let value = i16::try_from(value).map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL);
    }
    info.set_oom_score_adj(pid, value)
}

/// Where it waits in the kernel: that is not told.
pub(super) fn wchan(_: &dyn ProcInfo, _: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(b"0")
}

pub(super) fn comm(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    out.push(&process(info, pid)?.comm)?;
    out.push(b"\n")
}

/// Gives a thread another name, of at most 15 bytes.
pub(super) fn set_comm(info: &dyn ProcInfo, tid: u32, bytes: &[u8]) -> Result<(), Errno> {
    const NAME_BYTES: usize = 15;
    let name = &bytes[..bytes.len().min(NAME_BYTES)];
    info.set_comm(tid, name.split(|&byte| byte == 0).next().unwrap_or_default())
}

pub(super) fn maps(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    info.each_map(pid, &mut |map| map_line(map, out))
}

fn map_line(map: &MapInfo<'_>, out: &mut Text) -> Result<(), Errno> {
    let flag = |set, letter| if set { letter } else { '-' };
    let &MapInfo { start, end, offset, .. } = map;
    let (minor, ino) = map.file.map_or((0, 0), |file| (file.fs.device_number(), file.ino));
    let text = format!(
        "{start:08x}-{end:08x} {}{}{}{} {offset:08x} 00:{minor:02x} {ino} ",
        flag(map.readable, 'r'),
        flag(map.writable, 'w'),
        flag(map.executable, 'x'),
        if map.shared { 's' } else { 'p' },
    );
    // Names begin in column 74; lines without one end in the space after the inode.
    let text = if map.name.is_empty() { text } else { format!("{text:<73}") };
    out.push(text.as_bytes())?;
    // A name that goes over lines would end the mapping's.
    for (index, part) in map.name.split(|&byte| byte == b'\n').enumerate() {
        out.push(if index > 0 { b"\\012" } else { b"" })?;
        out.push(part)?;
    }
    out.push(if map.is_deleted { DELETED } else { b"" })?;
    out.push(b"\n")
}

/// The lines of proc_pid_smaps(5) that can be other than 0.
pub(super) fn smaps(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    info.each_map_use(pid, &mut |map, used| {
        map_line(map, out)?;
        let pages = |pages| pages * KIB_PER_PAGE;
        for (name, kib) in [
            ("Size", (map.end - map.start) / 1024),
            ("KernelPageSize", KIB_PER_PAGE),
            ("MMUPageSize", KIB_PER_PAGE),
            ("Rss", pages(used.resident())),
            ("Pss", used.share_bytes / 1024),
            ("Shared_Clean", pages(used.shared_clean)),
            ("Shared_Dirty", pages(used.shared_dirty)),
            ("Private_Clean", pages(used.private_clean)),
            ("Private_Dirty", pages(used.private_dirty)),
            ("Referenced", pages(used.referenced)),
            ("Anonymous", pages(used.anonymous)),
            ("LazyFree", pages(used.given_up)),
            ("Swap", pages(used.swapped)),
            ("SwapPss", used.swapped_share_bytes / 1024),
            ("Locked", if map.flags.contains(MapFlags::LOCKED) { used.share_bytes / 1024 } else { 0 }),
        ] {
            line(out, format_args!("{:<16}{kib:>8} kB", format!("{name}:")))?;
        }
        vm_flags(map, out)
    })
}

/// The last line of a mapping: what it is, by two letters each, in Linux's order.
fn vm_flags(map: &MapInfo<'_>, out: &mut Text) -> Result<(), Errno> {
    let is = |flag| map.flags.contains(flag);
    let may_write = !is(MapFlags::NEVER_WRITABLE);
    let letters = [
        (map.readable, "rd"),
        (map.writable, "wr"),
        (map.executable, "ex"),
        // To Linux, what is shared and may never be written is not.
        (map.shared && may_write, "sh"),
        (true, "mr"),
        (may_write, "mw"),
        (true, "me"),
        (map.shared, "ms"),
        (is(MapFlags::GROWS_DOWN), "gd"),
        (is(MapFlags::LOCKED), "lo"),
        (is(MapFlags::DONT_FORK), "dc"),
        (is(MapFlags::LOCKED_ON_FAULT), "lf"),
        (map.writable && !map.shared, "ac"),
        (is(MapFlags::WIPE_ON_FORK), "wf"),
    ];
    out.push(b"VmFlags: ")?;
    for (_, letters) in letters.into_iter().filter(|(is_so, _)| *is_so) {
        out.push(letters.as_bytes())?;
        out.push(b" ")?;
    }
    out.push(b"\n")
}

/// The pages of all mappings that are in memory.
fn use_of_all(info: &dyn ProcInfo, pid: u32) -> Result<MapUse, Errno> {
    let mut sum = MapUse::default();
    info.each_map_use(pid, &mut |_, used| {
        sum.file += used.file;
        sum.memory_file += used.memory_file;
        Ok(())
    })?;
    Ok(sum)
}

pub(super) fn limits(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    static ROWS: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let limits = info.limits(pid).ok_or(Errno::ESRCH)?;
    let number = |limit: u64| if limit == u64::MAX { "unlimited".to_string() } else { limit.to_string() };
    line(out, format_args!("{:<26}{:<21}{:<21}{:<10}", "Limit", "Soft Limit", "Hard Limit", "Units"))?;
    for ((name, unit), &(soft, hard)) in ROWS.iter().zip(&limits) {
        line(out, format_args!("{name:<26}{:<21}{:<21}{unit:<10}", number(soft), number(hard)))?;
    }
    Ok(())
}

/// The first 52 fields of proc_pid_stat(5); those that mean nothing here are 0.
pub(super) fn stat(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    let p = process(info, pid)?;
    write!(out, "{pid} (").map_err(|_| Errno::ENOMEM)?;
    out.push(&p.comm)?;
    let state = char::from(p.state);
    line(
        out,
        format_args!(
            ") {state} {ppid} {pgid} {sid} {terminal} {foreground} 4194304 {minor} 0 {major} 0 {utime} {stime} 0 0 {priority} {nice} {threads} 0 \
             {start} {vsize} {rss} 18446744073709551615 0 0 {stack} 0 0 {pending} {blocked} {ignored} {caught} \
             0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
            ppid = p.ppid,
            pgid = p.pgid,
            sid = p.sid,
            terminal = p.terminal.map_or(0, |terminal| terminal.0),
            foreground = p.terminal.and_then(|terminal| terminal.1).map_or(-1, i64::from),
            minor = p.minor_faults,
            major = p.major_faults,
            utime = p.user_ticks,
            stime = p.system_ticks,
            priority = 20 + p.nice,
            nice = p.nice,
            threads = p.threads,
            start = p.start_ticks,
            vsize = p.virtual_pages * PAGE,
            rss = p.resident_pages,
            stack = p.start_stack,
            pending = p.signals_pending,
            blocked = p.signals_blocked,
            ignored = p.signals_ignored,
            caught = p.signals_caught,
        ),
    )
}

pub(super) fn statm(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    let p = process(info, pid)?;
    let used = use_of_all(info, p.tgid)?;
    let shared = used.file + used.memory_file;
    line(
        out,
        format_args!(
            "{} {} {shared} {} 0 {} 0",
            p.virtual_pages,
            p.resident_pages,
            p.text_pages,
            p.data_pages + p.stack_pages
        ),
    )
}

pub(super) fn status(info: &dyn ProcInfo, pid: u32, out: &mut Text) -> Result<(), Errno> {
    let p = process(info, pid)?;
    let state = match p.state {
        b'R' => "R (running)",
        b'S' => "S (sleeping)",
        b'D' => "D (disk sleep)",
        b'T' => "T (stopped)",
        _ => "Z (zombie)",
    };
    out.push(b"Name:\t")?;
    out.push(&p.comm)?;
    line(out, format_args!(""))?;
    line(out, format_args!("Umask:\t{:04o}", p.umask))?;
    line(out, format_args!("State:\t{state}"))?;
    for (name, value) in [("Tgid", p.tgid), ("Ngid", 0), ("Pid", pid), ("PPid", p.ppid), ("TracerPid", 0)] {
        line(out, format_args!("{name}:\t{value}"))?;
    }
    for (name, [real, effective, saved, fs]) in [("Uid", p.users), ("Gid", p.groups)] {
        line(out, format_args!("{name}:\t{real}\t{effective}\t{saved}\t{fs}"))?;
    }
    let used = use_of_all(info, p.tgid)?;
    let anonymous = p.resident_pages.saturating_sub(used.file + used.memory_file);
    for (name, pages) in [
        ("VmPeak", p.peak_virtual_pages),
        ("VmSize", p.virtual_pages),
        ("VmLck", p.locked_pages),
        ("VmHWM", p.peak_resident_pages),
        ("VmRSS", p.resident_pages),
        ("RssAnon", anonymous),
        ("RssFile", used.file),
        ("RssShmem", used.memory_file),
        ("VmData", p.data_pages),
        ("VmStk", p.stack_pages),
        ("VmExe", p.text_pages),
        ("VmSwap", p.swapped_pages),
    ] {
        line(out, format_args!("{name}:\t{:>8} kB", pages * KIB_PER_PAGE))?;
    }
    line(out, format_args!("Threads:\t{}", p.threads))?;
    for (name, set) in [
        ("SigPnd", p.signals_pending),
        ("ShdPnd", p.signals_pending_shared),
        ("SigBlk", p.signals_blocked),
        ("SigIgn", p.signals_ignored),
        ("SigCgt", p.signals_caught),
    ] {
        line(out, format_args!("{name}:\t{set:016x}"))?;
    }
    for (name, set) in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].iter().zip(p.capabilities) {
        line(out, format_args!("{name}:\t{:016x}", set.bits()))?;
    }
    line(out, format_args!("NoNewPrivs:\t{}", u8::from(p.gains_nothing)))?;
    line(out, format_args!("Seccomp:\t0"))
}
