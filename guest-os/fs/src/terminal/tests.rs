//! What is typed and what comes of it, as tables. `tests/line_discipline.rs` asks this machine's Linux the same.

use super::{Discipline, Next, Reading, Screen, Special, TerminalEnd, TerminalId, Termios};
use crate::{Errno, FileId, FileSystemId, FileType, Inode, Location, OpenFiles, OpenFlags, Readiness};
use alloc::rc::Rc;
use alloc::vec::Vec;
use isa::time::TIMEBASE_HZ;
use linux_raw_sys::general as linux;
use std::string::String;

/// Some of the settings, changed.
type Change = fn(&mut Termios);

/// What it is about, the settings, what is typed; what is shown, the reads, the signals.
type Row = (&'static str, Change, &'static str, &'static str, &'static [&'static str], &'static [u32]);

fn same(_: &mut Termios) {}
fn raw(termios: &mut Termios) {
    (termios.iflag, termios.oflag, termios.lflag) = (0, 0, 0);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is shown, what each read of 16 bytes gets until one would wait, and the signals.
fn outcome(change: Change, typed: &[u8]) -> (String, Vec<String>, Vec<u32>) {
    let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
    let mut termios = Termios::FRESH;
    change(&mut termios);
    discipline.set(termios);
    let signals = typed.iter().filter_map(|&byte| discipline.receive(byte, &mut screen)).collect();
    let mut shown = [0; 999];
    let (count, _) = screen.peek(&mut shown);
    let mut reads = Vec::new();
    while discipline.readable() > 0 {
        let mut line = [0; 16];
        let (count, position) = discipline.peek(&mut line);
        assert!(discipline.consume(position, count));
        reads.push(text(&line[..count]));
    }
    (text(&shown[..count]), reads, signals)
}

#[test]
fn what_is_typed_is_edited_and_shown() {
    let rows: &[Row] = &[
        ("a line", same, "ab\n", "ab\r\n", &["ab\n"], &[]),
        ("a return ends a line", same, "ab\r", "ab\r\n", &["ab\n"], &[]),
        ("it waits for its end", same, "ab", "ab", &[], &[]),
        ("a character is erased", same, "ab\x7fc\n", "ab\x08 \x08c\r\n", &["ac\n"], &[]),
        ("nothing is erased before the line", same, "a\n\x7fb\n", "a\r\nb\r\n", &["a\n", "b\n"], &[]),
        ("a word", same, "a bc \x17d\n", "a bc \x08 \x08\x08 \x08\x08 \x08d\r\n", &["a d\n"], &[]),
        ("the line", same, "ab\x15c\n", "ab\x08 \x08\x08 \x08c\r\n", &["c\n"], &[]),
        ("a control character takes two", same, "\x01\x7fb\n", "^A\x08 \x08\x08 \x08b\r\n", &["b\n"], &[]),
        ("a tab", same, "a\t\x7fb\n", "a\t\x08\x08\x08\x08\x08\x08\x08b\r\n", &["ab\n"], &[]),
        ("what is quoted is plain", same, "\x16\x03\n", "^\x08^C\r\n", &["\x03\n"], &[]),
        ("the line again", same, "ab\x12c\n", "ab^R\r\nabc\r\n", &["abc\n"], &[]),
        ("the end of the file", same, "\x04", "", &[""], &[]),
        ("a line without its end", same, "ab\x04c\n", "abc\r\n", &["ab", "c\n"], &[]),
        ("Ctrl-C drops the line", same, "ab\x03c\n", "ab^Cc\r\n", &["c\n"], &[2]),
        ("Ctrl-\\ and Ctrl-Z", same, "\x1c\x1a", "^\\^Z", &[], &[3, 20]),
        (
            "who wants keeps the line",
            |t| t.lflag |= linux::NOFLSH,
            "ab\x03c\n",
            "ab^Cc\r\n",
            &["abc\n"],
            &[2],
        ),
        ("without signals", |t| t.lflag &= !linux::ISIG, "\x03\n", "^C\r\n", &["\x03\n"], &[]),
        ("silently", |t| t.lflag &= !linux::ECHO, "ab\x7f\n", "", &["a\n"], &[]),
        (
            "but for the end",
            |t| t.lflag = t.lflag & !linux::ECHO | linux::ECHONL,
            "a\n",
            "\r\n",
            &["a\n"],
            &[],
        ),
        ("raw", raw, "a\x7f\x03\r", "", &["a\x7f\x03\r"], &[]),
        ("keys with an echo", |t| t.lflag &= !linux::ICANON, "a\n\r", "a^J\r\n", &["a\n\n"], &[]),
        (
            "another key ends lines",
            |t| t.cc[linux::VEOL as usize] = b';',
            "a;b\n",
            "a;b\r\n",
            &["a;", "b\n"],
            &[],
        ),
        (
            "keys that are switched off",
            |t| t.cc[linux::VEOF as usize] = 0,
            "\0\x04\n",
            "^@^D\r\n",
            &["\0\x04\n"],
            &[],
        ),
        ("eight bits are seven", |t| t.iflag |= linux::ISTRIP, "\u{e1}\n", "C!\r\n", &["C!\n"], &[]),
        (
            "characters of two bytes",
            |t| t.iflag |= linux::IUTF8,
            "a\u{e4}\x7f\n",
            "a\u{e4}\x08 \x08\r\n",
            &["a\n"],
            &[],
        ),
        ("a line feed becomes a return", |t| t.iflag = linux::INLCR, "a\n\x04", "a^M", &["a\r"], &[]),
        ("returns are dropped", |t| t.iflag |= linux::IGNCR, "a\rb\n", "ab\r\n", &["ab\n"], &[]),
        (
            "what is erased is printed",
            |t| t.lflag |= linux::ECHOPRT,
            "ab\x7f\x7fc\n",
            "ab\\ba/c\r\n",
            &["c\n"],
            &[],
        ),
    ];
    for &(name, change, typed, shown, reads, signals) in rows {
        let (got_shown, got_reads, got_signals) = outcome(change, typed.as_bytes());
        assert_eq!((got_shown.as_str(), got_reads.as_slice()), (shown, &*own(reads)), "{name}");
        assert_eq!(got_signals, signals, "{name}");
    }
}

fn own(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.into()).collect()
}

#[test]
fn what_is_written_is_put_on_the_screen() {
    let rows: &[(u32, &str, &str)] = &[
        (linux::OPOST | linux::ONLCR, "a\nb\r\n", "a\r\nb\r\r\n"),
        (linux::OPOST, "a\n", "a\n"),
        (0, "a\n\t", "a\n\t"),
        (linux::OPOST | linux::XTABS, "ab\tc\x08\t", "ab      c\x08        "),
        (linux::OPOST | linux::OCRNL, "a\r", "a\n"),
        (linux::OPOST | linux::ONOCR, "\ra\r\r", "a\r"),
        (linux::OPOST | linux::OLCUC, "az[", "AZ["),
    ];
    for &(oflag, written, expected) in rows {
        let mut screen = Screen::new().unwrap();
        written.bytes().for_each(|byte| screen.put(&Termios { oflag, ..Termios::FRESH }, byte));
        let mut shown = [0; 99];
        let (count, _) = screen.peek(&mut shown);
        assert_eq!(text(&shown[..count]), expected, "{oflag:#x} {written:?}");
    }
}

#[test]
fn a_line_has_4095_bytes_at_most() {
    let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
    for _ in 0..5000 {
        assert!(discipline.has_room());
        discipline.receive(b'x', &mut screen);
    }
    assert_eq!(discipline.readable(), 0);
    discipline.receive(b'\n', &mut screen);
    assert!(!discipline.has_room());
    let mut line = [0; 5000];
    assert_eq!(discipline.peek(&mut line), (4096, 0));
    assert_eq!(&line[4094..4096], b"x\n");
    assert!(!discipline.consume(7, 1), "somebody else has read");
    assert!(discipline.consume(0, 4096) && discipline.has_room());
}

#[test]
fn a_read_that_fills_its_buffer_takes_the_end_of_file_too() {
    let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
    b"abc\x04d\n".iter().for_each(|&byte| assert_eq!(discipline.receive(byte, &mut screen), None));
    assert_eq!(discipline.unread(), 5);
    let (count, position) = discipline.peek(&mut [0; 3]);
    assert!(count == 3 && discipline.consume(position, count));
    assert_eq!(discipline.peek(&mut [0; 9]), (2, 4));
}

#[test]
fn lines_and_keys_change_over() {
    let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
    b"ab".iter().for_each(|&byte| assert_eq!(discipline.receive(byte, &mut screen), None));
    let keys = Termios { lflag: 0, ..Termios::FRESH };
    discipline.set(keys);
    assert_eq!(discipline.readable(), 2);
    discipline.set(Termios::FRESH);
    assert_eq!((discipline.readable(), discipline.peek(&mut [0; 9]).0), (2, 2));
    discipline.flush();
    assert_eq!((discipline.readable(), discipline.peek(&mut [0; 9])), (0, (0, 2)));
}

#[test]
fn reads_of_keys_wait_as_they_are_told() {
    const TENTH: u64 = TIMEBASE_HZ / 10;
    // VMIN, VTIME, bytes there, the read's size; what it does at first, and at the time that it has named.
    let rows = [
        ((0, 0, 0, 9), Next::Take, None),
        ((0, 3, 0, 9), Next::Until(1000 + 3 * TENTH), Some(Next::Take)),
        ((0, 3, 1, 9), Next::Take, None),
        ((1, 0, 0, 9), Next::Wait, None),
        ((4, 0, 3, 9), Next::Wait, None),
        ((4, 0, 3, 3), Next::Take, None),
        ((4, 2, 0, 9), Next::Wait, None),
        ((4, 2, 3, 9), Next::Until(1000 + 2 * TENTH), Some(Next::Take)),
    ];
    for ((least, tenths, there, want), first, then) in rows {
        let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
        let mut termios = Termios { lflag: 0, ..Termios::FRESH };
        (termios.cc[linux::VMIN as usize], termios.cc[linux::VTIME as usize]) = (least, tenths);
        discipline.set(termios);
        (0..there).for_each(|_| assert_eq!(discipline.receive(b'x', &mut screen), None));
        let mut reading = Reading::default();
        assert_eq!(discipline.next(&mut reading, want, 1000), first, "{least} {tenths} {there} {want}");
        if let (Next::Until(then_at), Some(then)) = (first, then) {
            assert_eq!(discipline.next(&mut reading, want, then_at), then);
        }
    }
}

fn location() -> Location {
    let id = FileId { fs: FileSystemId(1), ino: 9 };
    let inode = Inode { id, file_type: FileType::CharDevice, pin: None };
    Location { inode, path: Rc::new(b"/dev/ptmx".to_vec()), dir: None }
}

#[test]
fn the_two_ends_come_and_go() {
    let mut files = OpenFiles::new(|_| {});
    let master = files.create_terminal(location(), OpenFlags::RDWR, 5).unwrap();
    let (id, _) = files.terminal_of(master).unwrap();
    assert_eq!(id, TerminalId::Pseudo(0));
    let ends = [(id, TerminalEnd::Master), (id, TerminalEnd::Slave)];
    let next = |files: &OpenFiles, end| files.terminal_next(end, &mut Reading::default(), 9, 0);
    assert_eq!(files.open_terminal(id, location(), OpenFlags::RDWR), Err(Errno::EIO), "it is locked");
    files.change_terminal(id, |terminal| terminal.is_locked = false).unwrap();
    assert_eq!(next(&files, ends[0]), Ok(Next::Wait), "there may be slaves yet");
    let slave = files.open_terminal(id, location(), OpenFlags::RDWR).unwrap();
    assert_eq!(files.terminal_write(ends[1], b"a\n").unwrap().0, 2);
    assert_eq!(files.terminal_write(ends[0], b"hi\n").unwrap().0, 3);
    let mut shown = [0; 16];
    let (count, position) = files.terminal_peek(ends[0], &mut shown);
    assert_eq!(text(&shown[..count]), "a\r\nhi\r\n");
    assert!(files.terminal_consume(ends[0], position, count).is_some());
    files.close(slave);
    assert_eq!(next(&files, ends[0]), Err(Errno::EIO));
    assert!(files.terminals().readiness(id, TerminalEnd::Master).contains(Readiness::HUP));
    let slave = files.open_terminal(id, location(), OpenFlags::RDWR).unwrap();
    assert_eq!(files.terminal_peek(ends[1], &mut shown).0, 3, "what was typed has waited");
    files.close(master);
    assert_eq!((next(&files, ends[1]), files.terminal_peek(ends[1], &mut shown).0), (Ok(Next::Take), 0));
    assert_eq!(files.terminal_write(ends[1], b"x").unwrap_err(), Errno::EIO);
    files.close(slave);
    assert!(files.terminals().get(id).is_none());
}

#[test]
fn what_finds_no_room_waits() {
    let mut files = OpenFiles::new(|_| {});
    let master = files.create_terminal(location(), OpenFlags::RDWR, 0).unwrap();
    let (id, _) = files.terminal_of(master).unwrap();
    let ends = [(id, TerminalEnd::Master), (id, TerminalEnd::Slave)];
    files
        .change_terminal(id, |terminal| {
            let mut termios = *terminal.termios();
            raw(&mut termios);
            termios.lflag = linux::ISIG;
            assert!(terminal.set(termios).numbers().next().is_none());
        })
        .unwrap();
    let typed = [b'x'; 9000];
    assert_eq!(files.terminal_write(ends[0], &typed).unwrap().0, 4095 + 4096);
    let mut read = [0; 4000];
    let (count, position) = files.terminal_peek(ends[1], &mut read);
    assert!(count == 4000 && files.terminal_consume(ends[1], position, count).is_some());
    let (count, signals) = files.terminal_write(ends[0], b"\x03").unwrap();
    assert!(count == 1 && signals.numbers().next().is_none(), "it is held behind the others");
    let (count, position) = files.terminal_peek(ends[1], &mut read);
    let signals = files.terminal_consume(ends[1], position, count).unwrap();
    assert!(signals.numbers().eq([2]), "{signals:?}");
    let many = [b'y'; 20_000];
    let written = files.terminal_write(ends[1], &many).unwrap().0;
    assert!((8192..20_000).contains(&written), "{written}");
    assert_eq!(files.terminal_write(ends[1], &many).unwrap().0, 0);
    assert_eq!(files.terminals().readiness(id, TerminalEnd::Slave), Readiness::empty());
}

#[test]
fn a_stop_holds_output_back() {
    let (mut discipline, mut screen) = (Discipline::new(false).unwrap(), Screen::new().unwrap());
    let stop = Termios::FRESH.special(Special::Stop);
    discipline.receive(stop, &mut screen);
    assert!(discipline.is_stopped() && screen.is_empty());
    discipline.receive(Termios::FRESH.special(Special::Start), &mut screen);
    assert!(!discipline.is_stopped());
}
