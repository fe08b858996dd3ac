//! The table of system calls.

use crate::Kind::{
    Address, DirFd, Fd, Flags, Id, In, InOut, Int, Mode, Offset, Out, Path, Pid, Signal, Size, Strings,
    Unsigned, Word,
};
use crate::Layout::{
    Bytes, Descriptors, Entries, IntPair, Itimerval, Noise, Polls, Processors, Remainder, Rlimit, Rusage,
    Sigaction, Siginfo, SignalStack, Sigset, SigsetArgument, Stat, Statfs, Statx, Sysinfo, Text, Timespec,
    TimespecPair, Timeval, Timezone, Tms, Utsname, Vector, WaitStatus,
};
use crate::call::{Argument, Call, Memory, Returns};
use crate::{Layout, sets};

/// Hands every row to the macro `$user`: number and name, the arguments with their kinds, what comes back if it is no number,
/// `spares` if the call goes on without memory of the kernel's, and a remark.
#[macro_export]
macro_rules! each_call {
    ($user:ident) => {
        $user! {
            5 setxattr(path: Path, name: Path, value: Address, size: Size, flags: Flags(&sets::XATTR));
            6 lsetxattr(path: Path, name: Path, value: Address, size: Size, flags: Flags(&sets::XATTR));
            7 fsetxattr(fd: Fd, name: Path, value: Address, size: Size, flags: Flags(&sets::XATTR));
            8 getxattr(path: Path, name: Path, value: Address, size: Size);
            9 lgetxattr(path: Path, name: Path, value: Address, size: Size);
            10 fgetxattr(fd: Fd, name: Path, value: Address, size: Size);
            11 listxattr(path: Path, list: Address, size: Size);
            12 llistxattr(path: Path, list: Address, size: Size);
            13 flistxattr(fd: Fd, list: Address, size: Size);
            14 removexattr(path: Path, name: Path);
            15 lremovexattr(path: Path, name: Path);
            16 fremovexattr(fd: Fd, name: Path);
            17 getcwd(buffer: Out(Text { len: 1 }), size: Size);
            19 eventfd2(count: Unsigned, flags: Flags(&sets::EVENT_FILE));
            20 epoll_create1(flags: Flags(&sets::EPOLL));
            21 epoll_ctl(list: Fd, operation: Flags(&sets::EPOLL_OPERATION), fd: Fd, event: Address);
            22 epoll_pwait(list: Fd, events: Address, count: Int, timeout: Int, mask: Address, size: Size);
            23 dup(fd: Fd);
            24 dup3(old: Fd, new: Unsigned, flags: Flags(&sets::DUP));
            25 fcntl(fd: Fd, command: Flags(&sets::FCNTL), argument: Word);
            26 inotify_init1(flags: Flags(&sets::INOTIFY));
            27 inotify_add_watch(list: Fd, path: Path, mask: Flags(&sets::WATCH));
            28 inotify_rm_watch(list: Fd, watch: Int);
            29 ioctl(fd: Fd, request: Flags(&sets::IOCTL), argument: Address);
            30 ioprio_set(which: Flags(&sets::IO_PRIORITY), who: Pid, priority: Int) "only remembered";
            31 ioprio_get(which: Flags(&sets::IO_PRIORITY), who: Pid);
            32 flock(fd: Fd, operation: Flags(&sets::FLOCK));
            33 mknodat(dirfd: DirFd, path: Path, mode: Mode, device: Unsigned);
            34 mkdirat(dirfd: DirFd, path: Path, mode: Mode);
            35 unlinkat(dirfd: DirFd, path: Path, flags: Flags(&sets::UNLINK));
            36 symlinkat(target: Path, dirfd: DirFd, path: Path);
            37 linkat(old_dirfd: DirFd, old: Path, new_dirfd: DirFd, new: Path, flags: Flags(&sets::LINK));
            39 umount2(path: Path, flags: Flags(&sets::UMOUNT)) "what is there from the start stays: EBUSY";
            40 mount(source: Address, path: Path, kind: Address, flags: Word, options: Address) "`tmpfs` alone can be mounted: ENODEV";
            43 statfs(path: Path, buffer: Out(Statfs));
            44 fstatfs(fd: Fd, buffer: Out(Statfs));
            45 truncate(path: Path, length: Offset);
            46 ftruncate(fd: Fd, length: Offset);
            47 fallocate(fd: Fd, mode: Flags(&sets::FALLOCATE), offset: Offset, length: Offset) "tmpfs only";
            48 faccessat(dirfd: DirFd, path: Path, mode: Flags(&sets::ACCESS));
            49 chdir(path: Path);
            50 fchdir(fd: Fd);
            52 fchmod(fd: Fd, mode: Mode);
            53 fchmodat(dirfd: DirFd, path: Path, mode: Mode);
            54 fchownat(dirfd: DirFd, path: Path, user: Id, group: Id, flags: Flags(&sets::AT));
            55 fchown(fd: Fd, user: Id, group: Id);
            56 openat(dirfd: DirFd, path: Path, flags: Flags(&sets::OPEN), mode: Mode);
            57 close(fd: Fd) spares;
            59 pipe2(ends: Out(IntPair), flags: Flags(&sets::PIPE));
            61 getdents64(fd: Fd, buffer: Out(Entries { len: 2 }), size: Size);
            62 lseek(fd: Fd, offset: Offset, whence: Flags(&sets::WHENCE));
            63 read(fd: Fd, buffer: Out(Bytes { len: 2 }), size: Size);
            64 write(fd: Fd, buffer: In(Bytes { len: 2 }), size: Size);
            65 readv(fd: Fd, vector: Out(Vector { count: 2 }), count: Size);
            66 writev(fd: Fd, vector: In(Vector { count: 2 }), count: Size);
            67 pread64(fd: Fd, buffer: Out(Bytes { len: 2 }), size: Size, offset: Offset);
            68 pwrite64(fd: Fd, buffer: In(Bytes { len: 2 }), size: Size, offset: Offset);
            69 preadv(fd: Fd, vector: Out(Vector { count: 2 }), count: Size, offset: Offset);
            70 pwritev(fd: Fd, vector: In(Vector { count: 2 }), count: Size, offset: Offset);
            71 sendfile(out: Fd, input: Fd, offset: InOut(Layout::Word), count: Size);
            72 pselect6(count: Unsigned, read: InOut(Descriptors { count: 0 }), write: InOut(Descriptors { count: 0 }),
                except: InOut(Descriptors { count: 0 }), timeout: In(Timespec), mask: In(SigsetArgument));
            73 ppoll(fds: InOut(Polls { count: 1 }), count: Unsigned, timeout: In(Timespec), mask: In(Sigset), size: Size);
            74 signalfd4(fd: Int, mask: In(Sigset), size: Size, flags: Flags(&sets::SIGNAL_FILE));
            75 vmsplice(fd: Fd, vector: Address, count: Size, flags: Flags(&sets::SPLICE)) "copies";
            76 splice(input: Fd, input_offset: Address, out: Fd, out_offset: Address, size: Size, flags: Flags(&sets::SPLICE)) "copies";
            77 tee(input: Fd, out: Fd, size: Size, flags: Flags(&sets::SPLICE)) "copies, a page at a time";
            78 readlinkat(dirfd: DirFd, path: Path, buffer: Out(Bytes { len: 3 }), size: Size);
            79 newfstatat(dirfd: DirFd, path: Path, buffer: Out(Stat), flags: Flags(&sets::STAT));
            80 fstat(fd: Fd, buffer: Out(Stat));
            81 sync() "nothing to do";
            82 fsync(fd: Fd) "nothing to do";
            83 fdatasync(fd: Fd) "nothing to do";
            84 sync_file_range(fd: Fd, offset: Offset, length: Offset, flags: Flags(&sets::SYNC_RANGE)) "nothing to do";
            85 timerfd_create(clock: Flags(&sets::TIMER_CLOCK), flags: Flags(&sets::TIMER_FILE));
            86 timerfd_settime(fd: Fd, flags: Flags(&sets::TIMER_SETTING), new: Address, old: Address);
            87 timerfd_gettime(fd: Fd, value: Address);
            88 utimensat(dirfd: DirFd, path: Path, times: In(TimespecPair), flags: Flags(&sets::AT));
            90 capget(header: Address, data: Address);
            91 capset(header: Address, data: Address);
            92 personality(persona: Unsigned) "any; ADDR_NO_RANDOMIZE and UNAME26 change something";
            93 exit(status: Int) -> Never, spares;
            94 exit_group(status: Int) -> Never, spares;
            95 waitid(kind: Flags(&sets::WAIT_KIND), id: Pid, info: Out(Siginfo), options: Flags(&sets::WAITID),
                usage: Out(Rusage)) spares;
            96 set_tid_address(address: Address);
            97 unshare(flags: Flags(&sets::UNSHARE)) "no namespaces";
            98 futex(word: Address, operation: Flags(&sets::FUTEX), value: Unsigned, timeout: In(Timespec), other: Address,
                third: Unsigned) "no priority inheritance";
            99 set_robust_list(head: Address, size: Size);
            100 get_robust_list(tid: Pid, head: Out(Layout::Word), size: Out(Layout::Word));
            101 nanosleep(wanted: In(Timespec), left: Out(Remainder));
            102 getitimer(which: Flags(&sets::ITIMER), value: Out(Itimerval));
            103 setitimer(which: Flags(&sets::ITIMER), new: In(Itimerval), old: Out(Itimerval));
            107 timer_create(clock: Int, event: Address, id: Out(Layout::Int));
            108 timer_gettime(id: Int, value: Address);
            109 timer_getoverrun(id: Int);
            110 timer_settime(id: Int, flags: Int, new: Address, old: Address);
            111 timer_delete(id: Int);
            112 clock_settime(clock: Flags(&sets::SET_CLOCK), time: In(Timespec));
            113 clock_gettime(clock: Flags(&sets::CLOCK), time: Out(Timespec)) spares;
            114 clock_getres(clock: Flags(&sets::CLOCK), resolution: Out(Timespec));
            115 clock_nanosleep(clock: Flags(&sets::SLEEP_CLOCK), flags: Flags(&sets::SLEEP), wanted: In(Timespec),
                left: Out(Remainder));
            118 sched_setparam(tid: Pid, parameter: Address);
            119 sched_setscheduler(tid: Pid, class: Flags(&sets::SCHEDULER), parameter: Address) "only remembered";
            120 sched_getscheduler(tid: Pid);
            121 sched_getparam(tid: Pid, parameter: Address);
            122 sched_setaffinity(pid: Pid, size: Size, mask: In(Processors { len: 1 })) "there is one processor";
            123 sched_getaffinity(pid: Pid, size: Size, mask: Out(Processors { len: 1 }));
            124 sched_yield() spares;
            125 sched_get_priority_max(class: Int);
            126 sched_get_priority_min(class: Int);
            127 sched_rr_get_interval(tid: Pid, interval: Out(Timespec));
            128 restart_syscall() "what is left of a sleep or a wait for a word";
            129 kill(pid: Pid, signal: Signal);
            130 tkill(tid: Pid, signal: Signal);
            131 tgkill(group: Pid, tid: Pid, signal: Signal);
            132 sigaltstack(new: In(SignalStack), old: Out(SignalStack));
            133 rt_sigsuspend(mask: In(Sigset), size: Size);
            134 rt_sigaction(signal: Signal, new: In(Sigaction), old: Out(Sigaction), size: Size);
            135 rt_sigprocmask(how: Flags(&sets::SIGMASK), new: In(Sigset), old: Out(Sigset), size: Size) spares;
            136 rt_sigpending(set: Out(Sigset), size: Size);
            137 rt_sigtimedwait(set: In(Sigset), info: Out(Siginfo), timeout: In(Timespec), size: Size) -> Signal;
            138 rt_sigqueueinfo(pid: Pid, signal: Signal, info: In(Siginfo));
            139 rt_sigreturn() spares;
            140 setpriority(which: Flags(&sets::PRIORITY), who: Pid, priority: Int) "only remembered";
            141 getpriority(which: Flags(&sets::PRIORITY), who: Pid) "20 is nice 0";
            143 setregid(real: Id, effective: Id);
            144 setgid(group: Id);
            145 setreuid(real: Id, effective: Id);
            146 setuid(user: Id);
            147 setresuid(real: Id, effective: Id, saved: Id);
            148 getresuid(real: Out(Layout::Int), effective: Out(Layout::Int), saved: Out(Layout::Int));
            149 setresgid(real: Id, effective: Id, saved: Id);
            150 getresgid(real: Out(Layout::Int), effective: Out(Layout::Int), saved: Out(Layout::Int));
            151 setfsuid(user: Id);
            152 setfsgid(group: Id);
            153 times(buffer: Out(Tms));
            154 setpgid(pid: Pid, group: Pid);
            155 getpgid(pid: Pid);
            156 getsid(pid: Pid);
            157 setsid();
            158 getgroups(count: Int, list: Address);
            159 setgroups(count: Size, list: Address);
            160 uname(name: Out(Utsname));
            161 sethostname(name: In(Bytes { len: 1 }), size: Size);
            162 setdomainname(name: In(Bytes { len: 1 }), size: Size);
            163 getrlimit(resource: Flags(&sets::RLIMIT), limit: Out(Rlimit));
            164 setrlimit(resource: Flags(&sets::RLIMIT), limit: In(Rlimit));
            165 getrusage(who: Flags(&sets::RUSAGE), usage: Out(Rusage));
            166 umask(mask: Mode) -> Mode, spares;
            167 prctl(option: Flags(&sets::PRCTL), argument: Word);
            168 getcpu(processor: Out(Layout::Int), node: Out(Layout::Int));
            169 gettimeofday(time: Out(Timeval), zone: Out(Timezone)) spares;
            170 settimeofday(time: In(Timeval), zone: In(Timezone));
            172 getpid() spares;
            173 getppid() spares;
            174 getuid() spares;
            175 geteuid() spares;
            176 getgid() spares;
            177 getegid() spares;
            178 gettid() spares;
            179 sysinfo(info: Out(Sysinfo));
            186 msgget(key: Int, flags: Int);
            187 msgctl(id: Int, command: Int, buffer: Address);
            188 msgrcv(id: Int, message: Address, size: Size, kind: Word, flags: Int);
            189 msgsnd(id: Int, message: Address, size: Size, flags: Int);
            190 semget(key: Int, count: Int, flags: Int);
            191 semctl(id: Int, index: Int, command: Int, argument: Word);
            192 semtimedop(id: Int, operations: Address, count: Size, timeout: Address);
            193 semop(id: Int, operations: Address, count: Size);
            194 shmget(key: Int, size: Size, flags: Int);
            195 shmctl(id: Int, command: Int, buffer: Address);
            196 shmat(id: Int, address: Address, flags: Int) -> Address;
            197 shmdt(address: Address);
            198 socket(domain: Int, kind: Int, protocol: Int) "AF_UNIX, AF_INET, AF_INET6, AF_NETLINK";
            199 socketpair(domain: Int, kind: Int, protocol: Int, ends: Address);
            200 bind(fd: Fd, address: Address, size: Int);
            201 listen(fd: Fd, backlog: Int);
            202 accept(fd: Fd, address: Address, size: Address);
            203 connect(fd: Fd, address: Address, size: Int) "ENETUNREACH beyond the loopback interface";
            204 getsockname(fd: Fd, address: Address, size: Address);
            205 getpeername(fd: Fd, address: Address, size: Address);
            206 sendto(fd: Fd, buffer: Address, size: Size, flags: Int, address: Address, address_size: Int);
            207 recvfrom(fd: Fd, buffer: Address, size: Size, flags: Int, address: Address, address_size: Address);
            208 setsockopt(fd: Fd, level: Int, name: Int, value: Address, size: Int);
            209 getsockopt(fd: Fd, level: Int, name: Int, value: Address, size: Address);
            210 shutdown(fd: Fd, how: Int);
            211 sendmsg(fd: Fd, message: Address, flags: Int);
            212 recvmsg(fd: Fd, message: Address, flags: Int);
            213 readahead(fd: Fd, offset: Offset, count: Size);
            214 brk(end: Address) -> Address, spares;
            215 munmap(address: Address, length: Size);
            216 mremap(address: Address, old_length: Size, new_length: Size, flags: Flags(&sets::MREMAP),
                new_address: Address) -> Address;
            220 clone(flags: Flags(&sets::CLONE), stack: Address, parent_tid: Address, tls: Address, child_tid: Address)
                "threads share everything; no namespaces";
            221 execve(path: Path, argv: Strings, envp: Strings);
            222 mmap(address: Address, length: Size, protection: Flags(&sets::MMAP_PROT), flags: Flags(&sets::MAP), fd: Int,
                offset: Offset) -> Address;
            223 fadvise64(fd: Fd, offset: Offset, length: Offset, advice: Flags(&sets::FILE_ADVICE));
            226 mprotect(address: Address, length: Size, protection: Flags(&sets::MPROTECT));
            227 msync(address: Address, length: Size, flags: Flags(&sets::MSYNC)) "only checks the range";
            228 mlock(address: Address, length: Size);
            229 munlock(address: Address, length: Size);
            230 mlockall(flags: Flags(&sets::MLOCKALL));
            231 munlockall();
            232 mincore(address: Address, length: Size, vector: Out(Bytes { len: 1 }));
            233 madvise(address: Address, length: Size, advice: Flags(&sets::ADVICE));
            240 rt_tgsigqueueinfo(group: Pid, tid: Pid, signal: Signal, info: In(Siginfo));
            242 accept4(fd: Fd, address: Address, size: Address, flags: Int);
            243 recvmmsg(fd: Fd, messages: Address, count: Unsigned, flags: Int, timeout: Address);
            258 riscv_hwprobe(pairs: Address, count: Size, processors_size: Size, processors: Address, flags: Unsigned)
                "ENOSYS";
            259 riscv_flush_icache(start: Address, end: Address, flags: Flags(&sets::ICACHE));
            260 wait4(pid: Pid, status: Out(WaitStatus), options: Flags(&sets::WAIT), usage: Out(Rusage)) spares;
            261 prlimit64(pid: Pid, resource: Flags(&sets::RLIMIT), new: In(Rlimit), old: Out(Rlimit));
            267 syncfs(fd: Fd) "nothing to do";
            269 sendmmsg(fd: Fd, messages: Address, count: Unsigned, flags: Int);
            274 sched_setattr(tid: Pid, attributes: Address, flags: Unsigned) "only remembered; no deadlines";
            275 sched_getattr(tid: Pid, attributes: Address, size: Unsigned, flags: Unsigned);
            276 renameat2(old_dirfd: DirFd, old: Path, new_dirfd: DirFd, new: Path, flags: Flags(&sets::RENAME));
            278 getrandom(buffer: Out(Noise { len: 1 }), size: Size, flags: Flags(&sets::RANDOM));
            279 memfd_create(name: Path, flags: Flags(&sets::MEMFD)) "no huge pages";
            281 execveat(dirfd: DirFd, path: Path, argv: Strings, envp: Strings, flags: Flags(&sets::EXECVE_AT));
            284 mlock2(address: Address, length: Size, flags: Flags(&sets::MLOCK));
            285 copy_file_range(input: Fd, input_offset: Address, out: Fd, out_offset: Address, size: Size, flags: Int);
            286 preadv2(fd: Fd, vector: Out(Vector { count: 2 }), count: Size, offset: Offset, high: Word, flags: Int);
            287 pwritev2(fd: Fd, vector: In(Vector { count: 2 }), count: Size, offset: Offset, high: Word, flags: Int);
            291 statx(dirfd: DirFd, path: Path, flags: Flags(&sets::STATX_AT), mask: Flags(&sets::STATX), buffer: Out(Statx));
            293 rseq(area: Address, size: Word, flags: Int, signature: Word) "ENOSYS";
            424 pidfd_send_signal(fd: Fd, signal: Signal, info: Address, flags: Int);
            434 pidfd_open(pid: Pid, flags: Flags(&sets::PIDFD));
            435 clone3(arguments: Address, size: Size) "as `clone`; no control groups";
            436 close_range(first: Unsigned, last: Unsigned, flags: Flags(&sets::CLOSE_RANGE));
            439 faccessat2(dirfd: DirFd, path: Path, mode: Flags(&sets::ACCESS), flags: Flags(&sets::ACCESS_AT));
            440 process_madvise(fd: Fd, vector: Address, count: Size, advice: Flags(&sets::ADVICE), flags: Int)
                "of others: MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED";
            441 epoll_pwait2(list: Fd, events: Address, count: Int, timeout: Address, mask: Address, size: Size);
            452 fchmodat2(dirfd: DirFd, path: Path, mode: Mode, flags: Flags(&sets::AT));
        }
    };
}

macro_rules! memory {
    () => {
        Memory::Needs
    };
    (spares) => {
        Memory::Spares
    };
}

macro_rules! returns {
    () => {
        Returns::Number
    };
    ($what:ident) => {
        Returns::$what
    };
}

macro_rules! calls {
    ($(
        $number:literal $name:ident($($argument:ident: $kind:expr),*)
        $(-> $returns:ident)? $(,)? $($spares:ident)? $($remark:literal)?;
    )*) => {
        /// Every call that the kernel has, by number.
        pub const CALLS: &[Call] = &[$(Call {
            number: $number,
            name: stringify!($name),
            arguments: &[$(Argument { name: stringify!($argument), kind: $kind }),*],
            returns: returns!($($returns)?),
            memory: memory!($($spares)?),
            remark: concat!($($remark)?),
        },)*];

        /// The numbers, by name.
        #[allow(non_upper_case_globals)] // the calls are named as in Linux
        pub mod number {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $name: u32 = $number;
            )*
        }
    };
}

each_call!(calls);

/// The row with this number.
pub const fn call(number: u32) -> Option<&'static Call> {
    let mut index = 0;
    while index < CALLS.len() {
        if CALLS[index].number == number {
            return Some(&CALLS[index]);
        }
        index += 1;
    }
    None
}

/// The name of a call, whether the kernel has it or not; `None` if Linux has none either.
pub fn call_name(number: u64) -> Option<&'static str> {
    let number = u32::try_from(number).ok()?;
    let absent = || ABSENT.iter().find(|(other, _)| *other == number).map(|(_, name)| *name);
    call(number).map(|call| call.name).or_else(absent)
}

/// Linux's other calls, up to 6.15, so that messages can name them: each is ENOSYS.
#[rustfmt::skip] // one line would be one call
const ABSENT: &[(u32, &str)] = &[
    (0, "io_setup"), (1, "io_destroy"), (2, "io_submit"), (3, "io_cancel"), (4, "io_getevents"), 
         
        
    (18, "lookup_dcookie"),
    
    (41, "pivot_root"), (42, "nfsservctl"),
    (51, "chroot"), (58, "vhangup"), (60, "quotactl"), (89, "acct"),
    (104, "kexec_load"), (105, "init_module"), (106, "delete_module"),
       
     (116, "syslog"), (117, "ptrace"),
   
   
    (142, "reboot"),
     (171, "adjtimex"), (180, "mq_open"), (181, "mq_unlink"),
    (182, "mq_timedsend"), (183, "mq_timedreceive"), (184, "mq_notify"), (185, "mq_getsetattr"), 
         
    
    (217, "add_key"), (218, "request_key"), (219, "keyctl"),
    (224, "swapon"), (225, "swapoff"),
    (234, "remap_file_pages"), (235, "mbind"), (236, "get_mempolicy"), (237, "set_mempolicy"),
    (238, "migrate_pages"), (239, "move_pages"), (241, "perf_event_open"),
    (262, "fanotify_init"), (263, "fanotify_mark"), (264, "name_to_handle_at"),
    (265, "open_by_handle_at"), (266, "clock_adjtime"), (268, "setns"),
    (270, "process_vm_readv"), (271, "process_vm_writev"), (272, "kcmp"), (273, "finit_module"),
    (277, "seccomp"), (280, "bpf"),
    (282, "userfaultfd"), (283, "membarrier"),
    (288, "pkey_mprotect"), (289, "pkey_alloc"), (290, "pkey_free"),
    (292, "io_pgetevents"), (294, "kexec_file_load"), (425, "io_uring_setup"),
    (426, "io_uring_enter"), (427, "io_uring_register"), (428, "open_tree"), (429, "move_mount"), (430, "fsopen"),
    (431, "fsconfig"), (432, "fsmount"), (433, "fspick"), (437, "openat2"),
    (438, "pidfd_getfd"), (442, "mount_setattr"),
    (443, "quotactl_fd"), (444, "landlock_create_ruleset"), (445, "landlock_add_rule"),
    (446, "landlock_restrict_self"), (447, "memfd_secret"), (448, "process_mrelease"), (449, "futex_waitv"),
    (450, "set_mempolicy_home_node"), (451, "cachestat"), (453, "map_shadow_stack"),
    (454, "futex_wake"), (455, "futex_wait"), (456, "futex_requeue"), (457, "statmount"), (458, "listmount"),
    (459, "lsm_get_self_attr"), (460, "lsm_set_self_attr"), (461, "lsm_list_modules"), (462, "mseal"),
    (463, "setxattrat"), (464, "getxattrat"), (465, "listxattrat"), (466, "removexattrat"), (467, "open_tree_attr"),
    (468, "file_getattr"), (469, "file_setattr"),
];
