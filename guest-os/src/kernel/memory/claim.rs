//! A claim on frames: who has waited for room long enough is served before others.
//!
//! Whoever finds no frame waits until one comes free, and begins again. Others who run meanwhile may take it first; one who needs several
//! at once (a page and its page tables, a fork) could wait for ever. So after a few waits a thread makes a claim, if nobody has
//! made one: from then on what comes free is set aside until there are as many frames as it may need, and others get only what is
//! beyond that. There is one claim at a time. Who has it decides, too, whether memory is at its end: the others sleep.
//!
//! A thread that is served and comes no further, since others take again what its instruction needs, claims all of memory ([`take_all`]): nobody
//! else gets a frame until it has executed that instruction. It says nothing when it has: who waits looks where it is.

use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::mem::{self, DirectMap};
use crate::memory::motion;
use crate::processes::process::table;
use crate::processes::thread::Place;
use crate::processes::wait::{self, Channel, scheduler};
use mm::{Memory, OutOfFrames};
use proc::Tid;

/// Who is served first.
#[derive(Clone, Copy)]
struct Holder {
    tid: Tid,
    /// Where it stands, if it has claimed all of memory to come further.
    stands_at: Option<Place>,
}

static HOLDER: HartLocal<Option<Holder>> = HartLocal::new(None);

/// How many of those who wait for frames, without a claim, have been woken and have not run yet: they will take what is free.
static WOKEN: HartLocal<usize> = HartLocal::new(0);

/// A wait for frames, from the first attempt to the last.
pub struct Claim {
    /// What it needs at most, all at once.
    frames: u64,
    waits: u32,
    /// It is the one that is served first.
    is_first: bool,
}

impl Claim {
    /// So many waits are as good as any other's.
    const PATIENCE: u32 = 4;

    /// One that will need so many frames at most.
    pub const fn on(frames: u64) -> Self {
        Self { frames, waits: 0, is_first: false }
    }

    /// Does what needs the frames: with what is set aside, if that is for it. With success the claim ends.
    pub fn attempt<R>(
        &mut self,
        mut action: impl FnMut(&mut Memory<DirectMap>) -> Result<R, OutOfFrames>,
    ) -> Result<R, OutOfFrames> {
        if self.waits == 0 && HOLDER.get().is_none() {
            return action(&mut mem::memory());
        }
        self.attempt_among_others(action)
    }

    /// The same where somebody has a claim, or this one has waited.
    #[cold]
    fn attempt_among_others<R>(
        &mut self,
        mut action: impl FnMut(&mut Memory<DirectMap>) -> Result<R, OutOfFrames>,
    ) -> Result<R, OutOfFrames> {
        if self.waits == 0 {
            let result = action(&mut mem::memory());
            if result.is_ok() || !is_mine() {
                return result;
            }
            // All is kept for it, or was until it came here.
        }
        let is_for_it = self.is_first || has_all();
        let result =
            if is_for_it { mem::memory().with_what_is_aside(action) } else { action(&mut mem::memory()) };
        if result.is_ok() {
            self.end();
        }
        result
    }

    /// Whoever waits next is to look.
    fn end(&mut self) {
        if core::mem::take(&mut self.is_first) {
            release();
        }
        if core::mem::take(&mut self.waits) > 0 {
            wake();
        }
    }

    /// The attempt has failed, and another one will be made.
    pub fn waits(&mut self) {
        self.waits += 1;
        if self.waits > Self::PATIENCE && HOLDER.get().is_none() {
            self.is_first = true;
            *HOLDER.get_mut() = Some(Holder { tid: current().tid(), stands_at: None });
            mem::memory().set_aside(self.frames);
        }
    }
}

/// Keeps all frames for the running thread, which stands there, until it has come further.
pub fn take_all(stands_at: Place) {
    *HOLDER.get_mut() = Some(Holder { tid: current().tid(), stands_at: Some(stands_at) });
    mem::memory().set_aside(u64::MAX);
}

/// Whether all frames are kept for the running thread, still.
pub fn has_all() -> bool {
    lapses();
    is_mine() && HOLDER.get().is_some_and(|holder| holder.stands_at.is_some())
}

/// Ends a claim to all of memory if whoever made it does not stand there any more. Whether there was one: then frames can be had.
pub fn lapses() -> bool {
    let Some(Holder { tid, stands_at: Some(place) }) = *HOLDER.get() else { return false };
    let thread = table(|t| t.thread(tid)).filter(|thread| {
        let is_stopped = thread.process.stopped.get().is_some();
        !(thread.is_killed() || thread.is_leaving.get() || is_stopped)
    });
    // While it runs nobody looks.
    let stands = thread.is_some_and(|thread| thread.place().is_none_or(|now| now == place));
    if !stands {
        release();
        wake();
    }
    !stands
}

/// Nobody is served before others any more.
fn release() {
    *HOLDER.get_mut() = None;
    mem::memory().set_aside(0);
}

/// To be called by whoever has slept in a fault: one of those who wait for it is to look when it has come further.
pub fn has_slept() {
    if has_all() {
        wake();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_mine() -> bool {
    HOLDER.get().is_some_and(|holder| holder.tid == current().tid())
}

/// Whether another thread has a claim, for which the running one waits. Who ends does not: its end may be what the other waits for.
pub fn is_anothers() -> bool {
    lapses();
    HOLDER.get().is_some() && !is_mine() && !is_ending()
}

fn is_ending() -> bool {
    let this = current();
    this.is_killed() || this.is_leaving.get()
}

/// Sleeps until frames may have come free for the running thread.
pub fn sleep() {
    if is_mine() || is_ending() {
        return wait::sleep(Channel::Claim);
    }
    let held_all = HOLDER.get().filter(|holder| holder.stands_at.is_some());
    if held_all.is_some_and(|holder| scheduler(|s| !s.is_sleeping(holder.tid))) {
        // It will have come further after its next turn.
        return wait::yield_hart();
    }
    wait::sleep(Channel::Frames);
    {
        let mut woken = WOKEN.get_mut();
        *woken = woken.saturating_sub(1);
    }
    if !motion::is_under_way() {
        // This one may find what it needs, and have nothing set in motion that would wake the next.
        wake();
    }
}

/// All who wait for frames are to look whether they are to end.
pub fn wake_all() {
    wait::wake(Channel::Claim);
    *WOKEN.get_mut() += scheduler(|s| s.wake_some(Channel::Frames, usize::MAX));
}

/// Frames have come free, or what was in motion has come to its end: as many wake as may get some. One who has come first and finds none will
/// make a claim.
///
/// Cost: as many are woken as there are free frames for, however many wait.
pub fn wake() {
    wait::wake(Channel::Claim);
    let free = usize::try_from(mem::memory().frames().free()).unwrap_or(usize::MAX);
    // Where nothing is in motion, somebody must look whether something can be.
    let count = if motion::is_under_way() { free } else { free.max(1) };
    let mut woken = WOKEN.get_mut();
    let more = count.saturating_sub(*woken);
    if more > 0 {
        *woken += scheduler(|s| s.wake_last(Channel::Frames, more));
    }
}
