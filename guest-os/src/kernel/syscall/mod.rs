//! Linux riscv64 system calls: the table, and what every call has in common. One file a family.
//!
//! A call gets its arguments as numbers, returns a number or an [`Errno`], and touches user memory through
//! [`crate::user`] only. Numbers and structures are those of `linux-raw-sys`.

pub mod files;
pub mod futex;
pub mod io;
pub mod limits;
mod memory;
mod names;
mod poll;
mod process;
mod signals;
mod stat;
pub mod system;
pub mod terminal;
mod time;

use crate::hart::current;
use crate::local::HartLocal;
use crate::signal::Interrupted;
use crate::thread::Thread;
use crate::{heap, inject};
use ::proc::{DescriptorError, ExitStatus};
use alloc::collections::BTreeSet;
use fs::Errno;
use linux_raw_sys::general::*;

/// Why a call does not return a number.
pub enum Stop {
    /// An error for the program.
    Errno(Errno),
    /// Cut short by a signal; `true`: a handler with SA_RESTART lets it start again.
    Signal(bool),
    /// The thread ends.
    Exit(ExitStatus),
    /// The call has set the registers itself.
    RegistersSet,
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Errno(errno)
    }
}

/// What a call comes to.
pub type Outcome = Result<u64, Stop>;

/// Whether a call, or a part of it, has come to an error.
fn has_failed<T>(result: &Result<T, Stop>) -> bool {
    matches!(result, Err(Stop::Errno(_)))
}

/// Arguments `a0` to `a5`.
pub type Arguments = [u64; 6];

/// Serves the system call that the running thread has made; a status ends it.
pub fn serve(thread: &Thread) -> Option<ExitStatus> {
    let (number, arguments) = {
        let mut frame = thread.frame.borrow_mut();
        frame.pc += 4;
        let argument = |n| frame.argument(n);
        (argument(7), [argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)])
    };
    let outcome = inject::attempts(has_failed, || {
        if needs_share(number) {
            heap::settle()?;
        }
        dispatch(number, arguments)
    });
    files::release_held(thread);
    let result = match outcome {
        Ok(value) => value,
        Err(Stop::Errno(errno)) => errno.to_return_value(),
        Err(Stop::RegistersSet) => return None,
        Err(Stop::Exit(status)) => return Some(status),
        Err(Stop::Signal(restartable)) => {
            thread.restart.set(Some(Interrupted { argument: arguments[0], restartable }));
            return None;
        }
    };
    thread.frame.borrow_mut().x[10] = result;
    None
}

/// Whether a call is refused when the kernel has no memory for what it may need. Not those that only give back or only
/// tell: they go on with what is left of the thread's share.
#[allow(non_upper_case_globals)] // the constants are named as in Linux
fn needs_share(number: u64) -> bool {
    !matches!(
        u32::try_from(number),
        Ok(__NR_exit
            | __NR_exit_group
            | __NR_brk // asks by itself: it has no error to give
            | __NR_close
            | __NR_wait4
            | __NR_rt_sigreturn
            | __NR_rt_sigprocmask
            | __NR_sched_yield
            | __NR_clock_gettime
            | __NR_gettimeofday
            | __NR_getpid
            | __NR_gettid
            | __NR_getppid
            | __NR_getuid
            | __NR_geteuid
            | __NR_getgid
            | __NR_getegid
            | __NR_umask)
    )
}

#[allow(non_upper_case_globals)] // the constants are named as in Linux
#[inline(never)] // so that it stays a jump through a table
fn dispatch(number: u64, a: Arguments) -> Outcome {
    let Ok(number) = u32::try_from(number) else { return Err(Errno::ENOSYS.into()) };
    match number {
        __NR_read => io::read(a),
        __NR_write => io::write(a),
        __NR_readv => io::readv(a),
        __NR_writev => io::writev(a),
        __NR_pread64 => io::pread64(a),
        __NR_pwrite64 => io::pwrite64(a),
        __NR_preadv => io::preadv(a),
        __NR_pwritev => io::pwritev(a),
        __NR_sendfile => io::sendfile(a),
        __NR_openat => files::openat(a),
        __NR_memfd_create => files::memfd_create(a),
        __NR_close => files::close(a),
        __NR_close_range => files::close_range(a),
        __NR_dup => files::dup(a),
        __NR_dup3 => files::dup3(a),
        __NR_fcntl => files::fcntl(a),
        __NR_flock => files::flock(a),
        __NR_lseek => files::lseek(a),
        __NR_pipe2 => files::pipe2(a),
        __NR_ftruncate => files::ftruncate(a),
        __NR_fsync | __NR_fdatasync => files::fsync(a),
        __NR_sync => Ok(0),
        __NR_ioctl => terminal::ioctl(a),
        __NR_getdents64 => files::getdents64(a),
        __NR_newfstatat => stat::newfstatat(a),
        __NR_fstat => stat::fstat(a),
        __NR_statx => stat::statx(a),
        __NR_statfs => stat::statfs(a),
        __NR_fstatfs => stat::fstatfs(a),
        __NR_readlinkat => names::readlinkat(a),
        __NR_faccessat | __NR_faccessat2 => names::faccessat(a, number == __NR_faccessat2),
        __NR_mkdirat => names::mkdirat(a),
        __NR_unlinkat => names::unlinkat(a),
        __NR_renameat2 => names::renameat2(a),
        __NR_linkat => names::linkat(a),
        __NR_symlinkat => names::symlinkat(a),
        __NR_fchmod => names::fchmod(a),
        __NR_fchmodat => names::fchmodat(a),
        __NR_fchown => names::fchown(a),
        __NR_fchownat => names::fchownat(a),
        __NR_utimensat => names::utimensat(a),
        __NR_truncate => names::truncate(a),
        __NR_chdir => names::chdir(a),
        __NR_fchdir => names::fchdir(a),
        __NR_getcwd => names::getcwd(a),
        __NR_umask => names::umask(a),
        __NR_brk => memory::brk(a),
        __NR_mmap => memory::mmap(a),
        __NR_munmap => memory::munmap(a),
        __NR_mprotect => memory::mprotect(a),
        __NR_mremap => memory::mremap(a),
        __NR_madvise => memory::madvise(a),
        __NR_riscv_flush_icache => memory::riscv_flush_icache(a),
        __NR_msync => memory::msync(a),
        __NR_mlock | __NR_munlock => memory::check_mapped(a),
        __NR_clone => process::clone(a),
        __NR_execve => process::execve(a),
        __NR_exit => process::exit(a),
        __NR_exit_group => process::exit_group(a),
        __NR_wait4 => process::wait4(a),
        __NR_getpid => Ok(u64::from(current().process.pid)),
        __NR_gettid => Ok(u64::from(current().tid().0)),
        __NR_getppid => process::getppid(a),
        __NR_getuid | __NR_geteuid | __NR_getgid | __NR_getegid => Ok(0),
        __NR_setuid | __NR_setgid | __NR_setreuid | __NR_setregid | __NR_setresuid | __NR_setresgid
        | __NR_setgroups | __NR_setfsuid | __NR_setfsgid => Ok(0),
        __NR_getresuid | __NR_getresgid => process::getresuid(a),
        __NR_getgroups => Ok(0),
        __NR_getpgid => process::getpgid(a),
        __NR_setpgid => process::setpgid(a),
        __NR_getsid => process::getsid(a),
        __NR_setsid => process::setsid(a),
        __NR_set_tid_address => process::set_tid_address(a),
        __NR_set_robust_list => process::set_robust_list(a),
        __NR_prctl => process::prctl(a),
        __NR_sched_yield => process::sched_yield(a),
        __NR_sched_getaffinity => process::sched_getaffinity(a),
        __NR_getpriority => Ok(20),
        __NR_setpriority | __NR_sched_setaffinity => Ok(0),
        __NR_futex => futex::futex(a),
        __NR_rt_sigaction => signals::rt_sigaction(a),
        __NR_rt_sigprocmask => signals::rt_sigprocmask(a),
        __NR_rt_sigpending => signals::rt_sigpending(a),
        __NR_rt_sigsuspend => signals::rt_sigsuspend(a),
        __NR_rt_sigtimedwait => signals::rt_sigtimedwait(a),
        __NR_rt_sigreturn => signals::rt_sigreturn(a),
        __NR_sigaltstack => signals::sigaltstack(a),
        __NR_kill => signals::kill(a),
        __NR_tkill => signals::tkill(a),
        __NR_tgkill => signals::tgkill(a),
        __NR_ppoll => poll::ppoll(a),
        __NR_pselect6 => poll::pselect6(a),
        __NR_clock_gettime => time::clock_gettime(a),
        __NR_clock_getres => time::clock_getres(a),
        __NR_clock_nanosleep => time::clock_nanosleep(a),
        __NR_nanosleep => time::nanosleep(a),
        __NR_gettimeofday => time::gettimeofday(a),
        __NR_times => time::times(a),
        __NR_setitimer => time::setitimer(a),
        __NR_getitimer => time::getitimer(a),
        __NR_uname => system::uname(a),
        __NR_sysinfo => system::sysinfo(a),
        __NR_getrandom => system::getrandom(a),
        __NR_getrusage => system::getrusage(a),
        __NR_getrlimit | __NR_setrlimit | __NR_prlimit64 => limits::prlimit64(number, a),
        __NR_getcpu => Ok(0),
        // There is no network. A shell asks whether its input is a connection; any other error than this means yes to it.
        __NR_getpeername | __NR_getsockname => {
            files::open_file(a[0]).and(Err(Errno::ENOTSOCK)).map_err(Stop::from)
        }
        // Programs take this for an answer (bash asks when it looks up its host's name).
        __NR_socket => Err(Errno::EAFNOSUPPORT.into()),
        __NR_rseq | __NR_riscv_hwprobe | __NR_clone3 => Err(Errno::ENOSYS.into()),
        _ => unknown(number),
    }
}

/// The most numbers that are named: a program may try them all.
const MAX_NAMED: usize = 256;
/// Numbers already named in the log.
static NAMED: HartLocal<BTreeSet<u32>> = HartLocal::new(BTreeSet::new());

fn unknown(number: u32) -> Outcome {
    let mut named = NAMED.get_mut();
    if named.len() < MAX_NAMED && named.insert(number) {
        log::warn!("system call {number} is not known (ENOSYS)");
    }
    Err(Errno::ENOSYS.into())
}

/// A descriptor argument.
fn descriptor(argument: u64) -> Result<u32, Errno> {
    u32::try_from(int(argument)).map_err(|_| Errno::EBADF)
}

/// An `int` argument: the low 32 bits count.
#[allow(clippy::cast_possible_truncation)] // the calling convention passes an int in the low half
fn int(argument: u64) -> i32 {
    argument as i32
}

/// An `unsigned int` argument: the low 32 bits count.
#[allow(clippy::cast_possible_truncation)] // as in `int`
fn uint(argument: u64) -> u32 {
    argument as u32
}

/// A length argument; a number past the end of memory is cut, the copy will fail.
fn length(argument: u64) -> usize {
    usize::try_from(argument).unwrap_or(usize::MAX)
}

fn descriptor_error(error: DescriptorError) -> Errno {
    match error {
        DescriptorError::NotOpen => Errno::EBADF,
        DescriptorError::Full => Errno::EMFILE,
        DescriptorError::OutOfRange => Errno::EINVAL,
        DescriptorError::Reserved => Errno::EBUSY,
        DescriptorError::NoMemory => Errno::ENOMEM,
    }
}
