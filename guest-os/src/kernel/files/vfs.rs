//! The file systems of crate `fs` with the kernel's side of their bargain: the sleeping lock, and the table of open files.

use crate::files::ready;
use crate::local::HartLocal;
use crate::processes::wait::{SleepGuard, SleepLock};
use core::cell::RefMut;
use core::ops::{Deref, DerefMut};
use fs::{OpenFiles, Vfs};

static VFS: SleepLock<Option<Vfs>> = SleepLock::new(None);
static OPEN_FILES: HartLocal<Option<OpenFiles>> = HartLocal::new(None);

/// The locked file systems. Reading them may sleep; user memory must not be touched while they are locked.
pub struct VfsGuard(SleepGuard<'static, Option<Vfs>>);

/// Locks the file systems.
#[track_caller]
pub fn lock() -> VfsGuard {
    VfsGuard(VFS.lock())
}

impl Drop for VfsGuard {
    /// What has happened to names is told before others find them so.
    fn drop(&mut self) {
        let happenings = self.take_happenings();
        if happenings.is_empty() {
            return;
        }
        let is_watched = {
            let mut files = open_files();
            happenings.iter().for_each(|happening| files.tell(happening));
            files.are_watching()
        };
        self.keep_happenings(is_watched);
    }
}

impl Deref for VfsGuard {
    type Target = Vfs;
    fn deref(&self) -> &Vfs {
        self.0.as_ref().expect("the root is mounted before anything is opened")
    }
}
impl DerefMut for VfsGuard {
    fn deref_mut(&mut self) -> &mut Vfs {
        self.0.as_mut().expect("the root is mounted before anything is opened")
    }
}

/// Makes these the file systems.
pub fn start(vfs: Vfs) {
    *VFS.lock() = Some(vfs);
    *OPEN_FILES.get_mut() = Some(OpenFiles::new(ready::wake));
}

/// Unmounts the file systems at the end of the run: every page of tmpfs comes back.
pub fn stop() {
    let mut mounted = VFS.lock();
    if let Some(vfs) = &mut *mounted {
        vfs.unmount();
    }
    // Dropped where they are: for the stack they are too large.
    *mounted = None;
}

/// The table of open files; to be dropped before anything sleeps.
#[track_caller]
pub fn open_files() -> RefMut<'static, OpenFiles> {
    RefMut::map(OPEN_FILES.get_mut(), |files| files.as_mut().expect("the table is made at boot"))
}
