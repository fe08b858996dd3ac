//! Disks over host files: an image file as it is, and a laid-out file system whose file contents stay where they are.

use crate::host::{DiskError, DiskImage};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const SECTOR_BYTES: u64 = 512;

/// An image file, read by block.
pub(super) struct ImageFile {
    file: File,
    file_bytes: u64,
}

impl ImageFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        Ok(Self { file, file_bytes })
    }
}

impl DiskImage for ImageFile {
    /// A disk has whole sectors: a last one that the file only begins is filled up with zeros.
    fn len_bytes(&self) -> u64 {
        self.file_bytes.next_multiple_of(SECTOR_BYTES)
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let left = usize::try_from(self.file_bytes.saturating_sub(offset_bytes)).unwrap_or(usize::MAX);
        let (from_file, past_end) = buffer.split_at_mut(left.min(buffer.len()));
        past_end.fill(0);
        read_at(&mut self.file, offset_bytes, from_file).map_err(|_| DiskError)
    }
}

/// Where the bytes of a file in the image come from.
#[derive(Clone)]
pub(super) struct Content {
    source: Source,
    pub(super) len_bytes: u64,
}

#[derive(Clone)]
enum Source {
    Memory(Cow<'static, [u8]>),
    Host(PathBuf),
}

impl Content {
    pub(super) fn memory(bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let bytes = bytes.into();
        Self { len_bytes: bytes.len() as u64, source: Source::Memory(bytes) }
    }
    pub(super) fn host(path: &Path, len_bytes: u64) -> Self {
        Self { source: Source::Host(path.to_path_buf()), len_bytes }
    }
    pub(super) fn host_file(&self) -> Option<&Path> {
        match &self.source {
            Source::Memory(_) => None,
            Source::Host(path) => Some(path),
        }
    }
}

/// A run of the image's bytes that are not zero.
pub(super) struct Region {
    /// Offset in the image.
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) from: From,
}

pub(super) enum From {
    /// Metadata: these bytes.
    Bytes(Vec<u8>),
    /// The bytes of content number `index` from `offset` on.
    Content { index: usize, offset: u64 },
}

/// A file system whose metadata is in memory and whose file contents are read where they are.
pub(super) struct LaidOutDisk {
    len_bytes: u64,
    /// Sorted by start; disjoint.
    regions: Vec<Region>,
    contents: Vec<Content>,
    /// The host file read last, kept open: reads of one file come in rows.
    open: Option<(usize, File)>,
}

impl LaidOutDisk {
    pub(super) fn new(len_bytes: u64, mut regions: Vec<Region>, contents: Vec<Content>) -> Self {
        regions.sort_by_key(|region| region.start);
        Self { len_bytes, regions, contents, open: None }
    }

    fn read_content(&mut self, index: usize, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        match &self.contents[index].source {
            Source::Memory(bytes) => {
                let start = usize::try_from(offset).map_err(io::Error::other)?;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
            Source::Host(path) => {
                if self.open.as_ref().is_none_or(|&(open, _)| open != index) {
                    self.open = Some((index, File::open(path)?));
                }
                let (_, file) = self.open.as_mut().expect("opened above");
                read_at(file, offset, buffer)
            }
        }
    }
}

impl DiskImage for LaidOutDisk {
    fn len_bytes(&self) -> u64 {
        self.len_bytes
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        buffer.fill(0);
        let end = offset_bytes + buffer.len() as u64;
        let mut at = self.regions.partition_point(|region| region.start + region.len <= offset_bytes);
        while let Some(region) = self.regions.get(at).filter(|region| region.start < end) {
            let (from, to) = (region.start.max(offset_bytes), (region.start + region.len).min(end));
            let into = |n: u64| usize::try_from(n - offset_bytes).map_err(|_| DiskError);
            let part = &mut buffer[into(from)?..into(to)?];
            let skipped = from - region.start;
            match &region.from {
                From::Bytes(bytes) => {
                    let start = usize::try_from(skipped).map_err(|_| DiskError)?;
                    part.copy_from_slice(&bytes[start..start + part.len()]);
                }
                &From::Content { index, offset } => {
                    self.read_content(index, offset + skipped, part).map_err(|_| DiskError)?;
                }
            }
            at += 1;
        }
        Ok(())
    }
}

/// Several images on one disk, one behind the other.
#[derive(Default)]
pub struct JoinedDisk {
    /// Each with the place where it begins.
    images: Vec<(u64, Box<dyn DiskImage>)>,
    len_bytes: u64,
}

impl JoinedDisk {
    /// Adds an image; gives the place where it begins.
    pub fn add(&mut self, image: Box<dyn DiskImage>) -> u64 {
        let start = self.len_bytes;
        self.len_bytes = (start + image.len_bytes()).next_multiple_of(SECTOR_BYTES);
        self.images.push((start, image));
        start
    }
}

impl DiskImage for JoinedDisk {
    fn len_bytes(&self) -> u64 {
        self.len_bytes
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        buffer.fill(0);
        let end = offset_bytes + buffer.len() as u64;
        for (start, image) in &mut self.images {
            let (from, to) = ((*start).max(offset_bytes), (*start + image.len_bytes()).min(end));
            if from < to {
                let place = |at: u64| usize::try_from(at - offset_bytes).map_err(|_| DiskError);
                image.read(from - *start, &mut buffer[place(from)?..place(to)?])?;
            }
        }
        Ok(())
    }
}

fn read_at(file: &mut File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}
