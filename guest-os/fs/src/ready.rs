//! What can be waited for: one name for everything whose readiness others change.
//!
//! Every kind of object comes here with one row: [`Source`] names it, `OpenFiles::poll` says whether it is ready and what to sleep on,
//! and who changes it calls [`Changes::note`]. So `poll`, `epoll`, a blocking call and the kernel's wake-ups agree by construction.

use crate::{Device, Errno, Object, OpenFileId, OpenFiles, OpenFlags, PipeId, Readiness};
use alloc::vec::Vec;

/// Something whose readiness others change: what a thread sleeps on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// Input of the console.
    Console,
    /// A pipe, both its ends.
    Pipe(PipeId),
}

/// Tells of changes.
#[derive(Debug)]
pub struct Changes {
    /// Wakes everyone who sleeps on a source. Takes no memory and never sleeps.
    wake: fn(Source),
}

impl Changes {
    pub(crate) fn new(wake: fn(Source)) -> Changes {
        Changes { wake }
    }

    /// `source` has changed.
    pub fn note(&mut self, source: Source) {
        (self.wake)(source);
    }
}

/// What to sleep on until something may be ready.
#[derive(Debug, Default)]
pub struct Waits {
    /// Until one of these changes.
    pub sources: Vec<Source>,
}

impl Waits {
    /// Also until `source` changes. ENOMEM.
    pub fn push(&mut self, source: Source) -> Result<(), Errno> {
        self.sources.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.sources.push(source);
        Ok(())
    }
}

/// What is ready by what only the kernel knows.
pub trait Surroundings {
    /// Whether a read of the console would not wait. Sees to it that it will be known.
    fn console_has_input(&self) -> bool;
}

impl OpenFiles {
    /// Which of the events in `wanted` have come for a file, with those that come unasked; and what to sleep on until others do, if that
    /// is anything.
    pub fn poll(
        &self,
        id: OpenFileId,
        wanted: Readiness,
        around: &dyn Surroundings,
        waits: &mut Waits,
    ) -> Result<Readiness, Errno> {
        const UNASKED: Readiness = Readiness::ERR.union(Readiness::HUP);
        let file = self.get(id);
        let ready = match file.object {
            _ if file.flags.contains(OpenFlags::PATH) => return Ok(Readiness::NVAL),
            Object::Pipe { pipe, end } => {
                waits.push(Source::Pipe(pipe))?;
                with_norms(self.pipe(pipe).map_or(Readiness::empty(), |p| p.readiness(end)))
            }
            Object::Device(Device::Tty | Device::Stdio { .. }) => {
                waits.push(Source::Console)?;
                let awaits_input = wanted.intersects(Readiness::IN | Readiness::RDNORM);
                let input = if awaits_input && around.console_has_input() {
                    Readiness::IN
                } else {
                    Readiness::empty()
                };
                with_norms(Readiness::OUT | input)
            }
            _ => with_norms(Readiness::IN | Readiness::OUT),
        };
        Ok(ready & (wanted | UNASKED))
    }
}

/// Adds what Linux tells beside the plain bits.
fn with_norms(ready: Readiness) -> Readiness {
    let mut all = ready;
    all.set(Readiness::RDNORM, ready.contains(Readiness::IN));
    all.set(Readiness::WRNORM, ready.contains(Readiness::OUT));
    all
}
