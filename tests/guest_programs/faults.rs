//! How many page faults real programs take: no more than the pages that they touch. Which pages those are is what the hart has done
//! in user mode, not what the kernel says; so it holds for every version of a program.

use emulator::exec::{MemoryAccess, Observer};
use emulator::hart::Hart;
use emulator::host::{EventAction, EventSink};
use emulator::image::RootImage;
use emulator::loader::{Boot, Chosen};
use emulator::machine::{GuestExit, Machine, MachineConfig, StopReason};
use emulator::trace::Event;
use isa::events::{EventKind, EventRecord};
use isa::insn::Insn;
use isa::paging::Access;
use isa::{Privilege, Step, VirtAddr, Vpn};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

/// Pages that user mode has touched and written in an address space, since they were last taken from it.
#[derive(Default)]
struct Pages {
    touched: BTreeSet<Vpn>,
    written: BTreeSet<Vpn>,
}

/// Page faults, and those that the program's own accesses account for.
#[derive(Default)]
pub struct Faults {
    pub total: u64,
    pub from_disk: u64,
    /// One for each page that is touched, one more if it is written.
    pub accounted: u64,
    /// Pages touched, each once.
    pub touched: u64,
    spaces: BTreeMap<u64, Pages>,
    /// The address space in use.
    current: u64,
    user: bool,
}

impl Faults {
    fn touch(&mut self, va: VirtAddr, bytes: u64, write: bool) {
        let pages = self.spaces.entry(self.current).or_default();
        for page in [va.page(), va.wrapping_add(bytes - 1).page()] {
            let first = pages.touched.insert(page);
            let first_write = write && pages.written.insert(page);
            self.touched += u64::from(first);
            self.accounted += u64::from(first) + u64::from(first_write);
        }
    }

    /// What an event says about pages: a fault, or that pages of the current address space may fault again.
    fn hear(&mut self, event: &Event) {
        if event.is_fault() {
            self.total += 1;
            self.from_disk += u64::from(event.from_disk());
            // The kernel touches pages for the program, when it copies what a system call names.
            if event.kernel_copy() {
                (self.touched, self.accounted) = (self.touched + 1, self.accounted + 1);
            }
        }
        let Some(pages) = self.spaces.get_mut(&self.current) else { return };
        match event.kind() {
            // The child has the pages, but not to write.
            Some(EventKind::Fork) => pages.written.clear(),
            Some(EventKind::Exec | EventKind::Exit) => *pages = Pages::default(),
            Some(EventKind::Munmap | EventKind::Discard | EventKind::Mprotect | EventKind::Brk) => {
                let range = VirtAddr(event.record.va).page()..VirtAddr(event.record.va_end).page();
                pages.touched.retain(|page| !range.contains(page));
                pages.written.retain(|page| !range.contains(page));
            }
            _ => {}
        }
    }
}

/// The observer of the hart and the sink of events, in one.
#[derive(Clone, Default)]
struct Watch(Rc<RefCell<Faults>>);

impl Observer for Watch {
    fn before(&mut self, hart: &Hart, _: Step) -> std::ops::ControlFlow<()> {
        let mut faults = self.0.borrow_mut();
        faults.user = hart.privilege == Privilege::User;
        if faults.user {
            faults.current = hart.satp().0;
        }
        std::ops::ControlFlow::Continue(())
    }
    fn retired(&mut self, _: &Hart, _: Step, pc: VirtAddr, insn: &Insn) {
        let mut faults = self.0.borrow_mut();
        if faults.user {
            faults.touch(pc, u64::from(insn.len), false);
        }
    }
    fn memory(&mut self, access: MemoryAccess) {
        let mut faults = self.0.borrow_mut();
        if faults.user {
            faults.touch(access.va, u64::from(access.width_bytes), access.access == Access::Store);
        }
    }
}

impl EventSink for Watch {
    fn event(&mut self, at: Step, hart: usize, record: &EventRecord, text: &[u8]) -> EventAction {
        self.0.borrow_mut().hear(&Event::new(at, hart, record, text));
        EventAction::Continue
    }
}

/// Runs a command of the image to its end, and counts.
pub fn of(image: &Path, argv: &[String]) -> Faults {
    let mut machine = Machine::new(MachineConfig::default()).expect("the default machine is sound");
    let mut watch = Watch::default();
    machine.set_event_sink(Some(Box::new(watch.clone())));
    let disk = RootImage::open_root(image).expect("set-up has made it").into_disk();
    machine.attach_disk(disk, true).expect("there is a slot for one disk");
    let argv: Vec<Vec<u8>> = argv.iter().map(|argument| argument.clone().into_bytes()).collect();
    let envp: Vec<Vec<u8>> = ["PATH=/bin:/sbin", "HOME=/root"].map(|pair| pair.as_bytes().to_vec()).into();
    let chosen = Chosen { program: &argv[0], argv: &argv, envp: &envp, cwd: b"/", ..Chosen::default() };
    machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).expect("the kernel is a good ELF");
    let end = machine.run_observed(Step(20_000_000_000), &mut watch);
    assert_eq!(end, StopReason::Exit(GuestExit::Status(0)), "{argv:?}");
    watch.0.take()
}
