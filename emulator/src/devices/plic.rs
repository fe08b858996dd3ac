//! The platform-level interrupt controller (RISC-V PLIC specification 1.0.0, register map of SiFive's).
//!
//! Contexts: hart 0 M, hart 0 S, hart 1 M, … Priorities have three bits, as on QEMU's `virt`. A gateway forwards
//! one request while its line is high, and the next one only after completion. Lines are levels, but a device may say that
//! one has nothing new to say ([`News`]).
//! A forwarded request stays pending when the line falls, as the specification says ("Interrupt Gateways").
//! All registers are 32 bits wide, other widths are access faults. Words that belong to no source and no context read 0
//! and ignore stores, as on QEMU: drivers clear the whole map of an unknown PLIC.

use super::device::{Access, Device, Effect, News, World};
use crate::platform::AccessFault;
use isa::Interrupt;
use isa::platform::PLIC_SOURCES;
use serde::{Deserialize, Serialize};

const SOURCES: usize = PLIC_SOURCES as usize;
const WORDS: usize = SOURCES.div_ceil(32);
const PRIORITY_MASK: u32 = 7;

const PENDING: u64 = 0x1000;
const ENABLE: u64 = 0x2000;
const ENABLE_STRIDE: u64 = 0x80;
const CONTEXT: u64 = 0x20_0000;
const CONTEXT_STRIDE: u64 = 0x1000;

/// A set of sources, one bit each.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sources([u32; WORDS]);

impl Sources {
    fn contains(self, source: usize) -> bool {
        self.0[source / 32] >> (source % 32) & 1 != 0
    }
    /// Puts a source into the set, or takes it out.
    fn set(&mut self, source: usize, on: bool) {
        let bit = 1 << (source % 32);
        if on { self.0[source / 32] |= bit } else { self.0[source / 32] &= !bit }
    }
}

/// The devices' lines as they are: low, unless raised.
#[derive(Clone, Copy, Default, Debug)]
pub struct Lines {
    high: Sources,
    standing: Sources,
    fresh: Sources,
}

impl Lines {
    /// Says that the line of a source is high, and what it has to say.
    pub fn raise(&mut self, source: usize, news: News) {
        self.high.set(source, true);
        match news {
            News::Standing => self.standing.set(source, true),
            News::Fresh => self.fresh.set(source, true),
            News::None => {}
        }
    }
}

#[derive(Clone, Default, Debug, Serialize, Deserialize)]
struct Context {
    enabled: Sources,
    threshold: u32,
}

/// The interrupt controller.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plic {
    priority: Vec<u32>,
    /// Sources whose fresh news no claim has answered yet.
    fresh: Sources,
    pending: Sources,
    /// Claimed and not completed: the gateway forwards nothing.
    in_service: Sources,
    contexts: Vec<Context>,
}

enum Register {
    Priority(usize),
    Pending(usize),
    Enable(usize, usize),
    Threshold(usize),
    Claim(usize),
}

impl Plic {
    /// A PLIC with an M and an S context for each hart.
    pub fn new(harts: usize) -> Self {
        Self {
            priority: vec![0; SOURCES],
            fresh: Sources::default(),
            pending: Sources::default(),
            in_service: Sources::default(),
            contexts: vec![Context::default(); harts * 2],
        }
    }

    /// The devices drive their lines.
    pub fn drive(&mut self, lines: Lines) {
        for word in 0..WORDS {
            self.fresh.0[word] |= lines.fresh.0[word];
            let asking = lines.high.0[word] & (lines.standing.0[word] | self.fresh.0[word]);
            self.pending.0[word] |= asking & !self.in_service.0[word];
        }
    }

    /// MEIP and SEIP of `hart`.
    pub fn lines(&self, hart: usize) -> u64 {
        let mut lines = 0;
        for (context, interrupt) in
            [(hart * 2, Interrupt::MachineExternal), (hart * 2 + 1, Interrupt::SupervisorExternal)]
        {
            let Some(state) = self.contexts.get(context) else { continue };
            if self.best(state).is_some_and(|source| self.priority[source] > state.threshold) {
                lines |= interrupt.mask();
            }
        }
        lines
    }

    /// A load at `offset`; reading a claim register claims.
    fn read(&mut self, offset: u64, width_bytes: u8) -> Result<u64, AccessFault> {
        let Some(register) = self.decode(offset, width_bytes)? else { return Ok(0) };
        Ok(u64::from(match register {
            Register::Priority(source) => self.priority[source],
            Register::Pending(word) => self.pending.0[word],
            Register::Enable(context, word) => self.contexts[context].enabled.0[word],
            Register::Threshold(context) => self.contexts[context].threshold,
            Register::Claim(context) => self.claim(context),
        }))
    }

    /// A store at `offset`; writing a claim register completes.
    fn write(&mut self, offset: u64, width_bytes: u8, value: u64) -> Result<(), AccessFault> {
        #[allow(clippy::cast_possible_truncation)] // the registers have 32 bits
        let value = value as u32;
        let Some(register) = self.decode(offset, width_bytes)? else { return Ok(()) };
        match register {
            Register::Priority(0) | Register::Pending(_) => {}
            Register::Priority(source) => self.priority[source] = value & PRIORITY_MASK,
            Register::Enable(context, word) => {
                self.contexts[context].enabled.0[word] = if word == 0 { value & !1 } else { value };
            }
            Register::Threshold(context) => self.contexts[context].threshold = value & PRIORITY_MASK,
            Register::Claim(context) => self.complete(context, value),
        }
        Ok(())
    }

    /// The pending, enabled source of highest priority; of equals, the lowest number. Priority 0 never interrupts.
    fn best(&self, context: &Context) -> Option<usize> {
        let mut best: Option<usize> = None;
        for word in 0..WORDS {
            let mut candidates = self.pending.0[word] & context.enabled.0[word];
            while candidates != 0 {
                let source = word * 32 + candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                if self.priority[source] > best.map_or(0, |b| self.priority[b]) {
                    best = Some(source);
                }
            }
        }
        best
    }

    /// A claim ignores the threshold ("Interrupt Claim Process").
    fn claim(&mut self, context: usize) -> u32 {
        let Some(source) = self.best(&self.contexts[context]) else { return 0 };
        self.pending.set(source, false);
        self.fresh.set(source, false);
        self.in_service.set(source, true);
        u32::try_from(source).expect("there are fewer than 2^32 sources")
    }

    /// A completion of a source that is not enabled for the context is ignored ("Interrupt Completion"). The gateway goes
    /// on when the lines are driven, which follows every access.
    fn complete(&mut self, context: usize, source: u32) {
        let source = source as usize;
        if source == 0 || source >= SOURCES || !self.contexts[context].enabled.contains(source) {
            return;
        }
        self.in_service.set(source, false);
    }

    /// The register at `offset`; `None` where there is none.
    fn decode(&self, offset: u64, width_bytes: u8) -> Result<Option<Register>, AccessFault> {
        if width_bytes != 4 || offset & 3 != 0 {
            return Err(AccessFault);
        }
        let index = |value: u64, limit: usize| usize::try_from(value).ok().filter(|&i| i < limit);
        let contexts = self.contexts.len();
        Ok(match offset {
            0..PENDING => index(offset / 4, SOURCES).map(Register::Priority),
            PENDING..ENABLE => index((offset - PENDING) / 4, WORDS).map(Register::Pending),
            ENABLE..CONTEXT => {
                let at = offset - ENABLE;
                let context = index(at / ENABLE_STRIDE, contexts);
                context
                    .zip(index(at % ENABLE_STRIDE / 4, WORDS))
                    .map(|(context, word)| Register::Enable(context, word))
            }
            _ => {
                let at = offset - CONTEXT;
                let context = index(at / CONTEXT_STRIDE, contexts);
                context.and_then(|context| match at % CONTEXT_STRIDE {
                    0 => Some(Register::Threshold(context)),
                    4 => Some(Register::Claim(context)),
                    _ => None,
                })
            }
        })
    }
}

impl Device for Plic {
    fn load(&mut self, access: Access, _: &mut World<'_>) -> Result<u64, AccessFault> {
        self.read(access.offset, access.width_bytes)
    }
    fn store(&mut self, access: Access, value: u64, _: &mut World<'_>) -> Result<Effect, AccessFault> {
        self.write(access.offset, access.width_bytes, value).map(|()| Effect::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::ops::{Deref, DerefMut};

    /// A PLIC and the lines that its devices drive.
    struct Bench {
        plic: Plic,
        lines: BTreeMap<usize, (bool, News)>,
    }
    impl Deref for Bench {
        type Target = Plic;
        fn deref(&self) -> &Plic {
            &self.plic
        }
    }
    impl DerefMut for Bench {
        fn deref_mut(&mut self) -> &mut Plic {
            &mut self.plic
        }
    }
    impl Bench {
        fn new() -> Self {
            Self { plic: Plic::new(1), lines: BTreeMap::new() }
        }
        fn drive(&mut self, source: usize, high: bool, news: News) {
            self.lines.insert(source, (high, news));
            self.drive_all();
        }
        fn drive_all(&mut self) {
            let mut lines = Lines::default();
            let high = self.lines.iter().filter(|(_, (high, _))| *high);
            high.for_each(|(&source, &(_, news))| lines.raise(source, news));
            self.plic.drive(lines);
        }
    }

    fn set_level(bench: &mut Bench, source: usize, high: bool) {
        bench.drive(source, high, News::Standing);
    }

    const S_CONTEXT: u64 = 1;
    const SEIP: u64 = 1 << 9;
    const MEIP: u64 = 1 << 11;

    fn enable(plic: &mut Bench, source: u64, priority: u64) {
        plic.write(source * 4, 4, priority).unwrap();
        let at = ENABLE + S_CONTEXT * ENABLE_STRIDE + source / 32 * 4;
        let old = plic.read(at, 4).unwrap();
        plic.write(at, 4, old | 1 << (source % 32)).unwrap();
    }
    fn claim(plic: &mut Bench) -> u64 {
        plic.read(CONTEXT + S_CONTEXT * CONTEXT_STRIDE + 4, 4).unwrap()
    }
    fn complete(plic: &mut Bench, source: u64) {
        plic.write(CONTEXT + S_CONTEXT * CONTEXT_STRIDE + 4, 4, source).unwrap();
        plic.drive_all();
    }

    #[test]
    fn the_highest_priority_wins_and_the_lowest_number_breaks_ties() {
        let mut plic = Bench::new();
        for (source, priority) in [(3, 1), (40, 5), (41, 5)] {
            enable(&mut plic, source, priority);
            set_level(&mut plic, source.try_into().unwrap(), true);
        }
        assert_eq!(plic.lines(0), SEIP);
        assert_eq!([claim(&mut plic), claim(&mut plic), claim(&mut plic), claim(&mut plic)], [40, 41, 3, 0]);
        assert_eq!(plic.lines(0), 0);
    }

    #[test]
    fn a_level_still_high_is_pending_again_only_after_completion() {
        let mut plic = Bench::new();
        enable(&mut plic, 10, 1);
        set_level(&mut plic, 10, true);
        assert_eq!(claim(&mut plic), 10);
        set_level(&mut plic, 10, true);
        assert_eq!((plic.lines(0), claim(&mut plic)), (0, 0));
        complete(&mut plic, 10);
        assert_eq!((plic.lines(0), claim(&mut plic)), (SEIP, 10));
        set_level(&mut plic, 10, false);
        complete(&mut plic, 10);
        assert_eq!(plic.lines(0), 0);
    }

    #[test]
    fn a_line_that_has_nothing_new_to_say_asks_once() {
        let mut plic = Bench::new();
        enable(&mut plic, 10, 1);
        // What the line says during service, the last of it at completion, and whether it then asks again.
        for (during, high, again) in [
            (&[][..], true, true),
            (&[News::None][..], true, false),
            (&[News::Fresh, News::None], true, true),
            (&[News::Fresh, News::None], false, false),
            (&[News::None, News::Standing], true, true),
        ] {
            plic.drive(10, true, News::Fresh);
            plic.drive(10, true, News::Standing);
            assert_eq!(claim(&mut plic), 10);
            for &news in during {
                plic.drive(10, high, news);
                assert_eq!(plic.lines(0), 0, "{during:?}: in service");
            }
            complete(&mut plic, 10);
            assert_eq!(claim(&mut plic), if again { 10 } else { 0 }, "{during:?}");
            plic.drive(10, false, News::None);
            complete(&mut plic, 10);
            plic.write(CONTEXT + S_CONTEXT * CONTEXT_STRIDE + 4, 4, 10).unwrap();
            while claim(&mut plic) != 0 {
                complete(&mut plic, 10);
            }
        }
    }

    #[test]
    fn a_forwarded_request_outlives_its_line() {
        let mut plic = Bench::new();
        enable(&mut plic, 7, 1);
        set_level(&mut plic, 7, true);
        set_level(&mut plic, 7, false);
        assert_eq!((plic.lines(0), plic.read(PENDING, 4)), (SEIP, Ok(1 << 7)));
    }

    #[test]
    fn the_threshold_hides_but_a_claim_still_finds() {
        let mut plic = Bench::new();
        enable(&mut plic, 5, 3);
        set_level(&mut plic, 5, true);
        for (threshold, lines) in [(0, SEIP), (2, SEIP), (3, 0), (7, 0)] {
            plic.write(CONTEXT + S_CONTEXT * CONTEXT_STRIDE, 4, threshold).unwrap();
            assert_eq!(plic.lines(0), lines, "threshold {threshold}");
        }
        assert_eq!(claim(&mut plic), 5);
    }

    #[test]
    fn contexts_are_apart_and_priority_zero_is_silent() {
        let mut plic = Bench::new();
        plic.write(ENABLE, 4, 1 << 5).unwrap();
        set_level(&mut plic, 5, true);
        assert_eq!(plic.lines(0), 0);
        plic.write(5 * 4, 4, 1).unwrap();
        assert_eq!(plic.lines(0), MEIP);
        assert_eq!(claim(&mut plic), 0);
    }

    #[test]
    fn a_completion_by_a_context_that_has_it_disabled_is_ignored() {
        let mut plic = Bench::new();
        enable(&mut plic, 5, 1);
        set_level(&mut plic, 5, true);
        assert_eq!(claim(&mut plic), 5);
        plic.write(CONTEXT + 4, 4, 5).unwrap();
        assert_eq!(claim(&mut plic), 0);
        complete(&mut plic, 5000);
        complete(&mut plic, 5);
        assert_eq!(claim(&mut plic), 5);
    }

    #[test]
    fn reserved_bits_holes_and_bad_accesses() {
        let mut plic = Bench::new();
        plic.write(0, 4, 7).unwrap();
        plic.write(4, 4, 0xffff_ffff).unwrap();
        plic.write(ENABLE, 4, 0xffff_ffff).unwrap();
        assert_eq!((plic.read(0, 4), plic.read(4, 4), plic.read(ENABLE, 4)), (Ok(0), Ok(7), Ok(0xffff_fffe)));
        for hole in [
            SOURCES as u64 * 4,
            PENDING + 12,
            ENABLE + 12,
            ENABLE + 2 * ENABLE_STRIDE,
            CONTEXT + 8,
            CONTEXT + 2 * CONTEXT_STRIDE,
        ] {
            assert_eq!((plic.write(hole, 4, 7), plic.read(hole, 4)), (Ok(()), Ok(0)), "{hole:#x}");
        }
        for (offset, width) in [(0, 8), (4, 1), (ENABLE, 2), (CONTEXT + 8, 8)] {
            assert_eq!(plic.read(offset, width), Err(AccessFault), "{offset:#x}/{width}");
            assert_eq!(plic.write(offset, width, 0), Err(AccessFault), "{offset:#x}/{width}");
        }
    }
}
