//! The function of each row of the table, by the name of its call.

pub use super::administration::{mount, umount2, unshare};
pub use super::advice::{fadvise64, madvise, process_madvise, readahead};
pub use super::alarms::{timer_create, timer_delete, timer_getoverrun, timer_gettime, timer_settime};
pub use super::attributes::{
    fgetxattr, flistxattr, fremovexattr, fsetxattr, getxattr, lgetxattr, listxattr, llistxattr, lremovexattr,
    lsetxattr, removexattr, setxattr,
};
pub use super::capabilities::{capget, capset};
pub use super::clone::{clone, clone3};
pub use super::copying::{copy_file_range, sendfile, splice, tee, vmsplice};
pub use super::credentials::{
    getegid, geteuid, getgid, getgroups, getresgid, getresuid, getuid, setfsgid, setfsuid, setgid, setgroups,
    setregid, setresgid, setresuid, setreuid, setuid,
};
pub use super::epoll::{epoll_create1, epoll_ctl, epoll_pwait, epoll_pwait2};
pub use super::event_files::{eventfd2, ioctl, signalfd4, timerfd_create, timerfd_gettime, timerfd_settime};
pub use super::files::{
    close, close_range, dup, dup3, fallocate, fcntl, fsync, fsync as fdatasync, ftruncate, getdents64, lseek,
    memfd_create, openat, pipe2,
};
pub use super::fixed::{
    absent as riscv_hwprobe, absent as rseq, nothing as sync, sync_one as syncfs,
    sync_range as sync_file_range,
};
pub use super::futex::futex;
pub use super::inotify::{inotify_add_watch, inotify_init1, inotify_rm_watch};
pub use super::io::{pread64, preadv, preadv2, pwrite64, pwritev, pwritev2, read, readv, write, writev};
pub use super::limits::{getrlimit, prlimit64, setrlimit};
pub use super::locks::flock;
pub use super::memory::{brk, mincore, mmap, mprotect, msync, munmap, riscv_flush_icache};
pub use super::message_queues::{msgctl, msgget, msgrcv, msgsnd};
pub use super::messages::{recvfrom, recvmmsg, recvmsg, sendmmsg, sendmsg, sendto};
pub use super::mlock::{mlock, mlock2, mlockall, munlock, munlockall};
pub use super::names::{
    chdir, faccessat, faccessat2, fchdir, fchmod, fchmodat, fchmodat2, fchown, fchownat, getcwd, linkat,
    mkdirat, mknodat, readlinkat, renameat2, symlinkat, truncate, umask, unlinkat, utimensat,
};
pub use super::pidfd::{pidfd_open, pidfd_send_signal};
pub use super::poll::{ppoll, pselect6};
pub use super::process::{
    execve, execveat, exit, exit_group, get_robust_list, getpgid, getpid, getppid, getsid, gettid, prctl,
    sched_yield, set_robust_list, set_tid_address, setpgid, setsid,
};
pub use super::remap::mremap;
pub use super::restart_syscall;
pub use super::scheduling::{
    getpriority, ioprio_get, ioprio_set, sched_get_priority_max, sched_get_priority_min, sched_getaffinity,
    sched_getattr, sched_getparam, sched_getscheduler, sched_rr_get_interval, sched_setaffinity,
    sched_setattr, sched_setparam, sched_setscheduler, setpriority,
};
pub use super::semaphores::{semctl, semget, semop, semtimedop};
pub use super::shared_memory::{shmat, shmctl, shmdt, shmget};
pub use super::signals::{
    kill, rt_sigaction, rt_sigpending, rt_sigprocmask, rt_sigqueueinfo, rt_sigreturn, rt_sigsuspend,
    rt_sigtimedwait, rt_tgsigqueueinfo, sigaltstack, tgkill, tkill,
};
pub use super::socket_options::{getsockopt, setsockopt};
pub use super::sockets::{
    accept, accept4, bind, connect, getpeername, getsockname, listen, shutdown, socket, socketpair,
};
pub use super::stat::{fstat, fstatfs, newfstatat, statfs, statx};
pub use super::system::{
    getcpu, getrandom, getrusage, personality, setdomainname, sethostname, sysinfo, uname,
};
pub use super::time::{
    clock_getres, clock_gettime, clock_nanosleep, clock_settime, getitimer, gettimeofday, nanosleep,
    setitimer, settimeofday, times,
};
pub use super::wait::{wait4, waitid};
