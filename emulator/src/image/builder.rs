//! Lays a tree of files out as ext4, the same way every time.

use super::disk::{Content, From, LaidOutDisk, Region};
use super::{ImageError, program_path};
use isa::platform::RTC_EPOCH_SECONDS;
use mkext4::{FsBuilder, InodeCount, InodeHandle, Meta, Options, ROOT, RegionSink};
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file system's UUID; its directory hash seed is derived from it.
const UUID: [u8; 16] = *b"folio root image";
const BLOCK_BYTES: u64 = 4096;
/// A journal is never used (the guest mounts read-only); this is the smallest that ext4 allows.
const JOURNAL_BLOCKS: u32 = 1024;
/// Free space in an image, on top of what its files and metadata need: the journal may take a quarter of the whole.
const SLACK_BYTES: u64 = 16 << 20;

pub(super) enum Node {
    Folder(BTreeMap<String, Entry>),
    /// Number of its content. Hard links share the number.
    File(usize),
    Link(String),
}

pub(super) struct Entry {
    pub(super) mode: u16,
    pub(super) modified: Modified,
    pub(super) node: Node,
}

/// When contents were changed last: seconds since 1970, and nanoseconds.
pub(super) type Modified = (i64, u32);

impl Entry {
    fn folder(mode: u16) -> Self {
        Self { mode, modified: epoch(), node: Node::Folder(BTreeMap::new()) }
    }
}

/// A tree of files on its way into an image.
#[derive(Default)]
pub(super) struct TreeBuilder {
    root: BTreeMap<String, Entry>,
    contents: Vec<Content>,
    /// Hard links: the content of each (device, inode) seen.
    linked: BTreeMap<(u64, u64), usize>,
    /// Files keep their times, and what cannot be read is left out, and noted here; otherwise all have one time, and that is an error.
    left_out: Option<Vec<ImageError>>,
}

impl TreeBuilder {
    /// What a small root has besides the program.
    pub(super) fn with_skeleton() -> Self {
        let mut tree = Self::default();
        tree.add_mount_points();
        for name in ["bin", "root"] {
            tree.root.insert(name.to_string(), Entry::folder(0o755));
        }
        let mut etc = BTreeMap::new();
        for (name, text) in [("group", "root:x:0:\n"), ("passwd", "root:x:0:0:root:/root:/bin/sh\n")] {
            etc.insert(name.to_string(), tree.file(0o644, Content::memory(text.as_bytes())));
        }
        tree.root.insert("etc".to_string(), Entry { node: Node::Folder(etc), ..Entry::folder(0o755) });
        tree
    }

    /// The folders that the guest mounts its other file systems on, where they are missing.
    pub(super) fn add_mount_points(&mut self) {
        for (name, mode) in [("dev", 0o755), ("proc", 0o555), ("tmp", 0o1777)] {
            self.root.entry(name.to_string()).or_insert_with(|| Entry::folder(mode));
        }
    }

    /// Puts a program where [`program_path`] says.
    pub(super) fn add_program(&mut self, name: &str, content: Content) {
        let entry = self.file(0o755, content);
        let path = program_path(name);
        let (folder, name) = path[1..].split_once('/').expect("a program lies in a folder of the root");
        let bin = self.root.entry(folder.to_string()).or_insert_with(|| Entry::folder(0o755));
        if let Node::Folder(entries) = &mut bin.node {
            entries.insert(name.to_string(), entry);
        }
    }

    /// Adds everything in the host folder `path` to the root. Devices, sockets and pipes are left out.
    pub(super) fn add_folder(&mut self, path: &Path) -> Result<(), ImageError> {
        let mut entries = self.read_folder(path)?;
        // The layout makes its own, as every ext4 file system has one.
        entries.remove("lost+found");
        self.root.extend(entries);
        Ok(())
    }

    /// Adds the folders of libraries of a sysroot: `lib…` and `usr/lib…`. Where they are links, to what they lead to.
    pub(super) fn add_libraries(&mut self, sysroot: &Path) -> Result<(), ImageError> {
        let found = self.libraries_in(sysroot)?;
        self.root.extend(found);
        let usr = sysroot.join("usr");
        if usr.is_dir() {
            let found = self.libraries_in(&usr)?;
            self.root.entry("usr".to_string()).or_insert_with(|| Entry::folder(0o755));
            if let Some(Entry { node: Node::Folder(entries), .. }) = self.root.get_mut("usr") {
                entries.extend(found);
            }
        }
        Ok(())
    }

    fn libraries_in(&mut self, folder: &Path) -> Result<BTreeMap<String, Entry>, ImageError> {
        let host = |error| ImageError::Host { action: "read", path: folder.into(), error };
        let mut found = BTreeMap::new();
        for item in std::fs::read_dir(folder).map_err(host)? {
            let path = item.map_err(host)?.path();
            let name = super::file_name(&path)?;
            if name.starts_with("lib") && path.is_dir() {
                let node = Node::Folder(self.read_folder(&path)?);
                found.insert(name, Entry { node, ..Entry::folder(0o755) });
            }
        }
        Ok(found)
    }

    /// Adds the host folder or file `path` to the root, under another name. What cannot be read of a folder, or is a device, a socket or a
    /// pipe, is left out: it is given back.
    pub(super) fn add_as(&mut self, name: &str, path: &Path) -> Result<Vec<ImageError>, ImageError> {
        let host = |error| ImageError::Host { action: "read", path: path.into(), error };
        // Where a link is given, what it leads to is meant.
        let path = &path.canonicalize().map_err(host)?;
        let metadata = std::fs::metadata(path).map_err(host)?;
        if metadata.is_file() {
            File::open(path).map_err(host)?;
        } else if metadata.is_dir() {
            std::fs::read_dir(path).map_err(host)?;
        }
        self.left_out = Some(Vec::new());
        let entry = self.read_entry(path)?.ok_or_else(|| ImageError::Kind(path.into()))?;
        self.root.insert(name.to_string(), entry);
        Ok(self.left_out.take().unwrap_or_default())
    }

    fn read_folder(&mut self, path: &Path) -> Result<BTreeMap<String, Entry>, ImageError> {
        let host = |error| ImageError::Host { action: "read", path: path.into(), error };
        let mut entries = BTreeMap::new();
        for item in std::fs::read_dir(path).map_err(host)? {
            let path = item.map_err(host)?.path();
            let read = super::file_name(&path).and_then(|name| Ok((name, self.read_entry(&path)?)));
            match (read, &mut self.left_out) {
                (Ok((name, Some(entry))), _) => {
                    entries.insert(name, entry);
                }
                (Ok((_, None)), None) => {
                    log::debug!("{} is a device, socket or pipe: left out of the image", path.display());
                }
                (Ok((_, None)), Some(left_out)) => left_out.push(ImageError::Kind(path)),
                (Err(error), Some(left_out)) => left_out.push(error),
                (Err(error), None) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn read_entry(&mut self, path: &Path) -> Result<Option<Entry>, ImageError> {
        let host = |error| ImageError::Host { action: "read", path: path.into(), error };
        let metadata = std::fs::symlink_metadata(path).map_err(host)?;
        let mode = u16::try_from(metadata.mode() & 0o7777).expect("twelve bits");
        let kind = metadata.file_type();
        let node = if kind.is_dir() {
            Node::Folder(self.read_folder(path)?)
        } else if kind.is_symlink() {
            let target = std::fs::read_link(path).map_err(host)?;
            Node::Link(target.to_str().ok_or_else(|| ImageError::Name(path.into()))?.to_string())
        } else if kind.is_file() {
            if self.left_out.is_some() {
                File::open(path).map_err(host)?;
            }
            Node::File(self.content_of(path, &metadata))
        } else {
            return Ok(None);
        };
        Ok(Some(Entry { mode, modified: self.time_of(&metadata), node }))
    }

    fn time_of(&self, metadata: &Metadata) -> Modified {
        /// The last second that the format has.
        const LAST: i64 = (1 << 34) - (1 << 31) - 1;
        match self.left_out {
            Some(_) => {
                (metadata.mtime().clamp(0, LAST), u32::try_from(metadata.mtime_nsec()).unwrap_or_default())
            }
            None => epoch(),
        }
    }

    fn content_of(&mut self, path: &Path, metadata: &Metadata) -> usize {
        let next = self.contents.len();
        let index = if metadata.nlink() > 1 {
            *self.linked.entry((metadata.dev(), metadata.ino())).or_insert(next)
        } else {
            next
        };
        if index == next {
            self.contents.push(Content::host(path, metadata.len()));
        }
        index
    }

    fn file(&mut self, mode: u16, content: Content) -> Entry {
        self.contents.push(content);
        Entry { mode, modified: epoch(), node: Node::File(self.contents.len() - 1) }
    }

    /// What the root holds.
    pub(super) fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.root
    }

    /// The host file that a file's content comes from, if it is one's.
    pub(super) fn host_file(&self, content: usize) -> Option<&Path> {
        self.contents.get(content)?.host_file()
    }

    /// The file system as a disk.
    pub(super) fn lay_out(&self) -> Result<LaidOutDisk, ImageError> {
        let inodes = 64 + count(&self.root);
        let data: u64 = self.contents.iter().map(|c| c.len_bytes.next_multiple_of(BLOCK_BYTES)).sum();
        // Inode tables, a block or two for each folder and each fragmented file, group tables, the journal.
        let metadata = inodes * (256 + 2 * BLOCK_BYTES) + data / 64 + u64::from(JOURNAL_BLOCKS) * BLOCK_BYTES;
        let size = (data + metadata + SLACK_BYTES).next_multiple_of(1 << 20);
        let mut options = Options::new(size, UUID, epoch().0);
        options.inodes = InodeCount::Exact(u32::try_from(inodes).map_err(|_| {
            ImageError::Layout(mkext4::Error::Invalid(
                "more files than an ext4 file system can hold".to_string(),
            ))
        })?);
        options.reserved_percent = 0;
        options.journal_blocks = Some(JOURNAL_BLOCKS);
        options.label = Some("folio".to_string());
        let mut fs = FsBuilder::new(options)?;
        let mut handles = vec![None; self.contents.len()];
        declare(&mut fs, ROOT, &self.root, &self.contents, &mut handles)?;
        let layout = fs.seal()?;
        let mut sink = MetadataSink::default();
        // Emits all metadata at once; file contents are not filled in but mapped.
        drop(layout.writer(&mut sink)?);
        let mut regions = sink.regions;
        for (index, handle) in handles.iter().enumerate() {
            let Some(handle) = *handle else { continue };
            let mut offset = 0;
            for (start, len) in layout.extents(handle) {
                regions.push(Region { start, len, from: From::Content { index, offset } });
                offset += len;
            }
        }
        Ok(LaidOutDisk::new(layout.image_len(), regions, self.contents.clone()))
    }
}

/// When a machine starts.
fn epoch() -> Modified {
    (i64::try_from(RTC_EPOCH_SECONDS).expect("the epoch is in this century"), 0)
}

fn count(folder: &BTreeMap<String, Entry>) -> u64 {
    folder
        .values()
        .map(|entry| if let Node::Folder(inner) = &entry.node { 1 + count(inner) } else { 1 })
        .sum()
}

fn declare(
    fs: &mut FsBuilder,
    parent: InodeHandle,
    folder: &BTreeMap<String, Entry>,
    contents: &[Content],
    handles: &mut [Option<InodeHandle>],
) -> Result<(), ImageError> {
    for (name, entry) in folder {
        let meta = Meta::new(entry.mode, 0, 0, entry.modified);
        match &entry.node {
            Node::Folder(inner) => {
                let handle = fs.mkdir(parent, name, meta)?;
                declare(fs, handle, inner, contents, handles)?;
            }
            Node::Link(target) => {
                fs.symlink(parent, name, target, meta)?;
            }
            &Node::File(index) => match handles[index] {
                Some(first) => fs.hardlink(parent, name, first)?,
                None => handles[index] = Some(fs.file(parent, name, meta, contents[index].len_bytes)?),
            },
        }
    }
    Ok(())
}

/// Keeps the metadata that the layout emits; zeros need no keeping.
#[derive(Default)]
struct MetadataSink {
    regions: Vec<Region>,
}

impl RegionSink for MetadataSink {
    fn data(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.regions.push(Region {
            start: offset,
            len: bytes.len() as u64,
            from: From::Bytes(bytes.to_vec()),
        });
        Ok(())
    }
    fn zeros(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}
