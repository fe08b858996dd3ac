//! What an instruction may do beyond changing its registers: what whoever runs instructions in blocks, or translates them,
//! has to know beforehand.
//!
//! Each row of the table names its [`Effect`]. What an effect says is checked against the instructions' bodies, by a test
//! of the emulator's that runs every one of them and notes what it does.

/// Whether a block of instructions ends after one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndsBlock {
    /// The next one always follows, in the same mode and translation, with the same interrupts pending.
    Never,
    /// It may go elsewhere, or change what holds for the whole block.
    Always,
    /// Only as `pause` ([`crate::Insn::is_pause`]).
    AsPause,
    /// If it writes ([`crate::Insn::writes_csr`]) a CSR of which that is true.
    ByCsr,
}

macro_rules! effects {
    ($($(#[$doc:meta])* $name:ident traps $traps:literal accesses $accesses:literal place $place:literal ends $ends:ident;)*) => {
        /// What an instruction may do.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Effect { $($(#[$doc])* $name,)* }

        impl Effect {
            /// Whether it may raise an exception, on some hart in some state.
            pub const fn may_trap(self) -> bool {
                match self { $(Self::$name => $traps,)* }
            }
            /// How many data accesses it makes, each of which counts two if it goes over two pages.
            pub const fn accesses(self) -> u16 {
                match self { $(Self::$name => $accesses,)* }
            }
            /// Whether it asks where it is: its address, its step, or what has been counted.
            pub const fn asks_place(self) -> bool {
                match self { $(Self::$name => $place,)* }
            }
            /// Whether a block ends after it.
            pub const fn ends_block(self) -> EndsBlock {
                match self { $(Self::$name => EndsBlock::$ends,)* }
            }
        }
    };
}

effects! {
    /// Integer registers alone.
    Plain      traps false accesses 0 place false ends Never;
    /// The same, with its address.
    Place      traps false accesses 0 place true  ends Never;
    /// Jumps or branches. It traps only where targets must be multiples of four.
    Jump       traps true  accesses 0 place true  ends Always;
    /// Loads, stores, or both as one; or manages a cache block.
    Access     traps true  accesses 1 place false ends Never;
    /// Floating point in registers.
    Float      traps true  accesses 0 place false ends Never;
    /// Orders memory accesses, or gives the turn away.
    Fence      traps false accesses 0 place false ends AsPause;
    /// Orders stores and fetches.
    FenceI     traps false accesses 0 place false ends Always;
    /// Reads or writes a CSR, counters among them.
    Csr        traps true  accesses 0 place true  ends ByCsr;
    /// Enters or leaves a mode, waits, or fences translations.
    System     traps true  accesses 0 place false ends Always;
    /// Traps, with its address.
    Breakpoint traps true  accesses 0 place true  ends Always;
    /// Gives the turn away.
    Wait       traps false accesses 0 place false ends Always;
}
