//! What `/proc/sys` says, and programs have set there.

use crate::local::HartLocal;
use fs::{Errno, Setting, Settings};

static SETTINGS: HartLocal<Settings> = HartLocal::new(Settings::new());

/// A setting.
pub fn setting(which: Setting) -> u64 {
    SETTINGS.get().get(which)
}

/// Sets it. EINVAL out of its range.
pub fn set(which: Setting, value: u64) -> Result<(), Errno> {
    SETTINGS.get_mut().set(which, value)
}
