//! What belongs to the hart: the running thread, the idle thread, whose FP registers it holds, its address space.

use crate::arch::{self, Context, FpOwner};
use crate::local::HartLocal;
use crate::processes::thread::Thread;
use crate::sbi;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use isa::paging::Satp;

/// The state of a hart.
pub struct Hart {
    /// The running thread; none while the hart idles.
    pub current: RefCell<Option<Rc<Thread>>>,
    /// A thread that has ended and whose kernel stack is still in use until the next switch is done.
    pub ended: RefCell<Option<Rc<Thread>>>,
    /// The idle thread, while another one runs.
    pub idle: RefCell<Context>,
    /// Whose FP registers are loaded.
    pub fp: RefCell<FpOwner>,
    satp: Cell<Satp>,
    /// When the running thread's turn ends, in ticks.
    pub turn_end: Cell<u64>,
    /// The deadline the timer is set to; 0 before the first.
    pub timer: Cell<u64>,
    /// Whether the hart sets A and D in page tables by itself (`menvcfg.ADUE`); if not, a page fault asks for it.
    pub updates_marks: Cell<bool>,
    /// Context switches since boot.
    pub switches: Cell<u64>,
    /// Interrupts since boot.
    pub interrupts: Cell<u64>,
    /// Ticks of the timebase spent idle.
    pub idle_ticks: Cell<u64>,
}

static HART: HartLocal<Hart> = HartLocal::new(Hart {
    current: RefCell::new(None),
    ended: RefCell::new(None),
    idle: RefCell::new(Context::EMPTY),
    fp: RefCell::new(FpOwner::NOBODY),
    satp: Cell::new(Satp(0)),
    turn_end: Cell::new(0),
    timer: Cell::new(0),
    updates_marks: Cell::new(false),
    switches: Cell::new(0),
    interrupts: Cell::new(0),
    idle_ticks: Cell::new(0),
});

/// The hart that runs this code.
pub fn hart() -> &'static Hart {
    HART.leak()
}

/// The running thread.
#[track_caller]
pub fn current() -> Rc<Thread> {
    hart().current.borrow().clone().expect("a thread is running")
}

impl Hart {
    /// Makes an address space the hart's, if it is not already.
    pub fn use_address_space(&self, satp: Satp) {
        if self.satp.replace(satp) != satp {
            arch::set_address_space(satp);
        }
    }
    /// Lets the hart set A and D in page tables by itself, if it can.
    pub fn let_update_marks(&self) {
        self.updates_marks.set(sbi::set_feature(isa::sbi::fwft::PTE_AD_HW_UPDATING, 1));
        // What the TLB remembers of entries without the bits was to raise page faults.
        arch::fence_address_space(None, None);
    }
    /// The address space in use.
    pub fn address_space(&self) -> Satp {
        self.satp.get()
    }
    /// Leaves user address spaces for the kernel's own root.
    pub fn use_kernel_address_space(&self) {
        self.use_address_space(Satp::sv39(arch::kernel_root(), 0));
    }
}
