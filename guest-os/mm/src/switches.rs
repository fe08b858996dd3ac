//! What is done otherwise so that mechanisms can be compared with doing without them. Programs see no difference.

/// How memory is treated where there is a choice; at first as systems with demand paging and copy-on-write do.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Switches {
    /// `fork` copies every private frame at once.
    pub copies_at_fork: bool,
}
