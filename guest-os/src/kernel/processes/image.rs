//! Program files for `execve`: found through `#!` lines, looked at and planned; then mapped into a new address space.
//!
//! Only the pages that hold headers are read.

use crate::events;
use crate::files::vfs;
use crate::hart::current;
use crate::memory::{heap, mem, pages};
use crate::processes::exec::Request;
use crate::processes::vdso;
use abi::ITS_LOADER;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use fs::{Errno, FileType, FileUse, LastLink, Location, MountFlags};
use isa::VirtAddr;
use isa::events::MAX_TEXT;
use mm::layout::{self, Layout};
use mm::vma::{FileBacking, OpenPath};
use mm::{AddressSpace, Backing, FileId, MapRequest, Name, Placement, Prot, VmaFlags};
use proc::{Credentials, ElfError, ElfPlan, Headers, Segment, SegmentProt, Strings};

/// Interpreters of scripts that are scripts themselves.
const MAX_SCRIPT_DEPTH: usize = 4;
/// Bytes looked at to see what a file is.
const START_BYTES: usize = 256;

/// A file that can be executed.
pub struct Image {
    /// Where it is.
    pub location: Location,
    /// Nobody may write it meanwhile.
    pub executing: Option<Rc<FileUse>>,
    /// Who starts it may read it.
    pub is_readable: bool,
    number: FileId,
    len_bytes: u64,
    headers: Headers,
    /// User and group as whom it acts, whoever starts it (set-user-ID, set-group-ID).
    acts_as: (Option<u32>, Option<u32>),
}

impl Image {
    /// Who the process is as this program.
    pub fn credentials(&self) -> Credentials {
        let mut who = current().process.credentials.borrow().clone();
        let (user, group) = if who.gains_nothing { (None, None) } else { self.acts_as };
        who.exec(user, group);
        who
    }
}

/// A file and what of it is to be mapped.
pub struct Planned {
    /// The file.
    pub image: Image,
    /// Its segments.
    pub plan: ElfPlan,
}

/// All that is mapped for a program.
pub struct ProgramImage {
    /// The program itself.
    pub main: Planned,
    /// Its dynamic loader (PT_INTERP), which starts in its place.
    pub loader: Option<Box<Planned>>,
}

/// A program of which Linux finds out that it can't be mapped when the old program is gone already: the process dies.
pub struct Malformed;

impl ProgramImage {
    /// Finds the program, through any `#!` lines, and its loader.
    #[inline(never)] // a frame of its own, not part of its caller's
    pub fn find(request: &mut Request) -> Result<Result<Box<Self>, Malformed>, Errno> {
        let image = find_image(request)?;
        let plan = match plan_image(&image)? {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(malformed(&image, error))),
        };
        let loader = match plan.interpreter {
            Some((offset, len)) => match plan_loader(&image, offset, len)? {
                Ok(loader) => Some(loader),
                Err(malformed) => return Ok(Err(malformed)),
            },
            None => None,
        };
        if let Err(error) = Headers::check_length(&plan, image.len_bytes) {
            return Ok(Err(malformed(&image, error)));
        }
        Ok(Ok(Box::new(Self { main: Planned { image, plan }, loader })))
    }

    /// Maps all but the stack as `layout` says, the loader where there is room for it; keeps handles on the files. Where the vDSO is.
    #[inline(never)] // a frame of its own, not part of its caller's
    pub fn map(&mut self, space: &mut AddressSpace, layout: &Layout) -> Result<VirtAddr, Errno> {
        if self.main.plan.is_position_independent {
            self.main.plan.move_to(layout.pie_base);
        }
        self.main.map(space)?;
        if let Some(loader) = &mut self.loader {
            let plan = &mut loader.plan;
            if plan.is_position_independent {
                let room = space.find_room(plan.len_pages()).map_err(|_| Errno::ENOMEM)?;
                plan.move_to(room.base());
            }
            loader.map(space)?;
        }
        let vdso = space.map(&mut mem::memory(), vdso::mapping()).map_err(|_| Errno::ENOMEM)?;
        space.set_heap_start(self.main.plan.brk_start.wrapping_add(layout.heap_gap));
        Ok(vdso.range.start.base())
    }

    /// Where the process starts.
    pub fn start(&self) -> VirtAddr {
        self.loader.as_deref().unwrap_or(&self.main).plan.entry
    }

    /// What was added to the loader's addresses (`AT_BASE`); 0 without one.
    pub fn loader_base(&self) -> u64 {
        self.loader.as_ref().map_or(0, |loader| loader.plan.bias)
    }
}

/// Opens the program, following `#!` lines; these change the request's path and arguments.
#[inline(never)] // a frame of its own, not part of its caller's
fn find_image(request: &mut Request) -> Result<Image, Errno> {
    for _ in 0..=MAX_SCRIPT_DEPTH {
        let (location, executing) = open_executable(&request.at, &request.path)?;
        let (number, len_bytes) = pages::open(&location.inode)?;
        let mut start = [0; START_BYTES];
        let count = pages::read(number, len_bytes, 0, &mut start)?;
        if let Some(script) = proc::parse_script(&start[..count]) {
            let mut argv = Strings::default();
            let before = [Some(script.interpreter), script.argument, Some(&request.path)];
            let added = before.into_iter().flatten().try_for_each(|text| argv.try_push(text));
            added.and_then(|()| argv.try_append(&request.argv, 1)).map_err(|_| Errno::ENOMEM)?;
            request.argv = argv;
            request.path = script.interpreter.to_vec();
            continue;
        }
        let headers = Headers::parse(&start[..count]).map_err(|error| refuse(&location, error))?;
        let acts_as = set_ids(&location)?;
        let is_readable = vfs::lock().check(&location.inode, 4).is_ok();
        return Ok(Image { location, number, len_bytes, headers, executing, acts_as, is_readable });
    }
    Err(Errno::ELOOP)
}

/// Finds the loader whose path is in `image` at `offset`, and where it is to lie.
#[inline(never)] // a frame of its own, not part of its caller's
fn plan_loader(image: &Image, offset: u64, len: u64) -> Result<Result<Box<Planned>, Malformed>, Errno> {
    let loader = find_loader(image, offset, len)?;
    match plan_image(&loader).map_err(|error| unusable(image, &loader, error))? {
        Ok(plan) => Ok(Ok(Box::new(Planned { image: loader, plan }))),
        Err(error) => Ok(Err(malformed(&loader, error))),
    }
}

/// Opens the loader whose path is in `image` at `offset`. What cannot be opened has its errno; what is no program of this
/// machine is ELIBBAD.
#[inline(never)] // a frame of its own, not part of its caller's
fn find_loader(image: &Image, offset: u64, len: u64) -> Result<Image, Errno> {
    let mut path = zeroes(len)?;
    if pages::read(image.number, image.len_bytes, offset, &mut path)? < path.len() {
        return Err(Errno::EIO);
    }
    let Some(path) = path.strip_suffix(&[0]) else {
        return Err(refuse(&image.location, ElfError::BadHeaders));
    };
    // A name may end before its length does.
    let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
    let (location, executing) = open_executable(&current().process.cwd(), path).map_err(|errno| {
        let why = alloc::format!("{ITS_LOADER} {} cannot be opened", for_log(path));
        refuse_because(&image.location, errno, &why)
    })?;
    let (number, len_bytes) = pages::open(&location.inode)?;
    let mut start = [0; START_BYTES];
    let count = pages::read(number, len_bytes, 0, &mut start)?;
    let headers = Headers::parse(&start[..count]).map_err(|error| {
        let why = alloc::format!("{ITS_LOADER} {} is none: {}", for_log(path), error.reason());
        refuse_because(&image.location, Errno::ELIBBAD, &why)
    })?;
    Ok(Image { location, number, len_bytes, headers, executing, acts_as: (None, None), is_readable: true })
}

/// Why a program does not start whose loader has no plan.
fn unusable(image: &Image, loader: &Image, errno: Errno) -> Errno {
    match errno {
        Errno::ENOEXEC => {
            let why = alloc::format!("{ITS_LOADER} {} is none", for_log(&loader.location.path));
            refuse_because(&image.location, Errno::ELIBBAD, &why)
        }
        _ => errno,
    }
}

fn malformed(image: &Image, error: ElfError) -> Malformed {
    log::warn!("{}: {}", for_log(&image.location.path), error.reason());
    Malformed
}

/// As whom a program acts, if its mode says so.
fn set_ids(program: &Location) -> Result<(Option<u32>, Option<u32>), Errno> {
    const SET_USER: u32 = 0o4000;
    const SET_GROUP_OF_PROGRAM: u32 = 0o2010;
    let (stat, flags) = {
        let mut vfs = vfs::lock();
        (vfs.stat(&program.inode)?, vfs.mount_flags(program.inode.id().fs))
    };
    let is_set = |bits: u32| stat.mode & bits == bits && !flags.contains(MountFlags::NOSUID);
    Ok((is_set(SET_USER).then_some(stat.uid), is_set(SET_GROUP_OF_PROGRAM).then_some(stat.gid)))
}

fn open_executable(at: &Location, path: &[u8]) -> Result<(Location, Option<Rc<FileUse>>), Errno> {
    let mut vfs = vfs::lock();
    let location = vfs.resolve(at, path, LastLink::Follow)?;
    if location.inode.file_type() != FileType::Regular {
        return Err(Errno::EACCES);
    }
    vfs.check_access(&location.inode, 1)?;
    let executing = location.inode.use_for_executing()?;
    Ok((location, executing))
}

/// The plan; or why the process dies of it; or why `execve` fails.
#[inline(never)] // a frame of its own, not part of its caller's
fn plan_image(image: &Image) -> Result<Result<ElfPlan, ElfError>, Errno> {
    let headers = &image.headers;
    let mut table = zeroes(headers.table_bytes())?;
    let count = pages::read(image.number, image.len_bytes, headers.table_offset(), &mut table)?;
    match headers.plan(&table[..count], layout::PIE_BASE, layout::USER_END) {
        Err(ElfError::NoMemory) => Err(Errno::ENOMEM),
        Err(error) if !error.is_fatal() => Err(refuse(&image.location, error)),
        plan => Ok(plan),
    }
}

/// Memory for a part of a file.
fn zeroes(len_bytes: u64) -> Result<Vec<u8>, Errno> {
    let len = usize::try_from(len_bytes).map_err(|_| Errno::ENOEXEC)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// The beginning of a path as text: all that a line of the log or an event has room for, whatever a program has named.
fn for_log(path: &[u8]) -> String {
    String::from_utf8_lossy(&path[..path.len().min(MAX_TEXT)]).into_owned()
}

fn refuse(location: &Location, error: ElfError) -> Errno {
    refuse_because(location, Errno::ENOEXEC, error.reason())
}

/// Tells why a file is no program: by an event, and in the log. `execve` fails so as a matter of course (a shell tries, and reads
/// a script itself); the first program's failure ends the run, and with a host, which listens to the events, the host says why.
fn refuse_because(location: &Location, errno: Errno, why: &str) -> Errno {
    events::exec_refused(errno.number(), why);
    let is_first = current().process.space.borrow().is_none();
    let is_news = is_first && !crate::devices::drivers::host::is_present();
    let level = if is_news { log::Level::Warn } else { log::Level::Debug };
    log::log!(level, "{}: {why}", for_log(&location.path));
    errno
}

impl Planned {
    fn map(&self, space: &mut AddressSpace) -> Result<(), Errno> {
        /// What a segment costs at most: two VMAs, which may split another.
        const SEGMENT_BYTES: usize = 1 << 10;
        let Self { image, plan } = self;
        pages::hold(image.number, &image.location.inode);
        let _prepared = heap::prepare(plan.segments.len() * SEGMENT_BYTES)?;
        let memory = &mut *mem::memory();
        let name = Name::Path(Rc::new(OpenPath { path: image.location.path.clone(), kept: None }));
        let mut enter =
            |request: MapRequest| space.map(memory, request).map(|_| ()).map_err(|_| Errno::ENOMEM);
        for segment in &plan.segments {
            if segment.file_pages > 0 {
                enter(file_part(segment, image.number, &name))?;
            }
            if segment.zero_pages > 0 {
                enter(zero_part(segment))?;
            }
        }
        Ok(())
    }
}

/// Maps the stack from `sp` to `top`.
pub fn map_stack(
    space: &mut AddressSpace,
    sp: VirtAddr,
    top: VirtAddr,
    is_executable: bool,
) -> Result<(), Errno> {
    let first = sp.page();
    let stack = MapRequest {
        placement: Placement::Fixed(first),
        len_pages: top.page().0 - first.0,
        prot: Prot::READ | Prot::WRITE | if is_executable { Prot::EXEC } else { Prot::empty() },
        flags: VmaFlags::GROWS_DOWN,
        backing: Backing::Anon,
        name: "[stack]".into(),
    };
    space.map(&mut mem::memory(), stack).map(|_| ()).map_err(|_| Errno::ENOMEM)
}

fn prot_of(segment: &Segment) -> Prot {
    let mut prot = Prot::empty();
    prot.set(Prot::READ, segment.prot.contains(SegmentProt::READ));
    prot.set(Prot::WRITE, segment.prot.contains(SegmentProt::WRITE));
    prot.set(Prot::EXEC, segment.prot.contains(SegmentProt::EXEC));
    prot
}

fn file_part(segment: &Segment, file: FileId, name: &Name) -> MapRequest {
    MapRequest {
        placement: Placement::Fixed(segment.start.page()),
        len_pages: segment.file_pages,
        prot: prot_of(segment),
        flags: VmaFlags::empty(),
        backing: Backing::File(FileBacking {
            file,
            first_page: segment.first_file_page,
            len_bytes: segment.file_bytes,
        }),
        name: name.clone(),
    }
}

fn zero_part(segment: &Segment) -> MapRequest {
    MapRequest {
        placement: Placement::Fixed(segment.start.page().wrapping_add(segment.file_pages)),
        len_pages: segment.zero_pages,
        prot: prot_of(segment),
        flags: VmaFlags::empty(),
        backing: Backing::Anon,
        name: "".into(),
    }
}
