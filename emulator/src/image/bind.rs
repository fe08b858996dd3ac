//! A folder or file of the host's as a file system of its own, for `--bind`, and which inode there is which file here.
//!
//! In the root of the file system it is called [`NAME`]. As with a root folder, contents are read from the host when the guest asks for them.

use super::ImageError;
use super::builder::{Entry, Modified, Node, TreeBuilder};
use super::disk::LaidOutDisk;
use crate::host::{DiskError, DiskImage};
use isa::binds::NAME;
use mkext4::reader::{Fs, ReadAt};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known of a file when a run begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownFile {
    /// Its permission bits.
    pub mode: u32,
    /// When its contents were changed last, in nanoseconds since 1970.
    pub modified_ns: u64,
    /// What it is.
    pub what: Known,
}

/// What a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// A folder, with the inode number of each name.
    Folder(BTreeMap<Vec<u8>, u64>),
    /// A file: one of its paths.
    File(PathBuf),
    /// A symbolic link, and its target.
    Link(Vec<u8>),
}

/// The files of a [`BindImage`], by their inode numbers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct KnownFiles {
    /// The folder or file itself.
    pub top: u64,
    /// It, and all below.
    pub files: BTreeMap<u64, KnownFile>,
}

/// The file system.
pub struct BindImage {
    disk: LaidOutDisk,
    /// Which files it has.
    pub known: KnownFiles,
    /// What is not in it, though it is in the folder: it could not be read, or is neither folder, file nor link.
    pub left_out: Vec<ImageError>,
}

impl BindImage {
    /// Of the host's `path`.
    ///
    /// Cost: a look at each file and folder, and memory for each; contents cost nothing yet.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let mut tree = TreeBuilder::default();
        let left_out = tree.add_as(NAME, path)?;
        let reading = Reading(RefCell::new(tree.lay_out()?));
        let mut known = KnownFiles::default();
        Index { tree: &tree, fs: Fs::open(&reading)?, known: &mut known.files }.add(
            tree.entries(),
            ROOT,
            (0, 0),
        )?;
        known.top =
            *known.files.get(&ROOT.into()).and_then(|root| root.names()?.get(NAME.as_bytes())).unwrap_or(&0);
        known.files.remove(&ROOT.into());
        Ok(Self { disk: reading.0.into_inner(), known, left_out })
    }

    /// As a disk.
    pub fn into_disk(self) -> Box<dyn DiskImage> {
        Box::new(self.disk)
    }
}

impl KnownFiles {
    /// When the contents of one of them were changed last of all, in nanoseconds since 1970.
    pub fn newest_ns(&self) -> u64 {
        self.files.values().map(|file| file.modified_ns).max().unwrap_or(0)
    }
}

impl KnownFile {
    /// The names of a folder.
    pub fn names(&self) -> Option<&BTreeMap<Vec<u8>, u64>> {
        match &self.what {
            Known::Folder(names) => Some(names),
            Known::File(_) | Known::Link(_) => None,
        }
    }
}

/// The inode of the root directory.
const ROOT: u32 = 2;

/// Finds the inode numbers that the layout gave.
struct Index<'a> {
    tree: &'a TreeBuilder,
    fs: Fs<&'a Reading>,
    known: &'a mut BTreeMap<u64, KnownFile>,
}

impl Index<'_> {
    fn add(
        &mut self,
        folder: &BTreeMap<String, Entry>,
        ino: u32,
        (mode, modified_ns): (u32, u64),
    ) -> Result<(), ImageError> {
        let mut names = BTreeMap::new();
        for found in self.fs.read_dir(ino)? {
            let entry = std::str::from_utf8(&found.name).ok().and_then(|name| folder.get(name));
            // Those of the file system's own, such as `..`, are not among them.
            let Some(Entry { mode, modified, node }) = entry else { continue };
            let number = u64::from(found.inode);
            let (mode, modified_ns) = ((*mode).into(), nanoseconds(*modified));
            let what = match node {
                Node::Folder(inner) => {
                    self.add(inner, found.inode, (mode, modified_ns))?;
                    None
                }
                &Node::File(content) => {
                    self.tree.host_file(content).map(|path| Known::File(path.to_path_buf()))
                }
                Node::Link(target) => Some(Known::Link(target.clone().into_bytes())),
            };
            if let Some(what) = what {
                self.known.insert(number, KnownFile { mode, modified_ns, what });
            }
            names.insert(found.name, number);
        }
        self.known.insert(ino.into(), KnownFile { mode, modified_ns, what: Known::Folder(names) });
        Ok(())
    }
}

fn nanoseconds((seconds, nanoseconds): Modified) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(nanoseconds.into())
}

/// A disk as the layout's own reader wants it.
struct Reading(RefCell<LaidOutDisk>);

impl ReadAt for Reading {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        let mut disk = self.0.borrow_mut();
        disk.read(offset, buffer).map_err(|DiskError| std::io::Error::other("outside the image"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_known_by_its_inode() {
        let dir = std::env::temp_dir().join(format!("folio-bind-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("a/lost+found")).unwrap();
        std::fs::write(dir.join("a/text"), "some text").unwrap();
        std::fs::hard_link(dir.join("a/text"), dir.join("twin")).unwrap();
        std::os::unix::fs::symlink("a/text", dir.join("link")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
        let mut image = BindImage::read(&dir).unwrap();
        drop(socket);
        assert!(matches!(&image.left_out[..], [ImageError::Kind(path)] if path.ends_with("socket")));
        let known = image.known.clone();
        let top = known.files[&known.top].names().unwrap();
        assert_eq!(top.keys().map(Vec::as_slice).collect::<Vec<_>>(), [&b"a"[..], b"link", b"twin"]);
        let a = known.files[&top[&b"a"[..]]].names().unwrap();
        assert_eq!(a.keys().map(Vec::as_slice).collect::<Vec<_>>(), [&b"lost+found"[..], b"text"]);
        assert_eq!(a[&b"text"[..]], top[&b"twin"[..]]);
        assert!(
            matches!(&known.files[&a[&b"text"[..]]].what, Known::File(path) if path.starts_with(dir.canonicalize().unwrap()))
        );
        // As the guest will find it.
        let len = usize::try_from(image.disk.len_bytes()).unwrap();
        let mut bytes = vec![0; len];
        image.disk.read(0, &mut bytes).unwrap();
        let fs = Fs::open(&bytes[..]).unwrap();
        assert_eq!(fs.resolve("/bind").unwrap(), u32::try_from(known.top).unwrap());
        assert_eq!(fs.read_file(fs.resolve("/bind/twin").unwrap()).unwrap(), b"some text");
        let alone = BindImage::read(&dir.join("link")).unwrap();
        assert!(
            matches!(&alone.known.files[&alone.known.top].what, Known::File(path) if path.ends_with("a/text"))
        );
        assert!(BindImage::read(&dir.join("nothing")).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
