//! The settings of `/proc/sys` that are numbers (sysctl(8)): one table, with what each is at first and may become.
//!
//! Some decide what the kernel does; others are only remembered, so that a program which sets one finds it set (docs/deviations.md).

use crate::Errno;

/// A setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting(u8);

/// What is known of a setting.
pub(crate) struct Row {
    /// The folder below `/proc/sys`.
    pub(crate) folder: &'static str,
    pub(crate) name: &'static str,
    first: u64,
    least: u64,
    most: u64,
    /// It can be set.
    pub(crate) is_written: bool,
}

const fn fixed(folder: &'static str, name: &'static str, value: u64) -> Row {
    Row { folder, name, first: value, least: value, most: value, is_written: false }
}
const fn set(folder: &'static str, name: &'static str, first: u64, least: u64, most: u64) -> Row {
    Row { folder, name, first, least, most, is_written: true }
}

const INT: u64 = i32::MAX as u64;
/// Linux's ULONG_MAX - (1 << 24).
const SHM_MOST: u64 = u64::MAX - (1 << 24);

/// All of them.
pub(crate) const ROWS: &[Row] = &[
    set("kernel", "shmmax", SHM_MOST, 0, u64::MAX),
    set("kernel", "shmall", SHM_MOST, 0, u64::MAX),
    set("kernel", "shmmni", 4096, 0, 32_768),
    set("kernel", "msgmax", 8192, 0, INT),
    set("kernel", "msgmnb", 16_384, 0, INT),
    set("kernel", "msgmni", 32_000, 0, 32_768),
    fixed("kernel", "pid_max", 32_768),
    fixed("kernel", "ngroups_max", 65_536),
    fixed("kernel", "cap_last_cap", 40),
    set("kernel", "randomize_va_space", 0, 0, 2),
    set("kernel", "threads-max", 32_768, 20, INT),
    set("kernel", "tainted", 0, 0, u64::MAX),
    set("kernel", "core_uses_pid", 0, 0, 1),
    set("kernel", "panic", 0, 0, INT),
    set("kernel", "panic_on_oops", 0, 0, 1),
    set("kernel", "shm_rmid_forced", 0, 0, 1),
    set("vm", "max_map_count", 65_530, 0, INT),
    set("vm", "overcommit_memory", 0, 0, 2),
    set("vm", "overcommit_ratio", 50, 0, INT),
    set("vm", "overcommit_kbytes", 0, 0, u64::MAX),
    set("vm", "swappiness", 60, 0, 200),
    set("vm", "min_free_kbytes", 0, 0, INT),
    set("vm", "panic_on_oom", 0, 0, 2),
    set("vm", "nr_hugepages", 0, 0, 0),
    set("vm", "drop_caches", 0, 0, 4),
    fixed("vm", "mmap_min_addr", 65_536),
    fixed("vm", "page-cluster", 0),
    set("fs/inotify", "max_queued_events", 16_384, 0, INT),
    set("fs/inotify", "max_user_instances", 128, 0, INT),
    set("fs/inotify", "max_user_watches", 8192, 0, INT),
    set("fs", "pipe-max-size", 1 << 20, 4096, 1 << 31),
    set("fs", "pipe-user-pages-soft", 16_384, 0, u64::MAX),
    set("fs", "pipe-user-pages-hard", 0, 0, u64::MAX),
    set("fs", "nr_open", 1 << 20, 8, INT),
    set("fs", "file-max", i64::MAX as u64, 0, i64::MAX as u64),
    set("fs", "suid_dumpable", 0, 0, 2),
    set("fs", "protected_symlinks", 0, 0, 1),
    set("fs", "protected_hardlinks", 0, 0, 1),
];

impl Setting {
    /// The largest segment of shared memory, in bytes.
    pub const SHM_MAX: Setting = Setting::named("kernel", "shmmax");
    /// Pages of all segments.
    pub const SHM_ALL: Setting = Setting::named("kernel", "shmall");
    /// Segments of shared memory.
    pub const SHM_MNI: Setting = Setting::named("kernel", "shmmni");
    /// The longest message of a queue, in bytes.
    pub const MSG_MAX: Setting = Setting::named("kernel", "msgmax");
    /// What a queue holds at first, in bytes.
    pub const MSG_MNB: Setting = Setting::named("kernel", "msgmnb");
    /// Queues.
    pub const MSG_MNI: Setting = Setting::named("kernel", "msgmni");

    /// Whether memory is promised by a rule of thumb, always, or strictly.
    pub const OVERCOMMIT: Setting = Setting::named("vm", "overcommit_memory");
    /// How much of RAM is promised strictly, in percent.
    pub const OVERCOMMIT_RATIO: Setting = Setting::named("vm", "overcommit_ratio");
    /// The same in KiB, in place of the ratio if it is not 0.
    pub const OVERCOMMIT_KBYTES: Setting = Setting::named("vm", "overcommit_kbytes");

    /// What of a program is placed at random: nothing, all but the heap, all.
    pub const RANDOMIZE: Setting = Setting::named("kernel", "randomize_va_space");

    /// Events that a list of them keeps (inotify).
    pub const INOTIFY_EVENTS: Setting = Setting::named("fs/inotify", "max_queued_events");
    /// Such lists.
    pub const INOTIFY_INSTANCES: Setting = Setting::named("fs/inotify", "max_user_instances");
    /// Files that are watched for them.
    pub const INOTIFY_WATCHES: Setting = Setting::named("fs/inotify", "max_user_watches");

    const fn named(folder: &str, name: &str) -> Setting {
        let mut index = 0;
        while index < ROWS.len() {
            let row = &ROWS[index];
            if is_same(row.folder, folder) && is_same(row.name, name) {
                #[allow(clippy::cast_possible_truncation)] // the table is short
                return Setting(index as u8);
            }
            index += 1;
        }
        panic!("there is no such setting")
    }

    /// That of a row of the table.
    #[allow(clippy::cast_possible_truncation)] // the table is short
    pub(crate) const fn of_row(index: usize) -> Setting {
        assert!(index < ROWS.len() && ROWS.len() < 256);
        Setting(index as u8)
    }

    pub(crate) fn row(self) -> &'static Row {
        &ROWS[usize::from(self.0)]
    }
}

/// `==` of texts, for constants.
const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// What they are now.
#[derive(Clone, Debug)]
pub struct Settings([u64; ROWS.len()]);

impl Settings {
    /// What they are at first.
    pub const fn new() -> Settings {
        let mut values = [0; ROWS.len()];
        let mut index = 0;
        while index < ROWS.len() {
            values[index] = ROWS[index].first;
            index += 1;
        }
        Settings(values)
    }
    /// A setting.
    pub fn get(&self, setting: Setting) -> u64 {
        self.0[usize::from(setting.0)]
    }
    /// Sets it. EINVAL out of its range.
    pub fn set(&mut self, setting: Setting, value: u64) -> Result<(), Errno> {
        let row = setting.row();
        if !(row.least..=row.most).contains(&value) {
            return Err(Errno::EINVAL);
        }
        self.0[usize::from(setting.0)] = value;
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_a_range() {
        let mut settings = Settings::new();
        assert_eq!((settings.get(Setting::SHM_MNI), settings.get(Setting::MSG_MNB)), (4096, 16_384));
        assert_eq!(settings.set(Setting::SHM_MNI, 32_769), Err(Errno::EINVAL));
        settings.set(Setting::SHM_MNI, 5).unwrap();
        assert_eq!((settings.get(Setting::SHM_MNI), settings.get(Setting::SHM_ALL)), (5, SHM_MOST));
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(
                Setting::named(row.folder, row.name),
                Setting::of_row(index),
                "{} is there once",
                row.name
            );
            assert!((row.least..=row.most).contains(&row.first));
        }
    }
}
