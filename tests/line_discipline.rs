//! The guest's line discipline (`fs::Discipline`) and this machine's Linux: the same keys under the same settings, the same screen and the
//! same reads. Settings and keys come from fixed seeds.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // in functions that only tests call

use fs::{Discipline, Screen, Termios};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SEEDS: u64 = 300;
/// Characters that mean something, those that are edited, and parts of others.
const KEYS: &[u8] =
    b"aaabb zZ_9\t\t\x7f\x7f\x7f\x15\x17\x17\x16\x12\x04\n\n\r\x01\x1b\x03\x1c\x1a\0;\xc3\xa4\xc3\xa4\xe2\x82\xac";

fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Reads what there is.
fn drain(fd: BorrowedFd<'_>, into: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = rustix::io::read(fd, &mut buffer) {
        into.extend_from_slice(&buffer[..count]);
    }
}

/// Fresh settings with some of them changed.
fn settings(seed: &mut u64) -> Termios {
    use nix::libc as c;
    let mut termios = Termios::FRESH;
    let mut flip = |word: &mut u32, flags: &[u32], one_in: u64| {
        flags.iter().filter(|_| next(seed).is_multiple_of(one_in)).for_each(|flag| *word ^= flag);
    };
    flip(&mut termios.iflag, &[c::ICRNL, c::INLCR, c::IGNCR, c::ISTRIP, c::IUTF8, c::IXON], 4);
    flip(&mut termios.oflag, &[c::OPOST, c::ONLCR, c::OCRNL, c::ONLRET, c::ONOCR], 6);
    let local = [c::ICANON, c::ECHO, c::ECHOE, c::ECHOK, c::ECHONL, c::ECHOCTL, c::ECHOKE, c::ECHOPRT];
    flip(&mut termios.lflag, &local, 5);
    flip(&mut termios.lflag, &[c::ISIG, c::IEXTEN], 4);
    // A signal drops what Linux has not shown yet, and how much that is depends on when it looks.
    termios.lflag |= c::NOFLSH;
    termios.cc[c::VEOL] = if next(seed).is_multiple_of(2) { b';' } else { 0 };
    termios
}

/// What is shown, and what can be read: lines, or all keys together.
#[derive(PartialEq, Eq, Debug, Default)]
struct Outcome {
    shown: Vec<u8>,
    reads: Vec<Vec<u8>>,
}

fn ours(termios: &Termios, keys: &[u8]) -> Outcome {
    let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
    discipline.set(*termios);
    for &key in keys {
        discipline.receive(key, &mut screen);
    }
    let mut outcome = Outcome { shown: vec![0; screen.len()], reads: Vec::new() };
    screen.peek(&mut outcome.shown);
    while discipline.readable() > 0 {
        let mut line = [0; 99];
        let (count, position) = discipline.peek(&mut line);
        assert!(discipline.consume(position, count));
        outcome.read(termios, &line[..count]);
    }
    outcome
}

impl Outcome {
    fn read(&mut self, termios: &Termios, bytes: &[u8]) {
        match self.reads.last_mut() {
            Some(last) if !termios.is_canonical() => last.extend_from_slice(bytes),
            _ => self.reads.push(bytes.to_vec()),
        }
    }

    fn len(&self) -> usize {
        self.reads.iter().map(|read| read.len() + 1).sum()
    }
}

/// The same by Linux: at once, or as soon as it has come to as much as `expected`.
fn linux(termios: &Termios, keys: &[u8], expected: &Outcome) -> Outcome {
    let OpenptyResult { master, slave } = openpty(None, None).unwrap();
    let mut wanted = tcgetattr(&slave).unwrap();
    wanted.input_flags = InputFlags::from_bits_retain(termios.iflag);
    wanted.output_flags = OutputFlags::from_bits_retain(termios.oflag);
    wanted.control_flags = ControlFlags::from_bits_retain(termios.cflag);
    wanted.local_flags = LocalFlags::from_bits_retain(termios.lflag);
    wanted.control_chars[..termios.cc.len()].copy_from_slice(&termios.cc);
    tcsetattr(&slave, SetArg::TCSANOW, &wanted).unwrap();
    for end in [master.as_fd(), slave.as_fd()] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    }
    let mut keyboard = File::from(master);
    keyboard.write_all(keys).unwrap();
    let (started, mut outcome) = (Instant::now(), Outcome::default());
    let is_complete =
        |outcome: &Outcome| outcome.shown.len() >= expected.shown.len() && outcome.len() >= expected.len();
    loop {
        drain(keyboard.as_fd(), &mut outcome.shown);
        // All keys have been looked at when the last has been shown; reads come afterwards, so that none cuts another short.
        if outcome.shown.len() >= expected.shown.len() {
            let mut line = [0; 99];
            match rustix::io::read(&slave, &mut line) {
                Ok(count) => outcome.read(termios, &line[..count]),
                Err(Errno::AGAIN) if is_complete(&outcome) || started.elapsed() > PATIENCE => return outcome,
                Err(Errno::AGAIN) => {}
                Err(error) => panic!("{error}"),
            }
        } else if started.elapsed() > PATIENCE {
            return outcome;
        }
        std::thread::yield_now();
    }
}

#[test]
fn keys_do_what_they_do_under_linux() {
    for number in 0..SEEDS {
        let mut seed = number;
        (0..4).for_each(|_| _ = next(&mut seed));
        let termios = settings(&mut seed);
        let len = 4 + next(&mut seed) % 24;
        let mut keys: Vec<u8> =
            (0..len).map(|_| KEYS[usize::try_from(next(&mut seed)).unwrap() % KEYS.len()]).collect();
        // Whoever waits for a line gets one at the end.
        keys.extend(b"x\n\n");
        let expected = ours(&termios, &keys);
        let linux = linux(&termios, &keys, &expected);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            (text(&expected.shown), &expected.reads),
            (text(&linux.shown), &linux.reads),
            "seed {number}: {:?} with {termios:x?}",
            text(&keys)
        );
    }
}
