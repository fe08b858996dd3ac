//! Carries a [`Plan`] out in a folder of the host's.
//!
//! All new files are written first, in a folder beside the old ones, and what the host has got meanwhile is looked for, so that what can go wrong
//! does so before anything has changed; then each file takes its name by a rename. No step goes through a symbolic link: each folder on the way is looked at.

use super::account::Contents;
use super::plan::{Attributes, Before, Bytes, NewFile, Plan, Step};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Does it below `folder`.
pub fn apply(plan: &Plan<'_>, folder: &Path) -> Result<()> {
    let is_as_it_was: Vec<bool> = plan.files.iter().map(NewFile::is_as_it_was).collect();
    let is_done = |step: &&Step| matches!(step, Step::Place { file, before: Before::Itself, .. } if is_as_it_was[*file]);
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| !is_done(step)).collect();
    if steps.is_empty() {
        return Ok(());
    }
    let mut staging = Staging::new(folder)?;
    for (number, file) in plan.files.iter().enumerate() {
        let written = match file.replaces.filter(|_| is_as_it_was[number]) {
            Some(path) => staging.keep(number, path),
            None => staging.write(number, file),
        };
        written.with_context(|| format!("cannot write {}", folder.join(&file.path).display()))?;
    }
    let told = |step: &Step| format!("cannot {} {}", step.verb(), folder.join(step.path()).display());
    let removed: BTreeSet<&Path> = steps.iter().filter_map(|step| step.removed()).collect();
    for step in &steps {
        check(step, folder, &removed).with_context(|| told(step))?;
    }
    for step in steps {
        if let Err(error) = carry_out(step, folder, &mut staging) {
            let kept = staging.keep_all();
            let kept = format!("{}; what was to be written lies in {}", told(step), kept.display());
            return Err(error).context(kept);
        }
    }
    Ok(())
}

/// Whether the host has what stands in the way of a step: what the guest has not seen is not its to remove or to write over.
fn check(step: &Step, folder: &Path, removed: &BTreeSet<&Path>) -> Result<()> {
    let path = folder.join(step.path());
    let is_there = || fs::symlink_metadata(&path);
    match step {
        Step::Remove(inside) if is_there().is_ok_and(|file| file.is_dir()) => {
            for entry in fs::read_dir(&path)? {
                let name = entry?.file_name();
                if !removed.contains(inside.join(&name).as_path()) {
                    bail!("{} is in it, which the guest has not seen", name.display());
                }
            }
        }
        Step::MakeFolder(_) | Step::Link { .. } | Step::Place { before: Before::Nothing, .. }
            if !removed.contains(step.path()) && is_there().is_ok() =>
        {
            bail!("it is there, and was not when the run began");
        }
        _ => {}
    }
    Ok(())
}

impl Step {
    fn path(&self) -> &Path {
        match self {
            Self::Remove(path)
            | Self::MakeFolder(path)
            | Self::Place { path, .. }
            | Self::Link { path, .. }
            | Self::SetMode(path, _) => path,
        }
    }

    fn removed(&self) -> Option<&Path> {
        if let Self::Remove(path) = self { Some(path) } else { None }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::Remove(_) => "remove",
            Self::MakeFolder(_) | Self::Link { .. } => "make",
            Self::Place { .. } => "write",
            Self::SetMode(..) => "set the mode of",
        }
    }
}

fn carry_out(step: &Step, folder: &Path, staging: &mut Staging) -> Result<()> {
    check_way(folder, step.path())?;
    let path = folder.join(step.path());
    match step {
        Step::Remove(_) => {
            let is_folder = fs::symlink_metadata(&path)?.is_dir();
            if is_folder { fs::remove_dir(&path)? } else { fs::remove_file(&path)? }
        }
        Step::MakeFolder(_) => DirBuilder::new().mode(0o700).create(&path)?,
        Step::Place { file, .. } => staging.place(*file, &path)?,
        Step::Link { target, .. } => {
            use std::os::unix::ffi::OsStrExt;
            std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), &path)?;
        }
        Step::SetMode(_, mode) => {
            if !fs::symlink_metadata(&path)?.is_dir() {
                bail!("it is no folder any more");
            }
            fs::set_permissions(&path, Permissions::from_mode(*mode))?;
        }
    }
    Ok(())
}

/// Each folder on the way to a path must be one, and no link.
fn check_way(folder: &Path, path: &Path) -> Result<()> {
    let mut way = folder.to_path_buf();
    for part in path.parent().into_iter().flat_map(Path::components) {
        way.push(part);
        if !fs::symlink_metadata(&way)?.is_dir() {
            bail!("{} is no folder any more", way.display());
        }
    }
    Ok(())
}

impl NewFile<'_> {
    /// Whether the file that it is to replace has the same bytes.
    fn is_as_it_was(&self) -> bool {
        match (&self.bytes, self.replaces) {
            (Bytes::Told(contents), Some(path)) => is_same(contents, path).unwrap_or(false),
            _ => false,
        }
    }
}

fn is_same(contents: &Contents, path: &Path) -> std::io::Result<bool> {
    const CHUNK_BYTES: u64 = 64 << 10;
    let mut file = File::open(path)?;
    if file.metadata()?.len() != contents.len_bytes {
        return Ok(false);
    }
    let mut at = 0;
    let mut compare = |bytes: Option<&[u8]>, len: u64| -> std::io::Result<bool> {
        let mut found = Vec::new();
        file.by_ref().take(len).read_to_end(&mut found)?;
        Ok(match bytes {
            Some(bytes) => found == bytes,
            None => found.len() as u64 == len && found.iter().all(|&byte| byte == 0),
        })
    };
    for (start, bytes) in contents
        .pieces
        .iter()
        .map(|(at, bytes)| (*at, bytes.as_slice()))
        .chain([(contents.len_bytes, &[][..])])
    {
        while at < start {
            let len = (start - at).min(CHUNK_BYTES);
            if !compare(None, len)? {
                return Ok(false);
            }
            at += len;
        }
        if !compare(Some(bytes), bytes.len() as u64)? {
            return Ok(false);
        }
        at += bytes.len() as u64;
    }
    Ok(true)
}

/// A folder for files that have no name yet. It goes when this is dropped, unless it is to stay.
struct Staging {
    folder: PathBuf,
    is_kept: bool,
    names: u64,
}

impl Staging {
    fn new(beside: &Path) -> Result<Self> {
        let mut number = 0;
        loop {
            let folder = beside.join(format!(".folio-bind-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self { folder, is_kept: false, names: 0 }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot write to the folder {}", beside.display()));
                }
            }
        }
    }

    /// Lets the folder stay; gives its path.
    fn keep_all(&mut self) -> &Path {
        self.is_kept = true;
        &self.folder
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.join(number.to_string())
    }

    fn write(&self, number: usize, new: &NewFile<'_>) -> Result<()> {
        match &new.bytes {
            Bytes::Of(path) => self.keep(number, path),
            Bytes::Told(contents) => self.write_told(number, contents, new.attributes),
        }
    }

    fn write_told(&self, number: usize, contents: &Contents, attributes: Attributes) -> Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.file(number))?;
        for (at, bytes) in &contents.pieces {
            file.write_all_at(bytes, *at)?;
        }
        file.set_len(contents.len_bytes)?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(attributes.modified_ns))?;
        Ok(file.set_permissions(Permissions::from_mode(attributes.mode))?)
    }

    /// Has a file of the host's, which may lose its name.
    fn keep(&self, number: usize, path: &Path) -> Result<()> {
        link_or_copy(path, &self.file(number)).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Gives a file a name, at once and whole; the next name is another of the same file.
    fn place(&mut self, number: usize, path: &Path) -> Result<()> {
        let name = self.folder.join(format!("name-{}", self.names));
        self.names += 1;
        link_or_copy(&self.file(number), &name)?;
        Ok(fs::rename(&name, path)?)
    }
}

/// One more name of a file; where there are no hard links, one more file.
fn link_or_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to)?;
    }
    Ok(())
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
