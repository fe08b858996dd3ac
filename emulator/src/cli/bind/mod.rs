//! `--bind HOST:GUEST[:rw]`: a folder or file of the host's that the guest sees at a path of its own.
//!
//! It is put into a file system of its own when the machine is built ([`BindImage`]), all of them on one disk, and mounted by the kernel. What
//! the guest changes stays in its memory. With `:rw` the kernel tells at the end of the run what has changed ([`isa::binds`]): [`account`] reads
//! that, [`plan`] says what is to be done, [`apply`] does it. A run that does not come to its end changes nothing.

mod account;
mod apply;
mod plan;

use super::drive::End;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use emulator::image::{BindImage, ImageError, JoinedDisk, KnownFiles};
use emulator::machine::{GuestExit, Machine, StopReason};
use emulator::source::ProgramFiles;
use isa::binds::Place;
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Bytes of what has changed that are kept until the run has ended.
const ROOM_BYTES: u64 = 4 << 30;
/// Files left out that are named.
const NAMED: usize = 3;

#[derive(Args, Debug)]
pub struct BindArgs {
    /// Let the program see HOST, a folder or a file, at the absolute path GUEST (repeatable). It is copied in at the start. The program may change it
    /// there: that ends with the run, or, with :rw, is written out to HOST when the program has ended. The guest's clock begins no earlier than the time of the
    /// newest file
    #[arg(long, value_name = "HOST:GUEST[:rw]", value_parser = OsStringValueParser::new().try_map(Bind::parse))]
    bind: Vec<Bind>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Bind {
    host: PathBuf,
    /// The path in the guest, without a slash at its end or two in a row.
    point: Vec<u8>,
    is_written_out: bool,
}

impl Bind {
    fn parse(text: OsString) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "expected HOST:GUEST or HOST:GUEST:rw, with an absolute path GUEST, such as ./src:/src";
        let bytes = text.as_bytes();
        let (paths, is_written_out) = match (bytes.strip_suffix(b":rw"), bytes.strip_suffix(b":ro")) {
            (Some(paths), _) => (paths, true),
            (None, paths) => (paths.unwrap_or(bytes), false),
        };
        // A colon may be part of either name.
        let colon = paths.windows(2).rposition(|pair| pair == b":/").ok_or(EXPECTED)?;
        let (host, guest) = (&paths[..colon], &paths[colon + 1..]);
        if host.is_empty() {
            return Err(EXPECTED);
        }
        let mut point = Vec::new();
        for part in guest.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            if matches!(part, b"." | b"..") {
                return Err("GUEST is a path without `.` and `..`");
            }
            point.push(b'/');
            point.extend_from_slice(part);
        }
        match point.len() {
            0 => Err("GUEST is `/`: --root gives the root"),
            4096.. => Err("GUEST is too long for a path"),
            _ => Ok(Self { host: OsString::from_vec(host.to_vec()).into(), point, is_written_out }),
        }
    }

    /// The rest of a path in the guest that leads to or below it.
    fn below<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        match path.strip_prefix(self.point.as_slice())? {
            rest @ ([] | [b'/', ..]) => Some(rest),
            _ => None,
        }
    }

    /// The host's file that a path in the guest leads to.
    fn on_host(&self, path: &[u8]) -> Option<PathBuf> {
        let rest = self.below(path)?;
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        Some(if rest.is_empty() { self.host.clone() } else { self.host.join(OsStr::from_bytes(rest)) })
    }

    /// As it was given.
    fn text(&self) -> String {
        let rw = if self.is_written_out { ":rw" } else { "" };
        format!("--bind {}:{}{rw}", self.host.display(), String::from_utf8_lossy(&self.point))
    }
}

impl BindArgs {
    /// Whether a path in the guest leads to what is of the host's.
    pub fn hold(&self, path: &OsStr) -> bool {
        self.bind.iter().any(|bind| bind.below(path.as_bytes()).is_some())
    }
}

/// The binds of a run.
pub struct Binds<'a> {
    binds: &'a [Bind],
    is_writing: bool,
    /// The files of each, when the machine was built last.
    known: RefCell<Vec<KnownFiles>>,
}

impl<'a> Binds<'a> {
    /// Those that are asked for, once they make sense together.
    pub fn new(args: &'a BindArgs) -> Result<Self> {
        let binds = args.bind.as_slice();
        let real = |bind: &Bind| bind.host.canonicalize().unwrap_or_else(|_| bind.host.clone());
        for (number, bind) in binds.iter().enumerate() {
            for before in &binds[..number] {
                if bind.point == before.point {
                    bail!(
                        "{} and {}: only one of them can be there; give the other another path",
                        before.text(),
                        bind.text()
                    );
                }
                let (a, b) = (real(before), real(bind));
                if bind.is_written_out && before.is_written_out && (a.starts_with(&b) || b.starts_with(&a)) {
                    bail!(
                        "{} and {}: both would write the same files; leave :rw out of one",
                        before.text(),
                        bind.text()
                    );
                }
            }
        }
        Ok(Self { binds, is_writing: true, known: RefCell::default() })
    }

    /// The same, and nothing is written out.
    pub fn without_writing(self) -> Self {
        Self { is_writing: false, ..self }
    }

    /// Attaches their disk, if there is to be one, behind those that the machine has. What the kernel is to be told.
    pub fn attach(&self, machine: &mut Machine) -> Result<Vec<Vec<u8>>> {
        if self.binds.is_empty() {
            return Ok(Vec::new());
        }
        let is_first = self.known.borrow().is_empty();
        let mut disk = JoinedDisk::default();
        let (mut known, mut starts) = (Vec::new(), Vec::new());
        for bind in self.binds {
            let image = BindImage::read(&bind.host).with_context(|| {
                format!(
                    "{}: HOST must be a folder or file that is there, as the part before the colon",
                    bind.text()
                )
            })?;
            if is_first {
                tell_of_left_out(bind, &image.left_out);
            }
            known.push(image.known.clone());
            starts.push(disk.add(image.into_disk()));
        }
        // What is made in the run is newer than what was there before.
        machine.begin_clock_no_earlier(known.iter().map(KnownFiles::newest_ns).max().unwrap_or(0));
        *self.known.borrow_mut() = known;
        let disk = machine.attach_disk(Box::new(disk), true).context("cannot attach the disk of --bind")?;
        if self.is_writing && self.binds.iter().any(|bind| bind.is_written_out) {
            machine.keep_changed(ROOM_BYTES);
        }
        let told = self.binds.iter().zip(starts).map(|(bind, start_bytes)| {
            let is_written_out = bind.is_written_out && self.is_writing;
            let place = Place { disk: disk as u64, start_bytes, is_written_out, point: &bind.point };
            [place.head().to_string().as_bytes(), place.point].concat()
        });
        Ok(told.collect())
    }

    /// The guest's files: those of binds, and the others.
    pub fn files(&self, others: ProgramFiles) -> ProgramFiles {
        if self.binds.is_empty() {
            return others;
        }
        let binds = self.binds.to_vec();
        Box::new(move |path| {
            let on_host = binds.iter().rev().find_map(|bind| bind.on_host(path.as_bytes()));
            on_host.map_or_else(|| others(path), |file| std::fs::read(file).ok())
        })
    }

    /// Writes out what is to be written, if the run has come to its end; says that nothing is written, if it has not.
    pub fn write_out(&self, machine: &Machine, end: End) -> Result<()> {
        let is_to_be = |bind: &&Bind| bind.is_written_out && self.is_writing;
        match end {
            End::Stopped(StopReason::Exit(GuestExit::Status(_) | GuestExit::Signaled(_))) => {}
            // It has not begun.
            End::Stopped(StopReason::Exit(GuestExit::ExecFailed(_))) => return Ok(()),
            _ => {
                for bind in self.binds.iter().filter(is_to_be) {
                    tell!(
                        "folio: {}: nothing is written, as the program has not come to its end",
                        bind.text()
                    );
                }
                return Ok(());
            }
        }
        let mut result = Ok(());
        for (number, (bind, known)) in (0..).zip(self.binds.iter().zip(&*self.known.borrow())) {
            if bind.is_written_out && self.is_writing {
                let written = write_one(machine, number, bind, known).with_context(|| bind.text());
                result = result.and(written);
            }
        }
        result
    }
}

fn write_one(machine: &Machine, number: u64, bind: &Bind, known: &KnownFiles) -> Result<()> {
    let account = account::of(machine.changed(), number).context("nothing is written")?;
    let host =
        bind.host.canonicalize().with_context(|| format!("{} is not there any more", bind.host.display()))?;
    let (folder, alone) = match host.is_dir() {
        true => (host.as_path(), None),
        false => (host.parent().unwrap_or(Path::new("/")), host.file_name()),
    };
    let plan = plan::plan(known, &account, alone);
    let plan =
        plan.map_err(|plan::NoTree| anyhow!(account::BadAccount::Malformed)).context("nothing is written")?;
    for path in plan.left_out.iter().take(NAMED) {
        tell!("folio: {}: {} is a pipe, socket or device, and is not written", bind.text(), path.display());
    }
    tell_of_more(bind, plan.left_out.len());
    apply::apply(&plan, folder)
}

fn tell_of_left_out(bind: &Bind, left_out: &[ImageError]) {
    for error in left_out.iter().take(NAMED) {
        tell!("folio: {}: left out: {error}", bind.text());
    }
    tell_of_more(bind, left_out.len());
}

fn tell_of_more(bind: &Bind, count: usize) {
    if count > NAMED {
        tell!("folio: {}: likewise {} more", bind.text(), count - NAMED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_two_paths() {
        for (text, host, point, is_written_out) in [
            ("src:/src", "src", "/src", false),
            (".:/work:rw", ".", "/work", true),
            (".:/work:ro", ".", "/work", false),
            ("/a b://x//y/", "/a b", "/x/y", false),
            ("a:b:/c:d", "a:b", "/c:d", false),
            ("a:/b:rw:rw", "a", "/b:rw", true),
        ] {
            let expected = Bind { host: host.into(), point: point.into(), is_written_out };
            assert_eq!(Bind::parse(text.into()), Ok(expected), "{text}");
        }
        for text in [
            "",
            "src",
            "src:",
            ":/src",
            "src:src",
            "src:/",
            "src://",
            "src:/a/../b",
            "src:/./a",
            "/src",
            "src:/:rw",
        ] {
            assert!(Bind::parse(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_of_the_guest_lead_to_files_of_the_host() {
        let bind = Bind::parse("h:/src".into()).unwrap();
        for (path, found) in
            [("/src", Some("h")), ("/src/a/b", Some("h/a/b")), ("/srcs", None), ("/", None), ("src", None)]
        {
            assert_eq!(bind.on_host(path.as_bytes()), found.map(PathBuf::from), "{path}");
        }
    }
}
