//! Taking turns at what a call must have for itself while it sleeps: an offset that several descriptors share, and the contents of a file
//! that is written. Without them two processes would begin at the same offset, and one's bytes be lost.
//!
//! The order: offsets by their numbers, then contents, then the file systems' lock.

use crate::files::vfs::open_files;
use crate::local::HartLocal;
use crate::processes::wait::{self, Channel};
use alloc::vec::Vec;
use fs::{FileId, OpenFileId};

/// What a turn is at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TurnAt {
    /// An open file's offset.
    Offset(OpenFileId),
    /// What a file holds, and how long it is.
    Contents(FileId),
}

/// Whose turn it is now, and whether somebody waits for the next. A thread has two or three at most.
static TAKEN: HartLocal<Vec<(TurnAt, bool)>> = HartLocal::new(Vec::new());

/// One's turn, until it is dropped.
pub struct Turn(TurnAt);

impl Turn {
    /// Waits for one's turn.
    pub fn take(at: TurnAt) -> Self {
        while is_taken(at) {
            wait::sleep(Channel::Turn(at));
        }
        TAKEN.get_mut().push((at, false));
        Self(at)
    }

    /// At the offset of an open file, if somebody else may move it.
    pub fn at_offset(id: OpenFileId) -> Option<Self> {
        let is_shared = open_files().get_with_sharing(id).1;
        is_shared.then(|| Self::take(TurnAt::Offset(id)))
    }

    /// At the offsets of two open files, which may be one.
    pub fn at_offsets(a: OpenFileId, b: OpenFileId) -> (Option<Self>, Option<Self>) {
        let first = Self::at_offset(a.min(b));
        (first, if a == b { None } else { Self::at_offset(a.max(b)) })
    }
}

/// Whether it is somebody's turn, who then is to wake the next.
fn is_taken(at: TurnAt) -> bool {
    let mut taken = TAKEN.get_mut();
    let turn = taken.iter_mut().find(|(other, _)| *other == at);
    turn.map(|(_, is_awaited)| *is_awaited = true).is_some()
}

impl Drop for Turn {
    fn drop(&mut self) {
        let ended = {
            let mut taken = TAKEN.get_mut();
            let place = taken.iter().position(|(at, _)| *at == self.0);
            place.map(|place| taken.swap_remove(place))
        };
        if let Some((at, true)) = ended {
            wait::wake(Channel::Turn(at));
        }
    }
}
