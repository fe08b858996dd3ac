//! `folio run --strace`: lines like strace's, for one process and for several, with signals.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use support::{folio, run};

/// What `--strace` tells of a built-in program.
fn strace(program: &[&str]) -> Vec<String> {
    let mut command = folio(["run", "--strace"]);
    command.args(program);
    let ran = run(command);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    ran.stderr.lines().map(str::to_string).collect()
}

/// Where addresses and numbers of the guest's layout stood, `@`.
fn without_addresses(line: &str) -> String {
    let mut parts = line.split("0x");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| {
        text + "@" + part.trim_start_matches(|letter: char| letter.is_ascii_hexdigit())
    })
}

#[test]
fn a_program_from_its_first_call_to_its_end() {
    let lines: Vec<String> = strace(&["hello"]).iter().map(|line| without_addresses(line)).collect();
    assert_eq!(
        lines,
        [
            "execve(\"/bin/hello\", [\"hello\"], @ /* 4 vars */) = 0",
            "write(1, \"Hello from page one.\\n\", 21)  = 21",
            "exit_group(0)                           = ?",
            "+++ exited with 0 +++",
        ]
    );
}

#[test]
fn processes_that_interrupt_each_other() {
    let lines: Vec<String> =
        strace(&["cowfork", "4", "1"]).iter().map(|line| without_addresses(line)).collect();
    assert_eq!(
        lines[1..],
        [
            "mmap(NULL, 16384, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = @",
            "clone(child_stack=NULL, flags=SIGCHLD)  = 2",
            "strace: Process 2 attached",
            "[pid     1] wait4(2,  <unfinished ...>",
            "[pid     2] write(1, \"child: read 4 pages of the paren\"..., 45) = 45",
            "[pid     2] exit_group(0)               = ?",
            "[pid     2] +++ exited with 0 +++",
            "<... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 2",
            "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=2, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---",
            "write(1, \"parent: the child has gone; 4 of\"..., 63) = 63",
            "write(1, \"parent: wrote all 4\\n\", 20)   = 20",
            "munmap(@, 16384)             = 0",
            "exit_group(0)                           = ?",
            "+++ exited with 0 +++",
        ]
    );
}

/// What a test of the self-test is seen to do: `wanted` are parts of lines, in this order.
fn check(test: &str, wanted: &[&str]) {
    let lines = strace(&["vmtests", test]);
    let mut rest = lines.iter();
    for part in wanted {
        assert!(
            rest.any(|line| line.contains(part)),
            "{test}: no {part} (in this order) in\n{}",
            lines.join("\n")
        );
    }
}

#[test]
fn signals_and_the_calls_that_they_interrupt() {
    check(
        "segv_address",
        &[
            "sa_mask=[], sa_flags=SA_SIGINFO}, NULL, 8) = 0",
            "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x",
        ],
    );
    check(
        "load_null",
        &["--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=", "+++ killed by SIGSEGV +++"],
    );
    check(
        "read_restarted",
        &["sa_flags=SA_SIGINFO|SA_RESTART", "= ? ERESTARTSYS (To be restarted", "--- SIGUSR1 {"],
    );
    check(
        "read_interrupted",
        &[
            "= ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
            "--- SIGUSR1 {",
            "rt_sigreturn({mask=[]})     = -1 EINTR (Interrupted system call)",
        ],
    );
    check("mask_blocks", &["rt_sigprocmask(SIG_BLOCK, [USR1], "]);
}

#[test]
fn signals_that_no_handler_takes() {
    check(
        "wait_signaled",
        &[
            "[pid     3] kill(3, SIGKILL)            = ?",
            "[pid     3] +++ killed by SIGKILL +++",
            "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], 0, NULL) = 3",
            "[pid     2] --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=3, si_uid=0, si_status=SIGKILL, \
             si_utime=0, si_stime=0} ---",
            "[pid     4] kill(4, SIGTERM)            = 0",
            "[pid     4] --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=4, si_uid=0} ---",
            "[pid     4] +++ killed by SIGTERM +++",
        ],
    );
    check(
        "wait_for_stopped",
        &[
            "[pid     3] --- SIGSTOP {si_signo=SIGSTOP, si_code=SI_USER, si_pid=2, si_uid=0} ---",
            "[pid     3] --- stopped by SIGSTOP ---",
            "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_STOPPED, si_pid=3, si_uid=0, si_status=SIGSTOP,",
            "[pid     3] --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER, si_pid=2, si_uid=0} ---",
        ],
    );
}

#[test]
fn threads_and_their_ends() {
    check(
        "thread_numbers",
        &[
            "|CLONE_CHILD_CLEARTID, parent_tid=[3], tls=",
            "strace: Process 3 attached",
            "[pid     3] exit(0)                     = ?",
            "[pid     3] +++ exited with 0 +++",
            "[pid     2] +++ exited with 0 +++",
        ],
    );
    check(
        "exec_ends_the_others",
        &[
            "[pid     3] execve(\"/bin/vmtests\", [\"x\", \"--as=thread\"], ",
            "[pid     4] +++ exited with 0 +++",
            "[pid     3] <... execve resumed>)       = 0",
        ],
    );
    check(
        "exec_by_a_thread",
        &[
            "[pid     4] execve(\"/bin/vmtests\", [\"x\", \"--as=thread\"], ",
            "[pid     3] <... nanosleep resumed> <unfinished ...>) = ?",
            "[pid     3] +++ superseded by execve in pid 4 +++",
            "[pid     3] <... execve resumed>)       = 0",
        ],
    );
}

#[test]
fn arguments_that_another_one_chooses() {
    check(
        "descriptor_flags",
        &[
            "F_GETFD)           = 0x1 (flags FD_CLOEXEC)",
            "F_SETFD, 0)",
            "F_GETFL)           = 0x8002 (flags O_RDWR|O_LARGEFILE)",
            "F_DUPFD, 40)",
            "0x270f /* F_??? */",
        ],
    );
    check(
        "record_locks_are_told",
        &[
            "fcntl(3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_CUR, l_start=4, l_len=-4}) = 0",
            "F_GETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=4, l_len=6, l_pid=2}) = 0",
        ],
    );
    check("futex_basics", &[", FUTEX_WAKE, "]);
    check(
        "futex_kinds",
        &["FUTEX_WAIT_BITSET, 0, NULL, 0x1 ", "FUTEX_WAIT_BITSET, 0, NULL, FUTEX_BITSET_MATCH_ANY"],
    );
    check(
        "thread_name",
        &["PR_SET_NAME, \"a name that is \"...) = 0", "PR_GET_NAME, \"a name that is \") = 0"],
    );
    check("death_signal", &["prctl(PR_SET_PDEATHSIG, SIG", "prctl(PR_GET_PDEATHSIG, [SIG"]);
    check("usage_of_a_thread", &["getrusage(RUSAGE_THREAD, {ru_utime={tv_sec=0, tv_usec="]);
}

#[test]
fn what_memory_holds() {
    check("exec_arguments", &["execve(\"/bin/vmtests\", [\"", "/* 0 vars */) = 0"]);
    check("exec_missing", &["execve(\"", "= -1 ENOENT (No such file or directory)"]);
    check("pipe_vectors", &["pipe2([3, 4], 0)", "writev(4, [{iov_base=\"", "readv(3, [{iov_base=\""]);
    check("list_root", &["openat(AT_FDCWD, \"/\", O_RDONLY", "getdents64(", "entries */"]);
    check("status_of_files", &["{st_mode=S_IFDIR|0", "{st_mode=S_IFREG|0"]);
    check(
        "limits",
        &["prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0"],
    );
    check("append", &["\"/tmp/vmtests.file\", O_RDWR|O_CREAT|O_TRUNC, 0755) = 3", "O_RDWR|O_APPEND) = 4"]);
}

/// Calls that Folio has not are named all the same.
#[test]
fn calls_that_are_absent_have_names() {
    check("missing_calls", &["= -1 ENOSYS (Function not implemented)"]);
}

#[test]
fn it_does_not_go_with_other_observers() {
    let ran = run(folio(["run", "--strace", "--debug", "hello"]));
    assert_eq!(ran.status, 125);
    assert!(ran.stderr.contains("--strace"), "{}", ran.stderr);
}
