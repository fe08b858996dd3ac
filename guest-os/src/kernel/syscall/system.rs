//! The system as a whole: its name, its numbers, random bytes, resource usage.

use super::{Arguments, Outcome, has_failed, int, length, uint};
use crate::arch;
use crate::devices::clock::NANOSECONDS_PER_TICK;
use crate::devices::swap;
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::mem::FRAME_BYTES;
use crate::memory::user::{self, UserPtr, plain, zeroed};
use crate::memory::{heap, inject, mem};
use crate::processes::process::{self, Usage};
use ::proc::CapSet;
use alloc::vec::Vec;
use fs::{Errno, RandomSource, SystemName};
use isa::PAGE_SIZE;
use isa::time::TIMEBASE_HZ;
use linux_raw_sys::general as linux;
use linux_raw_sys::system;

plain!(linux::rusage, system::new_utsname);

static RANDOM: HartLocal<RandomSource> = HartLocal::new(RandomSource::new(0));

/// Seeds the random bytes.
pub fn start(seed: u64) {
    *RANDOM.get_mut() = RandomSource::new(seed);
}

/// Sixteen random bytes.
pub fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill_random(&mut bytes);
    bytes
}

/// Fills a buffer with random bytes.
pub fn fill_random(buffer: &mut [u8]) {
    RANDOM.get_mut().fill(buffer);
}

pub fn getrandom([buffer, len, flags, ..]: Arguments) -> Outcome {
    const CONTRADICTION: u32 = linux::GRND_RANDOM | linux::GRND_INSECURE;
    if uint(flags) & CONTRADICTION == CONTRADICTION {
        return Err(Errno::EINVAL.into());
    }
    let len = length(len).min(32 << 20);
    let thread = current();
    let mut bytes = thread.scratch.borrow_mut();
    let mut done = 0;
    while done < len {
        let want = (len - done).min(FRAME_BYTES);
        let at = buffer.wrapping_add(done as u64);
        let copied = inject::attempts(has_failed, || {
            heap::settle()?;
            fill_random(&mut bytes[..want]);
            Ok(user::copy_out_some(at, &bytes[..want])?)
        });
        match copied {
            Ok(count) => done += count,
            Err(_) if done > 0 => break,
            Err(stop) => return Err(stop),
        }
    }
    Ok(done as u64)
}

/// There is one processor, and one node.
pub fn getcpu([processor, node, ..]: Arguments) -> Outcome {
    for pointer in [processor, node] {
        if let Some(pointer) = UserPtr::<u32>::from(pointer).non_null() {
            pointer.write(0)?;
        }
    }
    Ok(0)
}

/// Of a personality: its programs are not placed at random.
pub const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;

/// Of a personality: the release is told as one of those numbered 2.6.
const UNAME26: u32 = 0x0002_0000;

/// Any, as on Linux; all ones ask which it is. Only two flags change anything ([`ADDR_NO_RANDOMIZE`], UNAME26).
pub fn personality([persona, ..]: Arguments) -> Outcome {
    const ASK: u32 = u32::MAX;
    let this = current();
    let before = this.persona.get();
    if uint(persona) != ASK {
        this.persona.set(uint(persona));
    }
    Ok(u64::from(before))
}

pub fn uname([buffer, ..]: Arguments) -> Outcome {
    let mut name: system::new_utsname = zeroed();
    put(&mut name.sysname, b"Linux");
    put(&mut name.nodename, &self::name(SystemName::Host));
    let is_old = current().persona.get() & UNAME26 != 0;
    put(&mut name.release, if is_old { fs::RELEASE_AS_2_6 } else { fs::RELEASE }.as_bytes());
    put(&mut name.version, fs::VERSION.as_bytes());
    put(&mut name.machine, b"riscv64");
    put(&mut name.domainname, &self::name(SystemName::Domain));
    UserPtr::from(buffer).write(name)?;
    Ok(0)
}

/// What programs have called the system.
struct Names {
    host: Option<Vec<u8>>,
    domain: Option<Vec<u8>>,
}

static NAMES: HartLocal<Names> = HartLocal::new(Names { host: None, domain: None });

/// What the system is called now.
pub fn name(which: SystemName) -> Vec<u8> {
    let names = NAMES.get();
    let (given, usual) = match which {
        SystemName::Host => (&names.host, b"folio".as_slice()),
        SystemName::Domain => (&names.domain, b"(none)".as_slice()),
    };
    given.clone().unwrap_or_else(|| usual.to_vec())
}

/// Reads a name that an administrator gives to the system.
fn read_name(address: u64, len: u64) -> Result<Vec<u8>, Errno> {
    const MOST_BYTES: usize = 64;
    if !current().process.credentials.borrow().can(CapSet::SYS_ADMIN) {
        return Err(Errno::EPERM);
    }
    let len = usize::try_from(int(len)).ok().filter(|&len| len <= MOST_BYTES).ok_or(Errno::EINVAL)?;
    let mut name = alloc::vec![0; len];
    user::copy_in(address, &mut name)?;
    // It is told as a string.
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name.truncate(end);
    Ok(name)
}

pub fn sethostname([address, len, ..]: Arguments) -> Outcome {
    let name = read_name(address, len)?;
    NAMES.get_mut().host = Some(name);
    Ok(0)
}

pub fn setdomainname([address, len, ..]: Arguments) -> Outcome {
    let name = read_name(address, len)?;
    NAMES.get_mut().domain = Some(name);
    Ok(0)
}

fn put<T: From<u8>>(field: &mut [T; 65], text: &[u8]) {
    for (to, &from) in field.iter_mut().zip(text) {
        *to = T::from(from);
    }
}

/// `struct sysinfo`: 112 bytes, by words because of its padding.
pub fn sysinfo([buffer, ..]: Arguments) -> Outcome {
    let total = mem::memory().frames().total();
    let counts = mem::memory().frames().counts();
    let swap_slots = swap::area().map_or(0, |area| u64::from(area.slots));
    let processes = process::table(|t| t.len()) as u64;
    let words: [u64; 14] = [
        arch::time() / TIMEBASE_HZ,
        0,
        0,
        0,
        total * PAGE_SIZE,
        counts.free * PAGE_SIZE,
        0,
        0,
        swap_slots * PAGE_SIZE,
        (swap_slots - swap::used_slots()) * PAGE_SIZE,
        processes & 0xffff,
        0,
        0,
        1,
    ];
    for (index, word) in (0..).zip(words) {
        UserPtr::<u64>::from(buffer).at(index).write(word)?;
    }
    Ok(0)
}

pub fn getrusage([who, buffer, ..]: Arguments) -> Outcome {
    const CHILDREN: i32 = -1;
    const THREAD: i32 = 1;
    let this = current();
    this.count_system_time();
    let whole = this.process.usage();
    let usage = match int(who) {
        0 => whole,
        THREAD => Usage { peak_resident_pages: whole.peak_resident_pages, ..this.usage.get() },
        CHILDREN => this.process.children_usage.get(),
        _ => return Err(Errno::EINVAL.into()),
    };
    write_usage(buffer, &usage)?;
    Ok(0)
}

/// Writes a `struct rusage`.
pub fn write_usage(buffer: u64, usage: &Usage) -> Result<(), Errno> {
    let time = |ticks: u64| {
        let microseconds = (ticks * NANOSECONDS_PER_TICK / 1000).cast_signed();
        linux::__kernel_old_timeval { tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000 }
    };
    UserPtr::from(buffer).write(linux::rusage {
        ru_utime: time(usage.user_ticks),
        ru_stime: time(usage.system_ticks),
        ru_maxrss: (usage.peak_resident_pages * PAGE_SIZE / 1024).cast_signed(),
        ru_minflt: usage.minor_faults.cast_signed(),
        ru_majflt: usage.major_faults.cast_signed(),
        ..zeroed()
    })
}
