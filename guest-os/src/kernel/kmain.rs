//! From the firmware's jump to the first program.

use crate::config::{self, Config, Init};
use crate::devices::drivers::host;
use crate::devices::{block, clock, console, interrupts, swap, swap_check};
use crate::files::file_memory::CachedFiles;
use crate::files::proc_facts::KernelFacts;
use crate::files::{binds, terminals, vfs};
use crate::hart::{current, hart};
use crate::local::HartLocal;
use crate::memory::{ahead, heap, inject, mem, oom};
use crate::processes::exec::{self, Request};
use crate::processes::process::{self, FsContext, Program, Start};
use crate::processes::thread;
use crate::processes::vdso;
use crate::processes::wait::{self, scheduler};
use crate::shutdown::{End, stop};
use crate::syscall::files::close_file;
use crate::syscall::{limits, system};
use crate::{arch, events, logger};
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};
use dtoolkit::fdt::Fdt;
use fs::{Device, Errno, Object, OpenFile, OpenFlags, Vfs};
use isa::events::{EventKind, EventRecord};
use isa::{PAGE_SIZE, PhysAddr};
use proc::{DescriptorTable, ProcessSignals, ThreadSignals};

/// The first program, until its process starts it.
static INIT: HartLocal<Option<Init>> = HartLocal::new(None);

/// Called by the start-up code, on the boot stack, in the high half.
#[unsafe(no_mangle)]
extern "C" fn kmain(_hart: u64, device_tree: u64) -> ! {
    let device_tree = PhysAddr(device_tree);
    // SAFETY: the firmware's argument; no memory is handed out before the tree has been read.
    let bytes = unsafe { config::device_tree(device_tree) };
    let fdt = Fdt::new(bytes).expect("the firmware passes a device tree");
    let tree_end = PhysAddr(device_tree.0 + bytes.len() as u64);
    let beginning = config::Beginning::of(fdt);
    let ram_left = beginning.ram_end.0 - arch::kernel_end().0;
    let heap_bytes = heap::bytes_at_start(ram_left, beginning.policy, beginning.list_bytes);
    let heap_start = heap_start(heap_bytes, device_tree, tree_end);
    // SAFETY: between the kernel's end and the RAM's, not over the device tree.
    unsafe { heap::start(heap_start, usize::try_from(heap_bytes).expect("a usize has 64 bits")) };
    let config = Config::from_device_tree(fdt, &beginning);
    host::start(config.has_host);
    logger::start();
    let frame_limit = match host::with(|host| host.frame_limit()).unwrap_or(0) {
        // One is the vDSO's: without it the machine could not even say that there are too few.
        1 => 2,
        limit => limit,
    };
    // The device tree is not needed any more: its RAM is handed out too.
    let first = PhysAddr(heap_start.0 + heap_bytes).page();
    let seed = host::with(|host| host.seed()).unwrap_or(0);
    mem::start(first, beginning.ram_end.page(), frame_limit, beginning.policy, seed);
    arch::drop_identity_map();
    hart().let_update_marks();
    switch_on(&config);
    heap::start_growing().expect("a machine that has just started has frames");
    clock::start();
    system::start(seed);
    interrupts::start();
    console::start();
    vdso::start();
    block::start(&config.virtio);
    let free = mem::memory().frames().free();
    oom::start();
    let table = arch::phys_of(mem::memory().frames().as_ptr()).0;
    events::report(EventRecord {
        detail: free,
        detail2: heap_bytes,
        detail3: table,
        ..events::of(EventKind::Boot)
    });
    *INIT.get_mut() = Some(config.init);
    start_first_process(config.process_frames);
    wait::idle()
}

/// What the kernel's command line asks for.
#[inline(never)] // a frame of its own, not part of its caller's
fn switch_on(config: &Config) {
    ahead::start(config);
    if let Some(seed) = config.aslr {
        exec::place_at_random(seed);
    }
    if config.refuses {
        inject::start();
    }
    if config.checks_swap {
        swap_check::plan();
    }
}

/// Right after the kernel, or after the device tree if that lies there.
fn heap_start(heap_bytes: u64, tree_start: PhysAddr, tree_end: PhysAddr) -> PhysAddr {
    let kernel_end = arch::kernel_end();
    let overlaps = tree_start.0 < kernel_end.0 + heap_bytes && tree_end > kernel_end;
    let after = if overlaps { tree_end } else { kernel_end };
    PhysAddr(after.0.next_multiple_of(PAGE_SIZE))
}

#[inline(never)] // a frame of its own, not part of its caller's
fn start_first_process(process_frames: u64) {
    hart().use_kernel_address_space();
    let start = Start {
        thread: thread::Start {
            frame: Box::default(),
            fp: Box::default(),
            signals: ThreadSignals::default(),
            name: b"init".to_vec(),
            scheduling: proc::Scheduling::default(),
            slack: thread::SLACK_NANOSECONDS,
            persona: 0,
        },
        number: None,
        space: None,
        files: Rc::new(RefCell::new(DescriptorTable::new(limits::OPEN_FILES))),
        signals: ProcessSignals::default(),
        fs: Rc::new(FsContext { cwd: RefCell::new(None), umask: Cell::new(0o022) }),
        credentials: proc::Credentials::default(),
        terminal: None,
        program: Program::default(),
        oom_score_adj: (0, 0),
        refuses_huge_pages: false,
        limits: Box::new(limits::initial(process_frames)),
    };
    let Ok(thread) = process::create(0, None, Box::new(start)) else {
        panic!("there is no room for the first process")
    };
    scheduler(|s| s.make_runnable(thread.tid()));
}

/// The first process's first steps: it mounts the root, opens its standard streams and executes its program.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn first_process() {
    let init = INIT.get_mut().take().expect("the first process starts once");
    mount_root();
    swap::look_for();
    if let Err((error, why)) = binds::mount(&init.binds) {
        cannot_begin(error, &why);
    }
    let process = current().process.clone();
    let root = vfs::lock().root();
    *process.fs.cwd.borrow_mut() = Some(root.clone());
    open_standard_streams();
    let directory = vfs::lock().resolve(&root, &init.cwd, fs::LastLink::Follow);
    match directory {
        Ok(directory) if directory.inode.is_dir() => *process.fs.cwd.borrow_mut() = Some(directory),
        Ok(_) => no_working_directory(&init.cwd, Errno::ENOTDIR),
        Err(error) => no_working_directory(&init.cwd, error),
    }
    if ahead::is_eager() {
        // Pages that come with the program may have to leave again before it begins.
        start_swap();
    }
    if let Err(error) = execute_first(&init) {
        // With a host, the host says so.
        let level = if host::is_present() { log::Level::Info } else { log::Level::Error };
        log::log!(level, "cannot execute {}: {error}", String::from_utf8_lossy(&init.program));
        stop(End::ExecFailed(error.number()));
    }
    if !ahead::is_eager() {
        start_swap();
    }
}

/// Pages can go out from now on, if there is swap space.
fn start_swap() {
    swap::wait_until_known();
    swap_check::run_if_planned();
    swap::start();
}

/// The run ends, as its first program has no place to begin in.
#[inline(never)] // a frame of its own, not part of its caller's
fn no_working_directory(path: &[u8], error: Errno) -> ! {
    let is_there = if error == Errno::ENOTDIR { "no folder" } else { "not there" };
    cannot_begin(error, &format!("the working directory {} is {is_there}", String::from_utf8_lossy(path)))
}

/// The run ends, and whoever listens to the events says why.
#[inline(never)] // a frame of its own, not part of its caller's
fn cannot_begin(error: Errno, why: &str) -> ! {
    events::exec_refused(error.number(), why);
    let level = if host::is_present() { log::Level::Info } else { log::Level::Error };
    log::log!(level, "{why}");
    stop(End::ExecFailed(error.number()));
}

#[inline(never)] // a frame of its own, not part of its caller's
fn mount_root() {
    let (mut number, mut error) = (Errno::ENXIO, None);
    for disk in block::disks() {
        let volume = block::Volume { disk, start_bytes: 0 };
        let device = block::MetadataDisk::new(volume).expect("a machine that has just started has frames");
        match fs::Ext4::mount(Box::new(device)) {
            Ok(root) => {
                block::mounted(volume);
                return start_files(root);
            }
            Err(why) => {
                number = if matches!(why, Errno::EIO | Errno::ENODEV) { why } else { Errno::EUCLEAN };
                error = Some(why);
                // A disk that holds something else is no root; one that is damaged is, and no other is taken for it.
                if why != Errno::ENODEV {
                    break;
                }
            }
        }
    }
    // With a host, the host says so, where a number says all.
    let is_told = host::is_present() && number != Errno::EUCLEAN;
    let level = if is_told { log::Level::Info } else { log::Level::Error };
    match error {
        Some(error) => log::log!(level, "no disk holds an ext4 file system that can be mounted: {error}"),
        None => log::log!(level, "there is no disk: the root file system must be on a virtio block device"),
    }
    stop(End::ExecFailed(number.number()));
}

#[inline(never)] // a frame of its own, not part of its caller's
fn start_files(root: fs::Ext4) {
    vfs::start(Vfs::new(root, Box::new(CachedFiles), Box::new(KernelFacts)));
}

fn open_standard_streams() {
    console::start_terminal();
    let process = current().process.clone();
    let terminal = (0..3).any(console::is_terminal).then(terminals::open_console);
    for stream in 0..3u8 {
        let file = match terminal {
            Some(terminal) if console::is_terminal(stream.into()) => {
                vfs::open_files().duplicate(terminal);
                terminal
            }
            _ => {
                let device = Object::Device(Device::Stdio { stream });
                vfs::open_files().insert(OpenFile::new(device, None, OpenFlags::RDWR))
            }
        };
        process.files().borrow_mut().insert(file, 0, false).expect("no descriptor is open yet");
    }
    terminal.into_iter().for_each(close_file);
}

fn execute_first(init: &Init) -> Result<(), Errno> {
    let mut result = Err(Errno::ENOENT);
    for path in exec::candidates(&init.program, &init.envp) {
        let request =
            Request { at: current().process.cwd(), path, argv: init.argv.clone(), envp: init.envp.clone() };
        result = exec::execute(request);
        if result != Err(Errno::ENOENT) {
            break;
        }
    }
    result
}
