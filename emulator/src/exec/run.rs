//! The loop: attention to everything pending, then blocks until something needs attention again.

use super::block::{Block, Built, CodeCache, Entry};
use super::context::{Attention, Core, StopCause};
use super::dispatch;
use super::interp::{Interp, Stopped};
use super::observer::Observer;
use super::{Exec, Exit, Options};
use crate::mem::code_map::CodeMap;
use core::ops::ControlFlow;
use isa::{Exception, PAGE_SIZE, Privilege, Step, Trap, VirtAddr, insn_len};

/// See [`Exec::run`].
pub(super) fn run<'a, const OBSERVED: bool>(
    exec: Exec<'a>,
    now: &mut Step,
    until: Step,
    observer: Option<&'a mut dyn Observer>,
) -> Exit
where
    Interp<'a, OBSERVED>: RunEntry,
{
    let Exec { hart, code, ram, platform, options, mut checks } = exec;
    if let Some(checks) = &mut checks
        && checks.take_forget(hart.id)
    {
        hart.fast.drop_all();
    }
    let next_pc = hart.pc;
    let core = Core {
        hart,
        ram,
        platform,
        watch: &options.watch,
        observer,
        checks,
        block_now: now.0,
        block_pc: next_pc,
        index: 0,
        offset: 0,
        next_pc,
        stop: StopCause::RunAlone,
        attention: Attention::all().difference(Attention::TURN),
        alone: false,
        entry_before: None,
        watched_store: None,
    };
    let mut runner = Runner { interp: Interp { core }, code, options, device_deadline: 0 };
    let exit = runner.run(until);
    *now = Step(runner.interp.core.block_now);
    exit
}

/// Calls the body of an entry in the right instance of the interpreter.
pub(super) trait RunEntry {
    /// Runs one instruction.
    fn run_entry(&mut self, entry: &Entry) -> Result<(), Stopped>;
}

impl RunEntry for Interp<'_, false> {
    #[inline(always)]
    fn run_entry(&mut self, entry: &Entry) -> Result<(), Stopped> {
        (entry.run)(self, entry)
    }
}

impl RunEntry for Interp<'_, true> {
    fn run_entry(&mut self, entry: &Entry) -> Result<(), Stopped> {
        dispatch::body(entry.insn.op, entry.kind)(self, entry)
    }
}

struct Runner<'a, 'b, const OBSERVED: bool> {
    interp: Interp<'a, OBSERVED>,
    code: &'b mut CodeCache,
    options: &'b Options,
    /// The step at which the platform next wants to be asked.
    device_deadline: u64,
}

/// What an attempt at a block says to the loop.
type Flow = ControlFlow<Exit>;
const GO_ON: Flow = Flow::Continue(());

/// Harts that can share a code cache.
const HART_BITS: u32 = 12;

/// What of the hart's state holds for a whole block and is needed to count it, even after its last instruction
/// has changed it.
#[derive(Clone, Copy)]
struct Mode {
    privilege: Privilege,
    fetches_translated: bool,
    data_translated: bool,
}

impl Core<'_> {
    /// What, beside the address, a remembered jump depends on.
    #[inline]
    fn jump_context(&self) -> u64 {
        self.hart.fast.fetch_context(self.hart.fetch_bank) << HART_BITS | self.hart.id as u64
    }

    /// Counts `executed` instructions, of which `retired` retired, with their data accesses.
    #[inline]
    fn account(&mut self, mode: Mode, executed: u64, retired: u64, accesses: u64) {
        self.block_now += executed;
        self.hart.counters.retire(mode.privilege, retired);
        self.hart.itlb.accesses += if mode.fetches_translated { executed } else { 0 };
        self.hart.dtlb.accesses += if mode.data_translated { accesses } else { 0 };
    }
}

/// A halfword of an instruction that runs by itself.
struct Half {
    bits: u16,
    /// Its code page, if it has one.
    page: Option<u32>,
}

/// The offset in a page at which an instruction of four bytes crosses into the next.
const LAST_HALFWORD: u64 = PAGE_SIZE - 2;

/// There is no block at `pc`.
enum NoBlock {
    /// The instruction cannot be fetched.
    Fault(Trap),
    /// It has to be fetched and run by itself.
    Single,
}

impl From<StopCause> for NoBlock {
    fn from(cause: StopCause) -> Self {
        match cause {
            StopCause::Trap(trap) => Self::Fault(trap),
            // The walk has to set a bit in an entry that lies among decoded code.
            StopCause::RunAlone => Self::Single,
        }
    }
}

impl<'a, const OBSERVED: bool> Runner<'a, '_, OBSERVED>
where
    Interp<'a, OBSERVED>: RunEntry,
{
    fn run(&mut self, until: Step) -> Exit {
        self.code.meet(self.interp.core.hart);
        let core = &mut self.interp.core;
        self.code.follow_isa(core.ram, core.hart.enabled());
        self.interp.core.hart.choose_banks();
        loop {
            let limit = match self.attend(until.0) {
                Ok(limit) => limit,
                Err(exit) => return exit,
            };
            while self.interp.core.block_now < limit && self.interp.core.attention.is_empty() {
                if let Flow::Break(exit) = self.next_block(limit) {
                    return exit;
                }
            }
        }
    }

    /// Looks at everything that may be pending; the step before which nothing of it can change by itself.
    fn attend(&mut self, until: u64) -> Result<u64, Exit> {
        let core = &mut self.interp.core;
        let now = Step(core.block_now);
        let mut devices = core.attention.contains(Attention::DEVICES);
        if core.attention.contains(Attention::EXTENSIONS) {
            self.code.follow_isa(core.ram, core.hart.enabled());
            devices = true;
        }
        // Looked at before the budget: a run that ends here must not forget it.
        let turn_over = self.options.turns && core.attention.contains(Attention::TURN);
        core.attention = Attention::empty();
        if devices && core.platform.stop_requested() {
            return Err(Exit::StopRequested);
        }
        if turn_over {
            return Err(Exit::TurnOver);
        }
        if now.0 >= until {
            return Err(Exit::Deadline);
        }
        devices |= now.0 >= self.device_deadline;
        if devices {
            core.platform.advance(core.ram, now);
            let lines = core.platform.interrupt_lines(core.hart.id, now);
            core.hart.sense_interrupts(lines, core.platform.mtime(now));
            let timer = core.hart.timer().map_or(Step::NEVER, |ticks| core.platform.timer_change(ticks, now));
            self.device_deadline = core.platform.next_deadline(now).min(timer).0;
            if core.platform.stop_requested() {
                return Err(Exit::StopRequested);
            }
            self.sync_code();
        }
        let core = &mut self.interp.core;
        if core.hart.waiting {
            if core.hart.awaited_interrupts() == 0 {
                return Err(Exit::Wfi);
            }
            core.hart.waiting = false;
        }
        if let Some(interrupt) = core.hart.interrupt_to_take() {
            let pc = VirtAddr(core.hart.pc);
            core.hart.take_interrupt(interrupt);
            if let Some(observer) = &mut core.observer {
                observer.interrupt(core.hart, now, pc, interrupt);
            }
        }
        Ok(until.min(self.device_deadline))
    }

    /// Drops blocks whose bytes have been written, and fast entries that the code cache has made void.
    fn sync_code(&mut self) {
        let core = &mut self.interp.core;
        self.code.drop_stale(core.ram);
        core.hart.follow_code(self.code.marks_epoch(), self.code.epoch());
    }

    /// Runs the block at `pc`, or as much of it as lies before step `limit`.
    #[inline]
    fn next_block(&mut self, limit: u64) -> Flow {
        let core = &mut self.interp.core;
        if OBSERVED && let Some(observer) = &mut core.observer {
            observer.before(core.hart, Step(core.block_now)).map_break(|()| Exit::Breakpoint)?;
        }
        let pc = core.hart.pc;
        let context = core.jump_context();
        let block = match self.code.jump(pc, context) {
            Some(block) => block,
            None => match self.find_block(pc) {
                Ok(block) => block,
                Err(NoBlock::Single) => return self.run_single(pc),
                Err(NoBlock::Fault(trap)) => return self.trap(self.mode(), trap, 0, 0),
            },
        };
        let longest = if OBSERVED { 1 } else { usize::from(self.options.block_limit) };
        let left = usize::try_from(limit - self.interp.core.block_now).unwrap_or(usize::MAX);
        let count = usize::from(block.len).min(longest).min(left);
        self.run_block(block, count)
    }

    /// The block at `pc` by way of its page.
    fn find_block(&mut self, pc: u64) -> Result<Block, NoBlock> {
        let core = &mut self.interp.core;
        let known = core.hart.fast.fetch(core.hart.fetch_bank, pc);
        let block = match known.and_then(|page| self.code.block(page, pc)) {
            Some(block) => block,
            None if known.is_some_and(|page| self.is_known_crossing(page, pc)) => {
                return Err(NoBlock::Single);
            }
            None => self.find_page_and_block(pc)?,
        };
        let core = &self.interp.core;
        if core.hart.fast.fetch(core.hart.fetch_bank, pc).is_some() {
            self.code.remember_jump(pc, core.jump_context(), block);
        }
        Ok(block)
    }

    /// The block at `pc` by way of the TLB model, decoded if need be.
    #[cold]
    fn find_page_and_block(&mut self, pc: u64) -> Result<Block, NoBlock> {
        let core = &mut self.interp.core;
        let fetch = core.fetch_target(pc, 2)?;
        if !fetch.whole_page {
            return Err(NoBlock::Single);
        }
        if !self.code.make_room() {
            self.code.clear(core.ram);
            self.sync_code();
            assert!(self.code.make_room(), "a block fits into an empty cache");
        }
        let core = &mut self.interp.core;
        let (frame, _) = CodeMap::locate(fetch.offset);
        let page = self.code.page(frame);
        if fetch.silent {
            core.hart.fast.allow_fetch(core.hart.fetch_bank, pc, page);
        }
        if let Some(block) = self.code.block(page, pc) {
            return Ok(block);
        }
        let built = self.code.build(core.ram, page, pc);
        self.sync_code();
        match built {
            Built::Block(block) => Ok(block),
            Built::Crosses => Err(NoBlock::Single),
        }
    }

    #[inline]
    fn mode(&self) -> Mode {
        let hart = &self.interp.core.hart;
        Mode {
            privilege: hart.privilege,
            fetches_translated: hart.fetch_bank.translates(),
            data_translated: hart.data_bank.translates(),
        }
    }

    /// Runs the first `count` instructions of a block.
    #[inline]
    fn run_block(&mut self, block: Block, count: usize) -> Flow {
        let mode = self.mode();
        let entries = self.code.entries(block);
        let (len_bytes, accesses) = match entries.get(count) {
            None => (block.len_bytes, block.accesses),
            Some(next) => (next.offset_bytes, next.accesses_before),
        };
        let pc = self.interp.core.hart.pc;
        self.interp.core.block_pc = pc;
        self.interp.core.next_pc = pc.wrapping_add(u64::from(len_bytes));
        for (done, entry) in entries[..count].iter().enumerate() {
            if self.interp.run_entry(entry).is_err() {
                let entry = *entry;
                return self.stopped(mode, entry, done as u64);
            }
        }
        self.interp.core.hart.pc = self.interp.core.next_pc;
        self.interp.core.account(mode, count as u64, count as u64, u64::from(accesses));
        if OBSERVED {
            let insn = entries[0].insn;
            self.tell_retired(pc, &insn);
        }
        GO_ON
    }

    fn tell_retired(&mut self, pc: u64, insn: &isa::insn::Insn) {
        let core = &mut self.interp.core;
        if let Some(observer) = &mut core.observer {
            observer.retired(core.hart, Step(core.block_now), VirtAddr(pc), insn);
        }
    }

    /// The body of `entry`, after `done` others of its block, has not finished.
    #[cold]
    fn stopped(&mut self, mode: Mode, entry: Entry, done: u64) -> Flow {
        let core = &mut self.interp.core;
        core.hart.pc = core.block_pc.wrapping_add(u64::from(entry.offset_bytes));
        let accesses = u64::from(entry.accesses_before);
        match core.stop {
            StopCause::Trap(trap) => self.trap(mode, trap, done, accesses),
            StopCause::RunAlone => {
                self.interp.core.account(mode, done, done, accesses);
                self.run_alone(&entry.by_itself())
            }
        }
    }

    /// Runs the instruction at `pc` by itself, with every effect allowed.
    fn run_alone(&mut self, entry: &Entry) -> Flow {
        let mode = self.mode();
        let core = &mut self.interp.core;
        let pc = core.hart.pc;
        (core.index, core.offset) = (0, 0);
        core.block_pc = pc;
        core.next_pc = pc.wrapping_add(u64::from(entry.insn.len));
        core.alone = true;
        let result = self.interp.run_entry(entry);
        self.end_alone();
        let core = &mut self.interp.core;
        let watched = core.watched_store.take();
        if result.is_err() {
            let StopCause::Trap(trap) = core.stop else {
                unreachable!("an instruction alone may do everything")
            };
            return self.trap(mode, trap, 0, 0);
        }
        core.hart.pc = core.next_pc;
        self.interp.core.account(mode, 1, 1, u64::from(entry.accesses()));
        if OBSERVED {
            self.tell_retired(pc, &entry.insn);
        }
        watched.map_or(GO_ON, Flow::Break)
    }

    /// An instruction has run, or could not be fetched, alone: what it has written of decoded code is dropped before
    /// the next one. (A device that it has met has asked for attention itself.)
    fn end_alone(&mut self) {
        let core = &mut self.interp.core;
        core.alone = false;
        if core.ram.code().is_stale() {
            core.attention |= Attention::DEVICES;
        }
    }

    /// Fetches the instruction at `pc`, which crosses into another page, lies in a page that PMP allows in part, or sets a
    /// bit in an entry among decoded code; and runs it by itself.
    #[cold]
    fn run_single(&mut self, pc: u64) -> Flow {
        let mode = self.mode();
        self.interp.core.alone = true;
        match self.fetch_single(pc) {
            Ok(entry) => self.run_alone(&entry),
            Err(StopCause::Trap(trap)) => {
                self.end_alone();
                self.trap(mode, trap, 0, 0)
            }
            Err(StopCause::RunAlone) => unreachable!("a fetch alone may do everything"),
        }
    }

    /// Whether the code page at `pc` has had an instruction that begins there and crosses into the next page.
    fn is_known_crossing(&self, page: u32, pc: u64) -> bool {
        VirtAddr(pc).page_offset() == LAST_HALFWORD && self.code.has_crossing(page)
    }

    fn fetch_single(&mut self, pc: u64) -> Result<Entry, StopCause> {
        let first = self.fetch_half(pc)?;
        let low = first.bits;
        if insn_len(low) != 4 {
            return Ok(Entry::first(low.into(), self.interp.core.hart.enabled()));
        }
        let second_pc = pc.wrapping_add(2);
        let crosses = VirtAddr(second_pc).is_aligned(PAGE_SIZE);
        let core = &mut self.interp.core;
        if crosses && core.hart.fetch_bank.translates() {
            core.hart.itlb.accesses += 1;
        }
        let bits = u32::from(low) | u32::from(self.fetch_half(second_pc)?.bits) << 16;
        Ok(match first.page {
            Some(page) if crosses => self.code.crossing(page, bits),
            _ => Entry::first(bits, self.interp.core.hart.enabled()),
        })
    }

    /// Fetches a halfword of an instruction that runs by itself.
    fn fetch_half(&mut self, pc: u64) -> Result<Half, StopCause> {
        let core = &mut self.interp.core;
        let known = core.hart.fast.fetch(core.hart.fetch_bank, pc);
        let (page, offset) = match known {
            Some(page) => (known, self.code.ram_offset(page, pc)),
            None => {
                let fetch = core.fetch_target(pc, 2)?;
                let page = self.code.known_page(CodeMap::locate(fetch.offset).0);
                if let Some(page) = page.filter(|_| fetch.whole_page && fetch.silent) {
                    core.hart.fast.allow_fetch(core.hart.fetch_bank, pc, page);
                }
                (page, fetch.offset)
            }
        };
        let bits = u16::try_from(core.ram.load(offset, 2)).expect("two bytes");
        Ok(Half { bits, page })
    }

    /// The instruction at `pc`, after `done` that retired with `accesses`, raises an exception.
    fn trap(&mut self, mode: Mode, trap: Trap, done: u64, accesses: u64) -> Flow {
        let translated_and_failed = matches!(
            trap.exception,
            Exception::LoadPage | Exception::StorePage | Exception::LoadAccess | Exception::StoreAccess
        );
        self.interp.core.account(mode, done + 1, done, accesses + u64::from(translated_and_failed));
        let core = &mut self.interp.core;
        if trap.exception == Exception::EcallS && core.hart.sbi_calls_exit {
            core.hart.pc = core.hart.pc.wrapping_add(4);
            return Flow::Break(Exit::SbiCall);
        }
        let pc = VirtAddr(core.hart.pc);
        core.hart.take_exception(trap);
        if let Some(observer) = &mut core.observer {
            observer.exception(core.hart, Step(core.block_now), pc, trap);
        }
        if self.options.leave_trap_loop && core.hart.is_in_trap_loop(trap.exception, pc, mode.privilege) {
            return Flow::Break(Exit::TrapLoop);
        }
        GO_ON
    }
}
