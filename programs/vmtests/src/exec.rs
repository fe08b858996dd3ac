//! execve: what it refuses and why, and what it hands on to the new program (this one, in another role).

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{Args, Errno, PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map, munmap, temporary};
use crate::raw::{self, Action, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    exec_missing, exec_directory, exec_not_executable, exec_empty, exec_not_elf, exec_wrong_machine, exec_wrong_class, @Kernel exec_truncated,
    exec_not_a_directory, exec_argument_too_long, exec_arguments_too_many, exec_shebang_missing, exec_shebang_empty, exec_failure_changes_nothing,
    exec_arguments, exec_environment, exec_closes, exec_keeps_pid, exec_resets_handlers, exec_keeps_ignored, exec_fresh_memory,
    exec_shebang, exec_shebang_nested, exec_auxv, exec_from_vfork, exec_again_and_again,
    @Kernel exec_stack_limit, @Kernel exec_arguments_by_the_stack, exec_open_for_writing, @Kernel exec_mapped_for_writing, @Kernel a_running_program_is_not_written,
}

const BAD_ROLE: i32 = 99;

/// Plays one of the roles that a test executes this program for; the exit status is the answer.
pub fn play(role: &str, args: Args) -> i32 {
    match role {
        "nothing" => 0,
        // Hangs arguments together to one number, so that each is seen to arrive.
        "arguments" => args.iter().skip(2).fold(0, |sum, argument| sum * 2 + argument.len() as i32) & 0xff,
        "environment" => args.env().map(|entry| entry.to_bytes().len() as i32).sum(),
        "descriptors" => {
            (3..32).filter(|&fd| sys(g::__NR_fcntl, [fd, g::F_GETFD as usize]).is_ok()).count() as i32
        }
        "thread" => i32::from(sys(g::__NR_gettid, []) != Ok(os::getpid() as usize)),
        "pid" => i32::from(args.number(2, 0) != os::getpid() as usize),
        "handler" => {
            let mut old = [1usize; 4];
            let asked = sys(g::__NR_rt_sigaction, [args.number(2, 0), 0, old.as_mut_ptr() as usize, 8]);
            if asked.is_ok() { old[0] as i32 } else { BAD_ROLE }
        }
        "script" => args.len() as i32 * 10 + args.get(args.len() - 1).map_or(0, |last| last.len() as i32),
        "deep" => i32::from(crate::flags::descend(args.number(2, 0)) != args.number(2, 0)),
        // Until the pipe that it has as standard input ends.
        "reader" => os::read(0, &mut [0]).map_or(BAD_ROLE, |count| count as i32),
        "user" => sys(g::__NR_geteuid, []).map_or(BAD_ROLE, |user| (user & 0xff) as i32),
        "auxv" => i32::from(!auxv_is_right(args)),
        "again" => match args.number(2, 0) {
            0 => 42,
            left => {
                let mut digits = [0u8; 4];
                digits[0] = b'0' + ((left - 1) / 10) as u8;
                digits[1] = b'0' + ((left - 1) % 10) as u8;
                let number = CStr::from_bytes_until_nul(&digits).unwrap_or(c"0");
                exec_program(&[c"x", c"--as=again", number], &[]).0 as i32
            }
        },
        _ => BAD_ROLE,
    }
}

fn auxv_is_right(args: Args) -> bool {
    use rt::abi::auxvec as a;
    args.aux(a::AT_PAGESZ) == Some(PAGE_SIZE)
        && args.aux(a::AT_PHENT) == Some(56)
        && args.aux(a::AT_PHNUM).is_some_and(|count| count > 1)
        && args.aux(a::AT_PHDR).is_some_and(|at| raw::peek(at) != 0)
        && args.aux(a::AT_ENTRY).is_some()
        && args.aux(a::AT_RANDOM).is_some_and(|at| raw::peek64(at) != raw::peek64(at + 8))
        && args.aux(a::AT_SECURE) == Some(0)
        && args.aux(a::AT_HWCAP).is_some_and(|bits| bits & 0x112d == 0x112d)
        && args.aux(a::AT_EXECFN).is_some_and(|at| raw::peek(at) != 0)
}

/// Executes this program with other arguments, by the path it was called by; in a role, by what /proc says.
pub fn exec_program(arguments: &[&CStr], environment: &[&CStr]) -> Errno {
    let mut vectors = [[0usize; 16]; 2];
    for (vector, strings) in vectors.iter_mut().zip([arguments, environment]) {
        vector.iter_mut().zip(strings).for_each(|(slot, string)| *slot = string.as_ptr() as usize);
    }
    let own = c"/proc/self/exe".as_ptr() as usize;
    let path = if crate::program() == 0 { own } else { crate::program() };
    match sys(g::__NR_execve, [path, vectors[0].as_ptr() as usize, vectors[1].as_ptr() as usize]) {
        Ok(_) => Errno(0),
        Err(errno) => errno,
    }
}

/// The status with which this program ends in the role that the arguments name.
fn role(arguments: &[&CStr], environment: &[&CStr]) -> Result<Status> {
    os::in_child(|| {
        rt::eprintln!("  execve of this program: {:?}", exec_program(arguments, environment));
        BAD_ROLE
    })
}

/// The error with which executing `path` fails.
pub fn refusal(path: &CStr) -> Result<Errno> {
    match os::in_child(|| os::exec(path, &[path], &[]).0 as i32)? {
        Status::Exited(number) => Ok(Errno(number as u32)),
        _ => Ok(Errno(0)),
    }
}

fn refused_file(bytes: &[u8], mode: u32) -> Result<Errno> {
    const PATH: &CStr = c"/tmp/vmtests.exec";
    let _ = unlink(PATH);
    let fd = temporary(PATH, bytes)?;
    sys(g::__NR_fchmod, [fd as usize, mode as usize])?;
    os::close(fd)?;
    let errno = refusal(PATH);
    unlink(PATH)?;
    errno
}

/// unlinkat(2).
pub fn unlink(path: &CStr) -> Result<usize> {
    sys(g::__NR_unlinkat, [(g::AT_FDCWD as isize).cast_unsigned(), path.as_ptr() as usize, 0])
}

fn exec_missing() -> Outcome {
    check_eq!(refusal(c"/no/such/file")?, Errno(errno::ENOENT));
    check_eq!(refusal(c"")?, Errno(errno::ENOENT));
    Ok(())
}

fn exec_directory() -> Outcome {
    check_eq!(refusal(c"/tmp")?, Errno(errno::EACCES));
    check_eq!(refusal(c"/")?, Errno(errno::EACCES));
    Ok(())
}

fn exec_not_executable() -> Outcome {
    check_eq!(refused_file(b"#!/bin/sh\n", 0o644)?, Errno(errno::EACCES));
    Ok(())
}

fn exec_not_a_directory() -> Outcome {
    check_eq!(refusal(c"/dev/null/x")?, Errno(errno::ENOTDIR));
    check_eq!(refusal(c"/dev/null")?, Errno(errno::EACCES));
    Ok(())
}

fn exec_empty() -> Outcome {
    check_eq!(refused_file(b"", 0o755)?, Errno(errno::ENOEXEC));
    Ok(())
}

fn exec_not_elf() -> Outcome {
    check_eq!(
        refused_file(b"just some text, and long enough to be a header if it were one\n", 0o755)?,
        Errno(errno::ENOEXEC)
    );
    check_eq!(refused_file(&[0x7f], 0o755)?, Errno(errno::ENOEXEC));
    Ok(())
}

/// An ELF header for a static riscv64 program without program headers.
fn header() -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (bytes[16], bytes[18], bytes[20]) = (2, 243, 1);
    (bytes[32], bytes[52], bytes[54]) = (64, 64, 56);
    bytes
}

fn exec_wrong_machine() -> Outcome {
    let mut bytes = header();
    bytes[18] = 62;
    check_eq!(refused_file(&bytes, 0o755)?, Errno(errno::ENOEXEC));
    Ok(())
}

fn exec_wrong_class() -> Outcome {
    let mut bytes = header();
    bytes[4] = 1;
    check_eq!(refused_file(&bytes, 0o755)?, Errno(errno::ENOEXEC));
    Ok(())
}

fn exec_truncated() -> Outcome {
    check_eq!(refused_file(&header()[..40], 0o755)?, Errno(errno::ENOEXEC));
    Ok(())
}

fn exec_argument_too_long() -> Outcome {
    // One string may have 32 pages (MAX_ARG_STRLEN).
    let at = map(64, READ_WRITE)?;
    (0..40 * PAGE_SIZE).for_each(|offset| poke(at + offset, b'a'));
    let argv = [crate::program(), at, 0];
    let result = sys(g::__NR_execve, [crate::program(), argv.as_ptr() as usize, 0]);
    check_eq!(result, Err(Errno(errno::E2BIG)));
    Ok(())
}

fn exec_arguments_too_many() -> Outcome {
    // All strings together may have a quarter of the stack's limit: 2 MiB of 8.
    let vector = map(1024, READ_WRITE)?;
    let string = map(4, READ_WRITE)?;
    (0..3 * PAGE_SIZE).for_each(|offset| poke(string + offset, b'a'));
    (0..1000).for_each(|index| raw::poke64(vector + 8 * index, string as u64));
    let result = sys(g::__NR_execve, [crate::program(), vector, 0]);
    check_eq!(result, Err(Errno(errno::E2BIG)));
    Ok(())
}

fn exec_shebang_missing() -> Outcome {
    check_eq!(refused_file(b"#!/no/such/interpreter\n", 0o755)?, Errno(errno::ENOENT));
    Ok(())
}

fn exec_shebang_empty() -> Outcome {
    check_eq!(refused_file(b"#!\n", 0o755)?, Errno(errno::ENOEXEC));
    check_eq!(refused_file(b"#!   \n", 0o755)?, Errno(errno::ENOEXEC));
    // The first 256 bytes are looked at: a path may end there, or be refused.
    let mut long = [b'q'; 300];
    long[..3].copy_from_slice(b"#!/");
    check_eq!(refused_file(&long, 0o755)?, Errno(errno::ENOEXEC));
    long[299] = b'\n';
    check_eq!(refused_file(&long, 0o755)?, Errno(errno::ENOEXEC));
    long[200] = b' ';
    check_eq!(refused_file(&long, 0o755)?, Errno(errno::ENOENT));
    Ok(())
}

fn exec_failure_changes_nothing() -> Outcome {
    let at = map(1, READ_WRITE)?;
    poke(at, 77);
    let pid = os::getpid();
    for _ in 0..20 {
        check_eq!(os::exec(c"/no/such/file", &[c"x"], &[]), Errno(errno::ENOENT));
        check_eq!(os::exec(c"/tmp", &[c"x"], &[]), Errno(errno::EACCES));
    }
    check_eq!(raw::peek(at), 77);
    check_eq!(os::getpid(), pid);
    Ok(())
}

fn exec_arguments() -> Outcome {
    let status = role(&[c"x", c"--as=arguments", c"a", c"", c"four", c"some words"], &[])?;
    check_eq!(status, Status::Exited((2 * 2 + 4) * 2 + 10));
    Ok(())
}

fn exec_environment() -> Outcome {
    check_eq!(
        role(&[c"x", c"--as=environment"], &[c"A=1", c"LONG=word", c"EMPTY="])?,
        Status::Exited(3 + 9 + 6)
    );
    check_eq!(role(&[c"x", c"--as=environment"], &[])?, Status::Exited(0));
    Ok(())
}

fn exec_closes() -> Outcome {
    (3..32).for_each(|fd| {
        let _ = os::close(fd);
    });
    let (kept, closed) = os::pipe(g::O_CLOEXEC)?;
    sys(g::__NR_fcntl, [kept as usize, g::F_SETFD as usize, 0])?;
    let copy = os::dup3(closed, 20, 0)?;
    check_eq!(copy, 20);
    check_eq!(os::dup3(closed, 21, g::O_CLOEXEC)?, 21);
    check_eq!(role(&[c"x", c"--as=descriptors"], &[])?, Status::Exited(2));
    Ok(())
}

fn exec_keeps_pid() -> Outcome {
    let pid = os::fork()?;
    if pid == 0 {
        let mut digits = [0u8; 12];
        let (mut rest, mut at) = (os::getpid(), 10);
        while rest > 0 {
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            at -= 1;
        }
        let number = CStr::from_bytes_until_nul(&digits[at + 1..]).unwrap_or(c"0");
        exec_program(&[c"x", c"--as=pid", number], &[]);
        os::exit(BAD_ROLE);
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

extern "C" fn nothing(_: i32, _: usize, _: usize) {}

fn exec_resets_handlers() -> Outcome {
    raw::on_signal(g::SIGUSR1, Action::Call(nothing), 0)?;
    check_eq!(role(&[c"x", c"--as=handler", c"10"], &[])?, Status::Exited(0));
    Ok(())
}

fn exec_keeps_ignored() -> Outcome {
    raw::on_signal(g::SIGUSR1, Action::Ignore, 0)?;
    check_eq!(role(&[c"x", c"--as=handler", c"10"], &[])?, Status::Exited(1));
    Ok(())
}

fn exec_fresh_memory() -> Outcome {
    // Much memory before, none of it after: thirty times 4 MiB would not fit otherwise.
    for _ in 0..30 {
        let ended = os::in_child(|| {
            let Ok(at) = map(1024, READ_WRITE) else { return BAD_ROLE };
            (0..1024).for_each(|page| poke(at + page * PAGE_SIZE, 1));
            exec_program(&[c"x", c"--as=nothing"], &[]);
            BAD_ROLE
        });
        check_eq!(ended, Ok(Status::Exited(0)));
    }
    Ok(())
}

/// Writes `#!` and this program's path and `argument` to an executable file.
fn script(path: &CStr, interpreter: &CStr, argument: &[u8]) -> Result<usize> {
    let _ = unlink(path);
    let fd = temporary(path, b"#!")?;
    os::write(fd, interpreter.to_bytes())?;
    os::write(fd, argument)?;
    sys(g::__NR_fchmod, [fd as usize, 0o755])?;
    os::close(fd)?;
    Ok(0)
}

/// A link to this program by a short absolute path, since the run may have named it relatively.
fn own_path() -> &'static CStr {
    c"/proc/self/exe"
}

fn exec_shebang() -> Outcome {
    const PATH: &CStr = c"/tmp/vmtests.script";
    // Run as: interpreter --as=script /tmp/vmtests.script one two
    let mut path = [0u8; 256];
    let len = sys(
        g::__NR_readlinkat,
        [0, own_path().as_ptr() as usize, path.as_mut_ptr() as usize, path.len() - 1],
    )?;
    check!(len < 200);
    let interpreter = CStr::from_bytes_until_nul(&path).unwrap_or(c"");
    script(PATH, interpreter, b" --as=script\nanything\n")?;
    let status = os::in_child(|| {
        os::exec(PATH, &[c"ignored", c"one", c"three"], &[]);
        BAD_ROLE
    });
    check_eq!(status, Ok(Status::Exited(5 * 10 + 5)));
    unlink(PATH)?;
    Ok(())
}

fn exec_shebang_nested() -> Outcome {
    const FIRST: &CStr = c"/tmp/vmtests.first";
    const SECOND: &CStr = c"/tmp/vmtests.second";
    let mut path = [0u8; 256];
    sys(g::__NR_readlinkat, [0, own_path().as_ptr() as usize, path.as_mut_ptr() as usize, path.len() - 1])?;
    let interpreter = CStr::from_bytes_until_nul(&path).unwrap_or(c"");
    script(FIRST, interpreter, b" --as=script\n")?;
    script(SECOND, FIRST, b" extra\n")?;
    // Run as: interpreter --as=script FIRST extra SECOND last
    let status = os::in_child(|| {
        os::exec(SECOND, &[c"ignored", c"last"], &[]);
        BAD_ROLE
    });
    check_eq!(status, Ok(Status::Exited(6 * 10 + 4)));
    // A script that is its own interpreter never comes to an end; Linux gives up.
    script(FIRST, FIRST, b"\n")?;
    check_eq!(refusal(FIRST)?, Errno(errno::ELOOP));
    unlink(FIRST)?;
    unlink(SECOND)?;
    Ok(())
}

fn exec_auxv() -> Outcome {
    check_eq!(role(&[c"x", c"--as=auxv"], &[])?, Status::Exited(0));
    Ok(())
}

extern "C" fn exec_in_vfork(_: usize) -> i32 {
    exec_program(&[c"x", c"--as=arguments", c"abc"], &[]);
    BAD_ROLE
}

fn exec_from_vfork() -> Outcome {
    let at = map(1, READ_WRITE)?;
    poke(at, 5);
    let pid = raw::spawn_vfork(exec_in_vfork, 0);
    check!(pid > 0);
    check_eq!(raw::peek(at), 5);
    check_eq!(os::wait(pid as i32)?.1, Status::Exited(3));
    Ok(())
}

fn exec_again_and_again() -> Outcome {
    check_eq!(role(&[c"x", c"--as=again", c"30"], &[])?, Status::Exited(42));
    Ok(())
}

fn limit_stack(bytes: u64) -> Result<usize> {
    let limit = [bytes, u64::MAX];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_STACK as usize, limit.as_ptr() as usize, 0])
}

fn exec_stack_limit() -> Outcome {
    // Pages that are gone down, under a limit of so many MiB.
    let deep = |pages: &CStr, mebibytes: u64| {
        os::in_child(|| {
            let set = limit_stack(mebibytes << 20);
            rt::eprintln!("  {set:?}, {:?}", exec_program(&[c"x", c"--as=deep", pages], &[]));
            BAD_ROLE
        })
    };
    check_eq!(deep(c"1800", 8)?, Status::Exited(0));
    check_eq!(deep(c"2100", 8)?, Status::Signaled(g::SIGSEGV));
    check_eq!(deep(c"7000", 64)?, Status::Exited(0));
    check_eq!(deep(c"200", 1)?, Status::Exited(0));
    check_eq!(deep(c"300", 1)?, Status::Signaled(g::SIGSEGV));
    // Mappings stay out of the way, whatever the limit; one that is raised while a program runs has room, too.
    check_eq!(deep(c"100", 1 << 40)?, Status::Exited(0));
    let raised = os::in_child(|| {
        let _ = limit_stack(32 << 20);
        i32::from(crate::flags::descend(4000) != 4000)
    })?;
    check_eq!(raised, Status::Exited(0));
    Ok(())
}

fn exec_arguments_by_the_stack() -> Outcome {
    const LEN: usize = 128_000;
    let text = map(LEN / PAGE_SIZE + 1, READ_WRITE)?;
    (text..text + LEN).for_each(|at| poke(at, b'x'));
    let with = |strings: usize, stack_bytes: u64| {
        os::in_child(|| {
            let mut vector = [0usize; 40];
            vector[..2].copy_from_slice(&[c"x".as_ptr() as usize, c"--as=nothing".as_ptr() as usize]);
            vector[2..2 + strings].fill(text);
            let _ = limit_stack(stack_bytes);
            let answer = sys(g::__NR_execve, [crate::program(), vector.as_ptr() as usize, 0]);
            answer.err().map_or(BAD_ROLE, |error| error.0 as i32)
        })
    };
    let too_many = Status::Exited(errno::E2BIG as i32);
    check_eq!((with(16, 8 << 20)?, with(17, 8 << 20)?), (Status::Exited(0), too_many));
    check_eq!((with(24, 64 << 20)?, with(36, 64 << 20)?), (Status::Exited(0), Status::Exited(0)));
    // A quarter is never less than 128 KiB, but a stack that is smaller has to hold the strings.
    check_eq!((with(1, 256 << 10)?, with(2, 256 << 10)?), (Status::Exited(0), too_many));
    check_eq!((with(1, 64 << 10)?, with(1, 0)?), (too_many, too_many));
    check_eq!((with(0, 64 << 10)?, with(0, 0)?), (Status::Exited(0), Status::Exited(0)));
    Ok(())
}

const COPY: &CStr = c"/tmp/vmtests.copy";

/// A copy of this program, open for writing.
fn copy_program() -> Result<i32> {
    copy_program_to(COPY)
}

/// A copy of this program at `path`, open for writing.
pub fn copy_program_to(path: &CStr) -> Result<i32> {
    let (source, len) = crate::memory::program_file()?;
    os::lseek(source, 0, g::SEEK_SET)?;
    let _ = unlink(path);
    let fd = os::open(path, g::O_WRONLY | g::O_CREAT, 0o755)?;
    let mut left = len;
    while left > 0 {
        left -= sys(g::__NR_sendfile, [fd as usize, source as usize, 0, left])?;
    }
    Ok(fd)
}

fn exec_open_for_writing() -> Outcome {
    let fd = copy_program()?;
    check_eq!(refusal(COPY)?, Errno(errno::ETXTBSY));
    // Another descriptor for the same open file keeps it so, one for reading does not.
    os::dup3(fd, 60, 0)?;
    os::close(fd)?;
    check_eq!(refusal(COPY)?, Errno(errno::ETXTBSY));
    os::close(60)?;
    let _reader = os::open(COPY, g::O_RDONLY, 0)?;
    check_eq!(os::in_child(|| os::exec(COPY, &[c"x", c"--as=nothing"], &[]).0 as i32)?, Status::Exited(0));
    // A script, too.
    let script = os::open(c"/tmp/vmtests.script", g::O_RDWR | g::O_CREAT | g::O_TRUNC, 0o755)?;
    os::write(script, b"#!/tmp/vmtests.copy --as=nothing\n")?;
    check_eq!(refusal(c"/tmp/vmtests.script")?, Errno(errno::ETXTBSY));
    os::close(script)?;
    check_eq!(refusal(c"/tmp/vmtests.script")?, Errno(0));
    unlink(c"/tmp/vmtests.script")?;
    unlink(COPY)?;
    Ok(())
}

/// A mapping keeps the file as it was opened, also a private one, and one that only reads; no other mapping does.
fn exec_mapped_for_writing() -> Outcome {
    let (read, write) = (g::PROT_READ, g::PROT_READ | g::PROT_WRITE);
    os::close(copy_program()?)?;
    let mapped = |access: u32, kind: u32, prot: u32, pages: usize| {
        let fd = os::open(COPY, access, 0)?;
        let at = crate::memory::mmap(0, pages * PAGE_SIZE, prot, kind, fd, 0)?;
        os::close(fd).map(|()| at)
    };
    let refused = || Ok::<_, Errno>(refusal_or_end(COPY)? == Some(Errno(errno::ETXTBSY)));
    for kind in [g::MAP_SHARED, g::MAP_PRIVATE] {
        for prot in [read, write] {
            if (kind, prot) != (g::MAP_SHARED, write) {
                let at = mapped(g::O_RDONLY, kind, prot, 1)?;
                check!(!refused()?);
                munmap(at, PAGE_SIZE)?;
            }
            let at = mapped(g::O_RDWR, kind, prot, 2)?;
            check!(refused()?);
            // Another mapping of it keeps nothing, a part keeps all.
            let other = mapped(g::O_RDONLY, g::MAP_PRIVATE, read, 1)?;
            munmap(at, PAGE_SIZE)?;
            check!(refused()?);
            munmap(at + PAGE_SIZE, PAGE_SIZE)?;
            check!(!refused()?);
            munmap(other, PAGE_SIZE)?;
        }
    }
    // A child keeps its own, and something else in its place ends it.
    let at = mapped(g::O_RDWR, g::MAP_PRIVATE, write, 1)?;
    poke(at, 1);
    let (wait, go_on) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(os::read(wait, &mut [0]).map_or(1, |_| 0));
    }
    let flags = g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_FIXED;
    crate::memory::mmap(at, PAGE_SIZE, read, flags, -1, 0)?;
    check!(refused()?);
    os::write(go_on, b"x")?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check!(!refused()?);
    unlink(COPY)?;
    Ok(())
}

/// The error with which a program is not executed; none if it is.
fn refusal_or_end(path: &CStr) -> Result<Option<Errno>> {
    let started = os::in_child(|| os::exec(path, &[c"x", c"--as=nothing"], &[]).0 as i32)?;
    Ok(match started {
        Status::Exited(0) => None,
        Status::Exited(number) => Some(Errno(number as u32)),
        _ => Some(Errno(0)),
    })
}

fn a_running_program_is_not_written() -> Outcome {
    os::close(copy_program()?)?;
    let (read, write) = os::pipe(g::O_CLOEXEC)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::dup3(read, 0, 0)?;
        os::exit(os::exec(COPY, &[c"x", c"--as=reader"], &[]).0 as i32);
    }
    // It has begun when its path is the copy's.
    let mut link = [0u8; 32];
    let mut proc = *b"/proc/0000000000/exe\0";
    let mut rest = pid as usize;
    for at in (6..16).rev() {
        proc[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = proc[6..16].iter().position(|&digit| digit != b'0').unwrap_or(0);
    proc.copy_within(6 + start.., 6);
    loop {
        let path =
            [(g::AT_FDCWD as isize).cast_unsigned(), proc.as_ptr() as usize, link.as_mut_ptr() as usize, 32];
        let len = sys(g::__NR_readlinkat, path)?;
        if link[..len] == *COPY.to_bytes() {
            break;
        }
        os::sched_yield();
    }
    check_error!(os::open(COPY, g::O_WRONLY, 0), ETXTBSY);
    check_error!(os::open(COPY, g::O_RDONLY | g::O_TRUNC, 0), ETXTBSY);
    check_error!(sys(g::__NR_truncate, [COPY.as_ptr() as usize, 0]), ETXTBSY);
    check!(os::open(COPY, g::O_RDONLY, 0).is_ok());
    os::close(read)?;
    os::close(write)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check!(os::open(COPY, g::O_WRONLY, 0).is_ok());
    unlink(COPY)?;
    Ok(())
}
