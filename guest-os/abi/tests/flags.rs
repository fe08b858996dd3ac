//! Who sees each flag at work: for every flag and choice that a call takes, the test of `vmtests` that observes its effect.
//!
//! A flag without a case fails, and so does a case that is no test, or whose file (or `raw.rs`, which makes its calls) does
//! not name the flag.

#![allow(clippy::unwrap_used)] // in functions that only tests call

use abi::{CALLS, Effect, FlagSet, Kind, sets};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Call (or structure), flags, and the test that observes them.
const OBSERVED: &[(&str, &str, &str)] = &[
    ("openat", "O_RDONLY O_WRONLY", "read_only_descriptor"),
    ("openat", "O_RDWR O_CREAT O_EXCL", "create_exclusive"),
    ("openat", "O_TRUNC", "truncate_on_open"),
    ("openat", "O_APPEND", "append"),
    ("openat", "O_NONBLOCK", "open_nonblocking"),
    ("openat", "O_DIRECTORY", "open_errors"),
    ("openat", "O_NOFOLLOW", "links"),
    ("openat", "O_CLOEXEC", "exec_closes"),
    ("openat", "O_PATH", "open_path"),
    ("dup3", "O_CLOEXEC", "descriptors_close_on_exec"),
    ("pipe2", "O_CLOEXEC", "descriptors_close_on_exec"),
    ("pipe2", "O_NONBLOCK", "pipe_nonblocking"),
    ("openat", "O_TMPFILE", "a_file_without_a_name_gets_one"),
    ("setxattr", "XATTR_CREATE XATTR_REPLACE", "extended_attributes"),
    ("lsetxattr", "XATTR_CREATE XATTR_REPLACE", "extended_attributes"),
    ("fsetxattr", "XATTR_CREATE XATTR_REPLACE", "extended_attributes"),
    ("mremap", "MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP", "mappings_move"),
    ("pipe2", "O_DIRECT", "pipe_packets"),
    ("close_range", "CLOSE_RANGE_CLOEXEC", "descriptors_close_on_exec"),
    ("splice", "SPLICE_F_NONBLOCK", "pipes_go_on"),
    ("tee", "SPLICE_F_NONBLOCK", "pipes_are_teed"),
    ("vmsplice", "SPLICE_F_NONBLOCK", "memory_goes_into_pipes"),
    ("pidfd_open", "PIDFD_NONBLOCK", "processes_are_told_of"),
    ("waitid", "P_PIDFD", "processes_are_told_of"),
    ("eventfd2", "EFD_SEMAPHORE", "events_are_counted_down"),
    ("eventfd2", "EFD_NONBLOCK EFD_CLOEXEC", "events_are_counted"),
    ("epoll_create1", "EPOLL_CLOEXEC", "lists_refuse"),
    ("epoll_ctl", "EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD", "lists_refuse"),
    ("signalfd4", "SFD_NONBLOCK SFD_CLOEXEC", "signals_are_read"),
    (
        "timerfd_create",
        "CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_BOOTTIME TFD_NONBLOCK TFD_CLOEXEC",
        "timers_are_read",
    ),
    ("timerfd_settime", "TFD_TIMER_ABSTIME", "timers_by_time_of_day"),
    ("inotify_init1", "IN_NONBLOCK IN_CLOEXEC", "names_are_told"),
    (
        "inotify_add_watch",
        "IN_ACCESS IN_MODIFY IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_CREATE IN_DELETE IN_DELETE_SELF",
        "names_are_told",
    ),
    ("inotify_add_watch", "IN_MOVED_FROM IN_MOVED_TO IN_MOVE_SELF", "moves_are_told"),
    ("inotify_add_watch", "IN_ATTRIB", "attributes_are_told"),
    ("inotify_add_watch", "IN_ONLYDIR", "watches_refuse"),
    ("inotify_add_watch", "IN_DONT_FOLLOW", "watches_of_links"),
    ("inotify_add_watch", "IN_EXCL_UNLINK IN_ONESHOT", "watches_end_once"),
    ("inotify_add_watch", "IN_MASK_CREATE IN_MASK_ADD", "watches_choose"),
    ("fcntl", "F_DUPFD F_DUPFD_CLOEXEC F_GETFD F_SETFD F_GETFL F_SETFL", "descriptor_flags"),
    ("fcntl", "F_GETLK", "record_locks_are_told"),
    ("fcntl", "F_SETLK", "record_locks_exclude"),
    ("fcntl", "F_SETLKW", "record_locks_wait"),
    ("fcntl", "F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW", "open_file_locks"),
    ("fcntl", "F_GETPIPE_SZ F_SETPIPE_SZ", "pipe_sizes"),
    ("flock", "LOCK_SH LOCK_EX LOCK_NB LOCK_UN", "whole_file_locks"),
    ("ioctl", "FIONREAD FIONBIO FIOCLEX FIONCLEX", "requests_of_descriptors"),
    ("ioctl", "TCGETS TCGETS2 TCSETS TCSETSW TCSETSF TCSETS2 TCSETSW2 TCSETSF2", "terminal_settings"),
    ("ioctl", "TCFLSH", "terminal_lines"),
    ("ioctl", "TCXONC", "terminal_flow"),
    ("ioctl", "TIOCOUTQ", "requests_of_terminals"),
    ("ioctl", "TIOCGPTN TIOCSPTLCK TIOCGPTLCK TIOCGPTPEER", "pseudo_terminals"),
    ("ioctl", "TIOCGWINSZ TIOCSWINSZ", "window_sizes"),
    ("ioctl", "TIOCSCTTY TIOCNOTTY TIOCGPGRP TIOCGSID", "controlling_terminal"),
    ("ioctl", "TIOCSPGRP", "background_waits"),
    ("ioctl", "TIOCEXCL TIOCNXCL TIOCGEXCL", "an_exclusive_terminal"),
    ("ioctl", "TIOCSTI TIOCGDEV", "bytes_are_typed"),
    ("ioctl", "TIOCSIG", "a_master_signals"),
    (
        "ioctl",
        "SIOCGIFNAME SIOCGIFCONF SIOCGIFFLAGS SIOCGIFADDR SIOCGIFDSTADDR SIOCGIFBRDADDR SIOCGIFNETMASK SIOCGIFMTU SIOCGIFHWADDR SIOCGIFINDEX SIOCGIFTXQLEN SIOCGIFMAP",
        "the_interface_is_told",
    ),
    ("prctl", "PR_GET_TID_ADDRESS PR_SET_THP_DISABLE PR_GET_THP_DISABLE PR_GET_AUXV", "facts_of_a_thread"),
    ("lseek", "SEEK_SET SEEK_CUR SEEK_END", "seek"),
    ("lseek", "SEEK_DATA SEEK_HOLE", "data_and_holes"),
    ("fallocate", "FALLOC_FL_ALLOCATE_RANGE FALLOC_FL_KEEP_SIZE", "allocated_before_use"),
    ("fallocate", "FALLOC_FL_PUNCH_HOLE", "holes_are_punched"),
    ("execveat", "AT_EMPTY_PATH", "a_nameless_program_is_executed"),
    ("faccessat", "F_OK W_OK X_OK", "access"),
    ("faccessat", "R_OK", "access_by_real_ids"),
    ("faccessat2", "R_OK AT_EACCESS", "access_by_real_ids"),
    ("faccessat2", "F_OK W_OK X_OK AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH", "access_flags"),
    ("unlinkat", "AT_REMOVEDIR", "list_many"),
    ("linkat", "AT_SYMLINK_FOLLOW AT_EMPTY_PATH", "link_flags"),
    ("renameat2", "RENAME_NOREPLACE", "rename_noreplace"),
    ("renameat2", "RENAME_EXCHANGE", "names_change_places"),
    ("fchmodat2", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH", "modes_by_flags"),
    ("fchownat", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH", "flags_of_names"),
    ("utimensat", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH", "flags_of_names"),
    ("newfstatat", "AT_SYMLINK_NOFOLLOW", "links"),
    ("newfstatat", "AT_EMPTY_PATH", "status_of_files"),
    ("statx", "AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH", "link_flags"),
    ("mmap", "PROT_READ PROT_WRITE PROT_EXEC PROT_NONE", "mapping_kinds"),
    ("mmap", "MAP_SHARED MAP_PRIVATE MAP_ANONYMOUS", "mapping_kinds"),
    ("mmap", "MAP_SHARED_VALIDATE", "mapping_validated"),
    ("mmap", "MAP_FIXED", "fixed_replaces"),
    ("mmap", "MAP_GROWSDOWN", "mapping_grows_down"),
    ("mmap", "MAP_FIXED_NOREPLACE", "fixed_noreplace"),
    ("mmap", "MAP_LOCKED", "locked_by_mmap"),
    ("mmap", "MAP_POPULATE MAP_NONBLOCK", "populated_by_mmap"),
    ("mlock2", "MLOCK_ONFAULT", "locked_on_fault"),
    ("mlockall", "MCL_CURRENT MCL_FUTURE MCL_ONFAULT", "locked_all"),
    ("mprotect", "PROT_READ PROT_WRITE", "mprotect_read_only"),
    ("mprotect", "PROT_NONE", "mprotect_none"),
    ("mprotect", "PROT_EXEC", "mprotect_exec"),
    ("mprotect", "PROT_GROWSDOWN", "protection_of_a_stack"),
    ("madvise", "MADV_WIPEONFORK MADV_KEEPONFORK", "fork_wipes"),
    ("madvise", "MADV_DONTFORK MADV_DOFORK", "fork_leaves_out"),
    ("madvise", "MADV_POPULATE_READ MADV_POPULATE_WRITE", "populated_at_once"),
    ("madvise", "MADV_REMOVE", "removed_from_a_file"),
    ("madvise", "MADV_DONTNEED", "madvise_dontneed"),
    ("madvise", "MADV_DONTNEED_LOCKED", "discard_though_locked"),
    ("madvise", "MADV_COLD MADV_PAGEOUT MADV_WILLNEED", "paged_out_and_back"),
    ("madvise", "MADV_FREE", "given_up"),
    (
        "process_madvise",
        "MADV_WIPEONFORK MADV_KEEPONFORK MADV_DONTFORK MADV_DOFORK MADV_POPULATE_READ MADV_POPULATE_WRITE MADV_REMOVE \
         MADV_DONTNEED MADV_DONTNEED_LOCKED MADV_FREE",
        "advice_by_descriptor",
    ),
    ("process_madvise", "MADV_COLD MADV_PAGEOUT MADV_WILLNEED", "advice_to_another"),
    ("fadvise64", "POSIX_FADV_WILLNEED POSIX_FADV_DONTNEED", "advice_of_files"),
    ("memfd_create", "MFD_CLOEXEC", "descriptors_close_on_exec"),
    ("memfd_create", "MFD_ALLOW_SEALING", "seals_are_added"),
    ("memfd_create", "MFD_NOEXEC_SEAL", "seals_of_programs"),
    ("fcntl", "F_ADD_SEALS F_GET_SEALS", "seals_are_added"),
    ("clone", "CLONE_FILES", "thread_shares_files"),
    ("clone", "CLONE_FILES", "child_shares_descriptors"),
    ("clone", "CLONE_FS", "thread_shares_directory_and_mask"),
    ("clone", "CLONE_FS", "child_shares_directory"),
    ("clone", "CLONE_SIGHAND", "thread_takes_what_others_block"),
    ("clone", "CLONE_THREAD", "thread_numbers"),
    ("clone", "SIGCHLD", "child_signal"),
    ("clone", "CLONE_VM", "vfork_shares"),
    ("clone", "CLONE_VFORK", "vfork_waits"),
    ("clone", "CLONE_PARENT_SETTID CLONE_CHILD_SETTID", "clone_numbers"),
    ("clone", "CLONE_CHILD_CLEARTID", "clone_clears"),
    ("clone", "CLONE_SETTLS", "clone_thread_pointer"),
    ("clone", "CLONE_PARENT", "brothers"),
    ("clone", "CLONE_PIDFD", "clone_pidfd"),
    ("clone", "CLONE_SIGHAND", "child_shares_actions"),
    ("struct clone_args", "CLONE_CLEAR_SIGHAND", "clone3_clears_actions"),
    (
        "sched_setscheduler",
        "SCHED_NORMAL SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE SCHED_RESET_ON_FORK",
        "classes_take_rights",
    ),
    ("ioprio_get", "IOPRIO_WHO_PROCESS IOPRIO_WHO_PGRP IOPRIO_WHO_USER", "places_at_the_disk"),
    ("ioprio_set", "IOPRIO_WHO_PROCESS IOPRIO_WHO_PGRP IOPRIO_WHO_USER", "places_at_the_disk"),
    ("wait4", "WNOHANG", "wait_nohang"),
    ("wait4", "WUNTRACED WCONTINUED", "wait_for_stopped"),
    ("wait4", "__WALL __WCLONE", "wait_by_kind"),
    ("waitid", "P_ALL WNOHANG WEXITED", "waitid_tells"),
    ("waitid", "P_PID WNOWAIT", "waitid_leaves"),
    ("waitid", "P_PGID", "waitid_chooses"),
    ("waitid", "WSTOPPED WCONTINUED", "waitid_of_stopped"),
    ("waitid", "__WALL __WCLONE", "wait_by_kind"),
    ("futex", "FUTEX_WAIT FUTEX_WAKE", "futex_basics"),
    ("futex", "FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET", "futex_kinds"),
    ("futex", "FUTEX_CLOCK_REALTIME", "futex_clocks"),
    ("futex", "FUTEX_REQUEUE", "futex_moves"),
    ("futex", "FUTEX_CMP_REQUEUE", "futex_moves_if_equal"),
    ("futex", "FUTEX_WAKE_OP", "futex_changes_a_word"),
    ("rt_sigprocmask", "SIG_BLOCK SIG_UNBLOCK SIG_SETMASK", "mask_blocks"),
    ("getitimer", "ITIMER_REAL", "timer_is_told"),
    ("setitimer", "ITIMER_REAL", "timer_rings_once"),
    ("getitimer", "ITIMER_VIRTUAL ITIMER_PROF", "timers_of_used_time"),
    ("setitimer", "ITIMER_VIRTUAL ITIMER_PROF", "timers_of_used_time"),
    ("clock_gettime", ALL_CLOCKS, "every_clock"),
    ("clock_getres", ALL_CLOCKS, "every_clock"),
    ("clock_nanosleep", "CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_BOOTTIME CLOCK_TAI", "every_clock"),
    ("clock_nanosleep", "TIMER_ABSTIME", "sleep_until_a_time"),
    ("prctl", "PR_SET_NAME PR_GET_NAME", "thread_name"),
    ("prctl", "PR_SET_PDEATHSIG PR_GET_PDEATHSIG", "death_signal"),
    ("prctl", "PR_SET_DUMPABLE PR_GET_DUMPABLE", "looked_into_or_not"),
    ("prctl", "PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS", "nothing_gained"),
    (
        "prctl",
        "PR_CAPBSET_READ PR_CAPBSET_DROP PR_CAP_AMBIENT PR_GET_SECUREBITS",
        "capabilities_bound_and_kept",
    ),
    ("prctl", "PR_GET_KEEPCAPS PR_SET_KEEPCAPS", "capabilities_follow_ids"),
    ("prctl", "PR_SET_TIMERSLACK PR_GET_TIMERSLACK", "slack_of_timers"),
    ("setpriority", "PRIO_PROCESS PRIO_PGRP PRIO_USER", "niceness"),
    ("getpriority", "PRIO_PROCESS PRIO_PGRP PRIO_USER", "niceness"),
    ("prctl", "PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER", "orphans_are_adopted"),
    ("getrlimit", "RLIMIT_STACK RLIMIT_NOFILE", "old_limits"),
    ("getrlimit", "RLIMIT_MEMLOCK", "lock_limits"),
    ("getrlimit", "RLIMIT_FSIZE", "length_is_limited"),
    ("getrlimit", "RLIMIT_RSS", "own_pages_are_limited"),
    ("setrlimit", "RLIMIT_RSS", "own_pages_are_limited"),
    ("prlimit64", "RLIMIT_RSS", "own_pages_are_limited"),
    ("umount2", "UMOUNT_NOFOLLOW", "mounts_are_fixed"),
    ("umount2", "MNT_DETACH", "mounts_in_use"),
    ("umount2", "MNT_EXPIRE", "mounts_in_use"),
    ("unshare", "CLONE_FILES", "descriptors_become_its_own"),
    ("clock_settime", "CLOCK_REALTIME", "the_clock_is_set"),
    ("getrlimit", "RLIMIT_AS", "address_space_is_limited"),
    ("setrlimit", "RLIMIT_AS", "address_space_is_limited"),
    ("prlimit64", "RLIMIT_AS", "address_space_is_limited"),
    ("getrlimit", "RLIMIT_NPROC", "processes_are_limited"),
    ("setrlimit", "RLIMIT_NPROC", "processes_are_limited"),
    ("prlimit64", "RLIMIT_NPROC", "processes_are_limited"),
    ("getrlimit", "RLIMIT_NICE", "niceness_of_others"),
    ("getrlimit", "RLIMIT_CPU", "limit_of_used_time"),
    ("getrlimit", "RLIMIT_CORE", "dump_is_told"),
    ("getrlimit", "RLIMIT_SIGPENDING", "queue_is_limited"),
    ("setrlimit", "RLIMIT_NOFILE", "old_limits"),
    ("setrlimit", "RLIMIT_MEMLOCK", "lock_limits"),
    ("setrlimit", "RLIMIT_FSIZE", "length_is_limited"),
    ("setrlimit", "RLIMIT_NICE", "niceness_of_others"),
    ("setrlimit", "RLIMIT_CPU", "limit_of_used_time"),
    ("setrlimit", "RLIMIT_CORE", "dump_is_told"),
    ("setrlimit", "RLIMIT_SIGPENDING", "queue_is_limited"),
    ("setrlimit", "RLIMIT_STACK", "limit_of_the_stack"),
    ("prlimit64", "RLIMIT_STACK", "limit_of_the_stack"),
    ("prlimit64", "RLIMIT_MEMLOCK", "lock_limits"),
    ("prlimit64", "RLIMIT_FSIZE", "length_is_limited"),
    ("prlimit64", "RLIMIT_NICE", "niceness_of_others"),
    ("prlimit64", "RLIMIT_CPU", "limit_of_used_time"),
    ("prlimit64", "RLIMIT_CORE", "dump_is_told"),
    ("prlimit64", "RLIMIT_SIGPENDING", "queue_is_limited"),
    ("prlimit64", "RLIMIT_NOFILE", "descriptor_limit"),
    ("getrusage", "RUSAGE_SELF RUSAGE_CHILDREN RUSAGE_THREAD", "usage_of_a_thread"),
    ("struct sigaction", "SA_NOCLDSTOP", "stops_are_not_told"),
    ("struct sigaction", "SA_NOCLDWAIT", "child_is_not_awaited"),
    ("struct sigaction", "SA_ONSTACK", "alternate_stack"),
    ("struct sigaction", "SA_RESTART", "read_restarted"),
    ("struct sigaction", "SA_NODEFER", "handler_nodefer"),
    ("struct sigaction", "SA_RESETHAND", "handler_once"),
    ("stack_t", "SS_DISABLE", "alternate_stack_errors"),
    ("stack_t", "SS_AUTODISARM", "alternate_stack_disarms"),
    ("struct pollfd", "POLLIN POLLOUT POLLERR POLLHUP POLLNVAL", "poll_events"),
];

const ALL_CLOCKS: &str = "CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID \
    CLOCK_MONOTONIC_RAW CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME CLOCK_TAI";

/// Every set that a program can hand over, by call or structure.
fn sets() -> impl Iterator<Item = (&'static str, &'static FlagSet)> {
    let of_calls = CALLS.iter().flat_map(|call| call.arguments.iter().map(move |argument| (call, argument)));
    let of_calls = of_calls.filter_map(|(call, argument)| match argument.kind {
        Kind::Flags(set) => Some((call.name, set)),
        _ => None,
    });
    let of_structures: [(_, &FlagSet); 4] = [
        ("struct clone_args", &sets::CLONE_ARGS),
        ("struct sigaction", &sets::SIGACTION),
        ("stack_t", &sets::SIGNAL_STACK),
        ("struct pollfd", &sets::POLL),
    ];
    of_calls.chain(of_structures)
}

/// The tests of `vmtests`, with the text of their files.
fn cases() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../programs/vmtests/src");
    let mut cases = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let Some((_, list)) = text.split_once("\ntests! {") else { continue };
        let (list, _) = list.split_once('}').unwrap();
        for name in list.split(',').filter_map(|item| item.split_whitespace().last()) {
            cases.insert(name.to_string(), text.clone());
        }
    }
    let raw = std::fs::read_to_string(folder.join("raw.rs")).unwrap();
    cases.values_mut().for_each(|text| text.push_str(&raw));
    assert!(cases.len() > 200, "vmtests has few tests: {}", cases.len());
    cases
}

#[test]
fn every_flag_that_is_taken_is_seen_at_work() {
    let listed: BTreeSet<(&str, &str)> = OBSERVED
        .iter()
        .flat_map(|(call, flags, _)| flags.split_whitespace().map(move |flag| (*call, flag)))
        .collect();
    let taken: BTreeSet<(&str, &str)> = sets()
        .flat_map(|(call, set)| set.all().map(move |flag| (call, flag)))
        .filter(|(_, flag)| flag.effect == Effect::Taken)
        .map(|(call, flag)| (call, flag.name))
        .collect();
    let missing: Vec<_> = taken.difference(&listed).collect();
    assert!(missing.is_empty(), "no test observes: {missing:?}");
    let more: Vec<_> = listed.difference(&taken).collect();
    assert!(more.is_empty(), "no call takes: {more:?}");
}

#[test]
fn the_cases_are_tests_that_name_their_flags() {
    let cases = cases();
    for (call, flags, case) in OBSERVED {
        let text = cases.get(*case).unwrap_or_else(|| panic!("{call}: vmtests has no test {case}"));
        for flag in flags.split_whitespace() {
            let is_word = |at: usize| {
                let is_letter =
                    |letter: Option<char>| letter.is_some_and(|l| l.is_alphanumeric() || l == '_');
                !is_letter(text[..at].chars().next_back())
                    && !is_letter(text[at + flag.len()..].chars().next())
            };
            let names = text.match_indices(flag).any(|(at, _)| is_word(at));
            assert!(names, "{call}: {flag} does not occur in the file of {case}");
        }
    }
}
