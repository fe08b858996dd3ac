//! What is to be done to a folder of the host's, so that it is what the guest has made of it: decided here, done in `apply`.
//!
//! Paths are relative to the folder; each part of them is a name that has been checked, or one that the host has given.

use super::account::{Account, Changed, ChangedFile, Contents};
use emulator::image::{Known, KnownFile, KnownFiles};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where the bytes of a file are had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bytes<'a> {
    /// The guest has told them.
    Told(&'a Contents),
    /// They are those of a file of the host's, as before.
    Of(&'a Path),
}

/// What a file has besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    pub mode: u32,
    /// When its contents were changed last, in nanoseconds since 1970.
    pub modified_ns: u64,
}

/// A file to be written: all of them are, under other names, before anything else is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFile<'a> {
    pub bytes: Bytes<'a>,
    pub attributes: Attributes,
    /// The path it is for, for messages.
    pub path: PathBuf,
    /// The file that it has been: with the same bytes it stays that.
    pub replaces: Option<&'a Path>,
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A file, link or empty folder goes.
    Remove(PathBuf),
    /// A folder is made.
    MakeFolder(PathBuf),
    /// The file with this number gets the name.
    Place { file: usize, path: PathBuf, before: Before },
    /// A symbolic link is made.
    Link { path: PathBuf, target: Vec<u8> },
    /// The permission bits of a folder.
    SetMode(PathBuf, u32),
}

/// What a name leads to before its file gets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// Nothing: what is there all the same is not the guest's to write over.
    Nothing,
    /// Another file.
    Other,
    /// This file, with its old contents.
    Itself,
}

/// All of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Plan<'a> {
    pub files: Vec<NewFile<'a>>,
    pub steps: Vec<Step>,
    /// Pipes, sockets and devices that the guest has made, which are not made here.
    pub left_out: Vec<PathBuf>,
}

/// The guest has told of a file that nobody has seen, or of a tree that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoTree;

/// Folders within folders; deeper ones have no path that the host would take.
const DEPTH_MAX: usize = 2048;

/// The plan for a folder, or, with `alone`, for a file of this name in it.
pub fn plan<'a>(
    known: &'a KnownFiles,
    account: &'a Account,
    alone: Option<&OsStr>,
) -> Result<Plan<'a>, NoTree> {
    let mut planner = Planner {
        known,
        account,
        plan: Plan::default(),
        modes: Vec::new(),
        folders: BTreeSet::new(),
        placed: BTreeMap::new(),
    };
    match alone {
        Some(name) => planner.same(Path::new(name), known.top, 0)?,
        None => planner.same(Path::new(""), known.top, 0)?,
    }
    let Planner { mut plan, mut modes, .. } = planner;
    // The deepest first: a folder may become one that nothing can be done in.
    modes.reverse();
    plan.steps.append(&mut modes);
    Ok(plan)
}

struct Planner<'a> {
    known: &'a KnownFiles,
    account: &'a Account,
    plan: Plan<'a>,
    /// Permission bits are set last.
    modes: Vec<Step>,
    /// Folders that have a place.
    folders: BTreeSet<u64>,
    /// Which new file an inode has become, if it has.
    placed: BTreeMap<u64, usize>,
}

/// A file as it is now.
enum Now<'a> {
    Folder(&'a BTreeMap<Vec<u8>, u64>),
    File(Bytes<'a>),
    /// A link, and its target.
    Link(&'a [u8]),
    Special,
}

impl<'a> Planner<'a> {
    fn now(&self, ino: u64) -> Result<(Now<'a>, Attributes), NoTree> {
        Ok(match (self.account.get(&ino), self.known.files.get(&ino)) {
            (Some(&ChangedFile { mode, modified_ns, ref what }), _) => {
                let now = match what {
                    Changed::Folder(names) => Now::Folder(names),
                    Changed::File(contents) => Now::File(Bytes::Told(contents)),
                    Changed::Link(target) => Now::Link(target),
                    Changed::Special => Now::Special,
                };
                (now, Attributes { mode, modified_ns })
            }
            (None, Some(&KnownFile { mode, modified_ns, ref what })) => {
                let now = match what {
                    Known::Folder(names) => Now::Folder(names),
                    Known::File(path) => Now::File(Bytes::Of(path)),
                    Known::Link(target) => Now::Link(target),
                };
                (now, Attributes { mode, modified_ns })
            }
            (None, None) => return Err(NoTree),
        })
    }

    /// A name that leads to the file it has led to before.
    fn same(&mut self, path: &Path, ino: u64, depth: usize) -> Result<(), NoTree> {
        let (now, attributes) = self.now(ino)?;
        let before = self.known.files.get(&ino).ok_or(NoTree)?;
        match (now, &before.what) {
            (Now::Folder(names), Known::Folder(names_before)) => {
                self.set_mode(path, Some(before.mode), attributes.mode);
                self.folder(path, ino, names_before, names, depth)
            }
            (Now::File(Bytes::Told(contents)), Known::File(host)) => {
                // With other attributes it is written anew, so that they are right as soon as it is there.
                let old = Attributes { mode: before.mode, modified_ns: before.modified_ns };
                let replaces = (old == attributes).then_some(host.as_path());
                self.place(path, ino, (Bytes::Told(contents), attributes), replaces, Before::Itself);
                Ok(())
            }
            (Now::File(Bytes::Of(_)), Known::File(_)) | (Now::Link(_), Known::Link(_)) => Ok(()),
            _ => Err(NoTree),
        }
    }

    /// A name that leads to another file than before, or to none before.
    fn other(&mut self, path: &Path, ino: u64, before: Before, depth: usize) -> Result<(), NoTree> {
        let (now, attributes) = self.now(ino)?;
        match now {
            Now::Folder(names) => {
                self.plan.steps.push(Step::MakeFolder(path.into()));
                self.set_mode(path, None, attributes.mode);
                self.folder(path, ino, &BTreeMap::new(), names, depth)?;
            }
            Now::File(bytes) => self.place(path, ino, (bytes, attributes), None, before),
            Now::Link(target) => {
                self.plan.steps.push(Step::Link { path: path.into(), target: target.to_vec() })
            }
            Now::Special => self.plan.left_out.push(path.into()),
        }
        Ok(())
    }

    fn folder(
        &mut self,
        path: &Path,
        ino: u64,
        before: &BTreeMap<Vec<u8>, u64>,
        now: &BTreeMap<Vec<u8>, u64>,
        depth: usize,
    ) -> Result<(), NoTree> {
        if depth > DEPTH_MAX || !self.folders.insert(ino) {
            return Err(NoTree);
        }
        for (name, &was) in before {
            // A file takes the place of a file at once; all else makes way first.
            let stays = now.get(name).is_some_and(|&is| is == was || self.takes_place(was, is));
            if !stays {
                self.remove(&path.join(OsStr::from_bytes(name)), was, depth)?;
            }
        }
        for (name, &is) in now {
            let path = path.join(OsStr::from_bytes(name));
            match before.get(name) {
                Some(&was) if was == is => self.same(&path, is, depth + 1)?,
                was => {
                    let takes_place = was.is_some_and(|&was| self.takes_place(was, is));
                    let before = if takes_place { Before::Other } else { Before::Nothing };
                    self.other(&path, is, before, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a file, not a folder or link, has had a name, and another has it now.
    fn takes_place(&self, was: u64, is: u64) -> bool {
        let was_file = matches!(self.known.files.get(&was), Some(KnownFile { what: Known::File(_), .. }));
        was_file && matches!(self.now(is), Ok((Now::File(_), _)))
    }

    /// What the name has led to before goes, and all below it.
    fn remove(&mut self, path: &Path, was: u64, depth: usize) -> Result<(), NoTree> {
        let before = self.known.files.get(&was).ok_or(NoTree)?;
        if depth > DEPTH_MAX {
            return Err(NoTree);
        }
        for (name, &inner) in before.names().into_iter().flatten() {
            self.remove(&path.join(OsStr::from_bytes(name)), inner, depth + 1)?;
        }
        self.plan.steps.push(Step::Remove(path.into()));
        Ok(())
    }

    fn set_mode(&mut self, path: &Path, before: Option<u32>, mode: u32) {
        if before != Some(mode) {
            self.modes.push(Step::SetMode(path.into(), mode));
        }
    }

    fn place(
        &mut self,
        path: &Path,
        ino: u64,
        (bytes, attributes): (Bytes<'a>, Attributes),
        replaces: Option<&'a Path>,
        before: Before,
    ) {
        // A second name of the same file.
        let next = self.plan.files.len();
        let file = *self.placed.entry(ino).or_insert(next);
        if file == next {
            self.plan.files.push(NewFile { bytes, attributes, path: path.into(), replaces });
        }
        self.plan.steps.push(Step::Place { file, path: path.into(), before });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[(&str, u64)]) -> BTreeMap<Vec<u8>, u64> {
        list.iter().map(|&(name, ino)| (name.as_bytes().to_vec(), ino)).collect()
    }

    /// `/` (1) with file `a` (2), its twin `b`, folder `sub` (3) with `c` (4) and link `l` (5).
    fn known() -> KnownFiles {
        let folder = |list: &[_]| KnownFile { mode: 0o755, modified_ns: 1, what: Known::Folder(names(list)) };
        let file = |path: &str| KnownFile { mode: 0o644, modified_ns: 1, what: Known::File(path.into()) };
        let link = KnownFile { mode: 0o777, modified_ns: 1, what: Known::Link(b"c".to_vec()) };
        let files = [
            (1, folder(&[("a", 2), ("b", 2), ("sub", 3)])),
            (2, file("/host/a")),
            (3, folder(&[("c", 4), ("l", 5)])),
            (4, file("/host/sub/c")),
            (5, link),
        ];
        KnownFiles { top: 1, files: BTreeMap::from(files) }
    }

    fn folder(mode: u32, list: &[(&str, u64)]) -> ChangedFile {
        ChangedFile { mode, modified_ns: 1, what: Changed::Folder(names(list)) }
    }

    fn file(mode: u32) -> ChangedFile {
        ChangedFile { mode, modified_ns: 1, what: Changed::File(Contents::default()) }
    }

    /// The steps, and what files are written for which path, as text.
    fn steps(account: &[(u64, ChangedFile)]) -> Result<Vec<String>, NoTree> {
        let (known, account) = (known(), account.iter().cloned().collect());
        let plan = plan(&known, &account, None)?;
        let show = |step: &Step| match step {
            Step::Remove(path) => format!("remove {}", path.display()),
            Step::MakeFolder(path) => format!("make {}", path.display()),
            Step::Place { file, path, before } => {
                let NewFile { bytes, attributes: Attributes { mode, .. }, replaces, .. } = &plan.files[*file];
                let bytes =
                    if let Bytes::Of(path) = bytes { path.display().to_string() } else { "told".to_string() };
                let (new, if_other) = (
                    if *before == Before::Nothing { "new " } else { "" },
                    if replaces.is_some() { " if other" } else { "" },
                );
                format!("{new}{} = {bytes} {mode:o}{if_other}", path.display())
            }
            Step::Link { path, target } => {
                format!("link {} {}", path.display(), String::from_utf8_lossy(target))
            }
            Step::SetMode(path, mode) => format!("mode {} {mode:o}", path.display()),
        };
        Ok(plan.steps.iter().map(show).collect())
    }

    #[test]
    fn the_plan_is_what_has_changed_and_no_more() {
        for (account, expected) in [
            (vec![], vec![]),
            // Written, by one of two names.
            (vec![(2, file(0o644))], vec!["a = told 644 if other", "b = told 644 if other"]),
            (vec![(4, file(0o600))], vec!["sub/c = told 600"]),
            (vec![(4, ChangedFile { modified_ns: 2, ..file(0o644) })], vec!["sub/c = told 644"]),
            // Opened for writing, a name looked up: nothing.
            (vec![(1, folder(0o755, &[("a", 2), ("b", 2), ("sub", 3)]))], vec![]),
            // Made.
            (
                vec![
                    (3, folder(0o700, &[("c", 4), ("l", 5), ("new", 9), ("dir", 8)])),
                    (8, folder(0o500, &[("x", 9)])),
                    (9, file(0o640)),
                ],
                vec![
                    "make sub/dir",
                    "new sub/dir/x = told 640",
                    "new sub/new = told 640",
                    "mode sub/dir 500",
                    "mode sub 700",
                ],
            ),
            // Removed.
            (
                vec![(1, folder(0o755, &[("b", 2)]))],
                vec!["remove a", "remove sub/c", "remove sub/l", "remove sub"],
            ),
            // Moved, with what is in it.
            (
                vec![(1, folder(0o755, &[("a", 2), ("b", 2), ("moved", 3)]))],
                vec![
                    "remove sub/c",
                    "remove sub/l",
                    "remove sub",
                    "make moved",
                    "new moved/c = /host/sub/c 644",
                    "link moved/l c",
                    "mode moved 755",
                ],
            ),
            // Two files change places, a file and a folder do.
            (
                vec![
                    (1, folder(0o755, &[("a", 4), ("b", 2), ("sub", 3)])),
                    (3, folder(0o755, &[("c", 2), ("l", 5)])),
                ],
                vec!["a = /host/sub/c 644", "sub/c = /host/a 644"],
            ),
            (
                vec![(1, folder(0o755, &[("a", 3), ("b", 2), ("sub", 2)]))],
                vec![
                    "remove a",
                    "remove sub/c",
                    "remove sub/l",
                    "remove sub",
                    "make a",
                    "new a/c = /host/sub/c 644",
                    "link a/l c",
                    "new sub = /host/a 644",
                    "mode a 755",
                ],
            ),
        ] {
            assert_eq!(steps(&account).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for account in [
            // A file that nobody knows, a folder below itself, one with two names, the folder itself as a file.
            vec![(1, folder(0o755, &[("x", 77)]))],
            vec![(3, folder(0o755, &[("x", 3)]))],
            vec![(3, folder(0o755, &[("x", 1)]))],
            vec![(1, folder(0o755, &[("x", 3), ("y", 3)]))],
            vec![(1, file(0o644))],
            vec![(2, folder(0o755, &[]))],
        ] {
            assert_eq!(steps(&account), Err(NoTree), "{account:?}");
        }
    }

    #[test]
    fn a_file_alone_is_the_only_one_that_is_touched() {
        let known = KnownFiles { top: 2, ..known() };
        let account = Account::from([(1, folder(0o755, &[("x", 2)])), (2, file(0o644))]);
        let plan = plan(&known, &account, Some(OsStr::new("a"))).unwrap();
        assert_eq!(plan.steps, [Step::Place { file: 0, path: "a".into(), before: Before::Itself }]);
    }
}
