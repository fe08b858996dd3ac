//! `execve`: find the program, plan its address space, build it beside the old one, and change over.
//!
//! Until the change-over every error leaves the process as it was. Only the pages that hold headers are read; the
//! segments are mapped and wait for their first touch.

use crate::hart::{current, hart};
use crate::local::HartLocal;
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::{ahead, heap, inject, mem, user};
use crate::processes::exit;
use crate::processes::image::{self, Image, Malformed, ProgramImage};
use crate::processes::process::{self, Process, Program, SharedSpace, Space};
use crate::processes::thread::Thread;
use crate::syscall::limits;
use crate::syscall::system::{self, ADDR_NO_RANDOMIZE};
use crate::{arch, events, settings};
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::{Errno, Location, RandomSource, Setting};
use isa::events::{EventKind, EventRecord};
use isa::{PAGE_SIZE, VirtAddr};
use linux_raw_sys::auxvec as linux;
use mm::AddressSpace;
use mm::layout::{Layout, Randomised};
use proc::{StackImage, StackRequest, Strings};

/// Most bytes of arguments and environment together, by the stack's limit in bytes: a quarter of it, but 128 KiB in any case and 6 MiB
/// at most, as in Linux.
pub fn max_argument_bytes(stack_limit: u64) -> usize {
    const LEAST: u64 = 128 << 10;
    const MOST: u64 = 6 << 20;
    usize::try_from((stack_limit / 4).clamp(LEAST, MOST)).expect("a usize has 64 bits")
}
/// IMAFDC, one bit a letter.
const HWCAP: u64 = 1 << 8 | 1 << 12 | 1 << 0 | 1 << 5 | 1 << 3 | 1 << 2;
const CLOCK_TICKS: u64 = 100;

/// What `execve` was asked for.
pub struct Request {
    /// The directory that a relative path starts from.
    pub at: Location,
    /// Path of the program.
    pub path: Vec<u8>,
    /// Its arguments.
    pub argv: Strings,
    /// Its environment.
    pub envp: Strings,
}

/// Replaces the running process's program. On success its registers are those of the new program's start.
pub fn execute(request: Request) -> Result<(), Errno> {
    let mut request = request;
    let size = |list: &Strings| list.as_bytes().len() + list.len() * size_of::<u64>();
    let stack_limit = current().process.stack_limit();
    if size(&request.argv) + size(&request.envp) > max_argument_bytes(stack_limit)
        || pages_of_strings(&request) > (stack_limit / PAGE_SIZE).max(1)
    {
        return Err(Errno::E2BIG);
    }
    let program = ProgramImage::find(&mut request)?;
    let thread = current();
    let mut program = match program {
        Ok(program) => program,
        Err(Malformed) => {
            thread.process.signals.borrow_mut().exec();
            thread.force(proc::SigInfo::from_kernel(proc::Signal::SEGV));
            return Ok(());
        }
    };
    let had_others = exit::end_other_threads(&thread)?;
    // As in Linux, there is no way back once the other threads have ended.
    let give_up = |error| {
        if had_others && !inject::has_refused() {
            thread.post(proc::SigInfo::from_kernel(proc::Signal::KILL));
        }
        error
    };
    crate::syscall::futex::release_locks(&thread);
    wait_for_room((size(&request.argv) + size(&request.envp) + request.path.len()) as u64)
        .map_err(give_up)?;
    // Nothing sleeps from here on: no other process sees an address space that is nobody's.
    let space = new_space().map_err(give_up)?;
    let layout = layout(&thread, stack_limit / PAGE_SIZE);
    space.borrow_mut().lay_out(&layout, stack_limit / PAGE_SIZE);
    space.borrow_mut().set_budget(&mut mem::memory(), limits::budget_of(&thread.process));
    let mut prepare = || {
        let vdso = program.map(&mut space.borrow_mut(), &layout)?;
        let (top, is_executable) = (layout.stack_top, program.main.plan.executable_stack);
        let stack = first_stack(&request, &program, vdso, top)?;
        image::map_stack(&mut space.borrow_mut(), stack.sp, top, is_executable)?;
        heap::settle()?;
        thread.process.unshare_files()?;
        make_room(stack.bytes.len() as u64)?;
        Ok(stack)
    };
    let stack = match prepare() {
        Ok(stack) => stack,
        Err(error) => {
            process::release_space(space);
            return Err(give_up(error));
        }
    };
    inject::covered(|| {
        change_over(&thread, space, &program, request, &stack);
        if user::copy_out(stack.sp.0, &stack.bytes).is_err() {
            // There is no old program to go back to.
            thread.post(proc::SigInfo::from_kernel(proc::Signal::KILL));
        }
        close_on_exec(&thread.process);
    });
    ahead::populate_all(&thread.process.space());
    Ok(())
}

/// The pages at the top of the new stack that the strings take, the program's path among them. The first one is there under any limit.
fn pages_of_strings(request: &Request) -> u64 {
    const END_OF_STACK: usize = size_of::<u64>();
    let strings = request.argv.as_bytes().len() + request.envp.as_bytes().len() + request.path.len() + 1;
    ((strings + END_OF_STACK) as u64).div_ceil(PAGE_SIZE)
}

/// Where the random places of programs come from (`--aslr`).
static PLACES: HartLocal<RandomSource> = HartLocal::new(RandomSource::new(0));

/// From now on programs lie at random, by this seed.
pub fn place_at_random(seed: u64) {
    *PLACES.get_mut() = RandomSource::new(seed);
    let set = settings::set(Setting::RANDOMIZE, RANDOMIZE_ALL);
    set.expect("it is in the setting's range");
}

/// Of `kernel.randomize_va_space`: stack, mappings and programs lie at random, and the heap, too.
const RANDOMIZE_ALL: u64 = 2;

/// Where the parts of a new program go.
#[inline(never)] // a frame of its own, not part of its caller's
fn layout(thread: &Thread, stack_limit_pages: u64) -> Layout {
    let what = match settings::setting(Setting::RANDOMIZE) {
        _ if thread.persona.get() & ADDR_NO_RANDOMIZE != 0 => None,
        0 => None,
        RANDOMIZE_ALL.. => Some(Randomised::All),
        _ => Some(Randomised::AllButTheHeap),
    };
    match what {
        Some(what) => Layout::at_random(stack_limit_pages, what, || PLACES.get_mut().next_u64()),
        None => Layout::fixed(stack_limit_pages),
    }
}

/// An address space in which nothing is mapped.
#[inline(never)] // a frame of its own, not part of its caller's
fn new_space() -> Result<SharedSpace, Errno> {
    let (id, asid) = mem::allocate_space_name().ok_or(Errno::EAGAIN)?;
    match AddressSpace::new(&mut mem::memory(), id, asid, Some(arch::kernel_root())) {
        Ok(space) => Ok(Space::new(space, true)),
        Err(_) => {
            mem::free_asid(asid);
            Err(Errno::ENOMEM)
        }
    }
}

/// Sees to frames for a new address space whose stack begins with so many bytes of lists. Sleeps while pages go out.
fn wait_for_room(list_bytes: u64) -> Result<(), Errno> {
    /// Beside the lists the stack has the auxiliary vector, and the address space a root page table.
    const MORE_BYTES: u64 = 2 * PAGE_SIZE;
    let frames = frames_for_stack(list_bytes + MORE_BYTES);
    reclaim::wait_for_frames(frames, AtTheEnd::Fail).map_err(|_| Errno::ENOMEM)
}

/// Sees to frames for so many bytes of the new stack. Nothing sleeps between this and their use.
fn make_room(stack_bytes: u64) -> Result<(), Errno> {
    mem::memory().make_room(frames_for_stack(stack_bytes)).map_err(|_| Errno::ENOMEM)
}

/// The most frames that so many bytes of a new stack take.
fn frames_for_stack(stack_bytes: u64) -> u64 {
    const PAGES_OF_TABLE: u64 = 512;
    /// The page that the stack begins in; page tables: two levels under the root, which a small stack may need twice; a page and
    /// a table of the heap's, whose share is made whole again with each page of the stack.
    const MORE_FRAMES: u64 = 1 + 4 + 2;
    let pages = stack_bytes.div_ceil(PAGE_SIZE);
    pages + pages / PAGES_OF_TABLE + MORE_FRAMES
}

#[inline(never)] // a frame of its own, not part of its caller's
fn first_stack(
    request: &Request,
    program: &ProgramImage,
    vdso: VirtAddr,
    top: VirtAddr,
) -> Result<StackImage, Errno> {
    proc::build_stack(&StackRequest {
        top,
        argv: &request.argv,
        envp: &request.envp,
        path: &request.path,
        random: system::random_bytes(),
        auxv: &auxiliary_vector(program, vdso),
    })
    .map_err(|_| Errno::ENOMEM)
}

fn auxiliary_vector(program: &ProgramImage, vdso: VirtAddr) -> [(u32, u64); 16] {
    let (plan, who) = (&program.main.plan, program.main.image.credentials());
    let is_secure = who.user.real != who.user.effective || who.group.real != who.group.effective;
    [
        (linux::AT_SYSINFO_EHDR, vdso.0),
        (linux::AT_HWCAP, HWCAP),
        (linux::AT_PAGESZ, PAGE_SIZE),
        (linux::AT_CLKTCK, CLOCK_TICKS),
        (linux::AT_PHDR, plan.headers_va.0),
        (linux::AT_PHENT, 56),
        (linux::AT_PHNUM, plan.header_count),
        (linux::AT_BASE, program.loader_base()),
        (linux::AT_FLAGS, 0),
        (linux::AT_ENTRY, plan.entry.0),
        (linux::AT_UID, who.user.real.into()),
        (linux::AT_EUID, who.user.effective.into()),
        (linux::AT_GID, who.group.real.into()),
        (linux::AT_EGID, who.group.effective.into()),
        (linux::AT_SECURE, is_secure.into()),
        (linux::AT_HWCAP2, 0),
    ]
}

/// From here on the process executes the new program. Nothing sleeps.
#[inline(never)] // a frame of its own, not part of its caller's
fn change_over(
    thread: &Thread,
    space: SharedSpace,
    program: &ProgramImage,
    request: Request,
    stack: &StackImage,
) {
    let image = &program.main.image;
    let process = &thread.process;
    let satp = space.satp;
    let old = process.space.borrow_mut().replace(space);
    hart().use_address_space(satp);
    if let Some(old) = old {
        process::release_space(old);
    }
    process.end_borrowing();
    process.timers.alarms.clear();
    become_user_of(process, image);
    process.signals.borrow_mut().exec();
    thread.signals.borrow_mut().exec();
    thread.become_first();
    process.has_had_threads.set(false);
    process.has_executed.set(true);
    process::table(|t| t.tell_end_as_usual(process.pid));
    hart().fp.borrow_mut().forget(thread.tid());
    **thread.fp.borrow_mut() = arch::FpState::default();
    **thread.frame.borrow_mut() = arch::TrapFrame::starting_at(program.start().0, stack.sp.0);
    thread.clear_child_tid.set(0);
    *thread.name.borrow_mut() = name_of(&request);
    *process.program.borrow_mut() = program_of(image, request, stack);

    let record =
        EventRecord { detail: program.main.plan.entry.0, detail2: satp.0, ..events::of(EventKind::Exec) };
    events::report_text(record, &image.location.path);
    let space = process.space();
    for vma in space.borrow().vmas().iter() {
        events::mapped(vma);
    }
}

/// The process acts as its new program does. Who has become somebody else by that is nobody's to look into, and neither is a program that its
/// user may not read.
fn become_user_of(process: &Process, image: &Image) {
    let who = image.credentials();
    let is_same = |ids: &proc::Ids| ids.real == ids.effective;
    let acts_as = who.acts_as();
    let before = process.credentials.replace(who.clone());
    let has_changed = before.acts_as() != acts_as;
    if has_changed {
        process.death_signal.set(None);
    }
    let is_open = !has_changed && image.is_readable && is_same(&who.user) && is_same(&who.group);
    process.space().is_dumpable.set(is_open);
}

/// Closes what the old program has marked for it. May sleep, as tmpfs is locked to free what has lost its name.
fn close_on_exec(process: &Process) {
    let mut from = 0;
    loop {
        let next = process.files().borrow_mut().take_next(from, true);
        let Some((fd, file)) = next else { break };
        crate::syscall::files::close_descriptor(process, file);
        from = fd + 1;
    }
}

fn name_of(request: &Request) -> Vec<u8> {
    const NAME_BYTES: usize = 15;
    let last = request.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    last[..last.len().min(NAME_BYTES)].to_vec()
}

fn program_of(image: &Image, request: Request, stack: &StackImage) -> Program {
    Program {
        path: image.location.path.clone(),
        arguments: Rc::new(request.argv.into_bytes()),
        environment: Rc::new(request.envp.into_bytes()),
        auxv: Rc::new(stack.bytes[stack.auxv.clone()].to_vec()),
        start_stack: stack.sp.0,
        executing: image.executing.clone(),
    }
}

/// The paths under which a program named without a slash is looked for, by the `PATH` of `envp`.
pub fn candidates(program: &[u8], envp: &Strings) -> Vec<Vec<u8>> {
    const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    if program.contains(&b'/') {
        return alloc::vec![program.to_vec()];
    }
    let path = envp.iter().find_map(|entry| entry.strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
    let in_directory = |directory: &[u8]| match directory {
        b"" => [b"./", program].concat(),
        _ => [directory, b"/", program].concat(),
    };
    path.split(|&byte| byte == b':').map(in_directory).collect()
}
