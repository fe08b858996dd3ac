//! Root images: the ext4 file system on the machine's first disk.
//!
//! A [`RootImage`] is a small root around one program, a host folder as it is, or an image file that exists. The
//! first two are laid out by crate mkext4, deterministically: fixed identifiers and times, entries in the order of
//! their names, owner 0. Only metadata is held in memory; file contents are read from the host when the guest
//! asks for them, so a large folder costs nothing until it is touched.
//!
//! This module uses the host's file system and is part of the command (feature `cli`), not of the portable core.

mod bind;
mod builder;
mod disk;
mod files;
#[cfg(test)]
mod readback_tests;

pub use bind::{BindImage, Known, KnownFile, KnownFiles};
pub use disk::JoinedDisk;
pub use files::ImageFiles;

use crate::host::{DiskError, DiskImage};
use builder::TreeBuilder;
use disk::ImageFile;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where `s_magic` lies in an ext4 image: the guest would stop at a disk without it, but this can be said earlier.
const SUPERBLOCK_MAGIC_AT: usize = 1024 + 0x38;

/// What is wanted instead of a folder.
const WANTED_PROGRAM: &str =
    "a program is wanted (`folio run --root FOLDER PROGRAM` runs one that lies in it)";
const WANTED_IMAGE: &str = "an image file is wanted";

/// Why a root image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The host refused a file.
    #[error("cannot {action} {}: {}{error}", path.display(), errno_name(error))]
    Host {
        /// What was tried: "read", "write", …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The host's answer.
        error: std::io::Error,
    },
    /// A name or link target that ext4 images of this builder cannot hold.
    #[error("{}: the name is not UTF-8; rename it, or make the image with mke2fs -d and pass that", .0.display())]
    Name(PathBuf),
    /// A device was given as the program.
    #[error("cannot execute {}: EACCES: not a regular file", .0.display())]
    NotProgram(PathBuf),
    /// A folder was given where something else is wanted.
    #[error("{}: EACCES: it is a folder; {wanted}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What is wanted, and how it is had.
        wanted: &'static str,
    },
    /// Something that is neither a folder nor a regular file was given as the source.
    #[error("{}: neither a folder nor a regular file", .0.display())]
    Kind(PathBuf),
    /// An image file of some other kind was given as the root.
    #[error("{}: no ext4 file system; make one with `folio image` or `mke2fs -t ext4 -b 4096 -d FOLDER`", .0.display())]
    NotExt4(PathBuf),
    /// The layout failed.
    #[error("cannot lay out the file system: {0}")]
    Layout(#[from] mkext4::Error),
}

/// A root file system for the machine's first disk.
pub struct RootImage {
    disk: Box<dyn DiskImage>,
}

impl RootImage {
    /// A small root with the host file `path` as the program [`program_path`] of its name, and with the libraries of `sysroot`.
    pub fn from_program(path: &Path, sysroot: Option<&Path>) -> Result<Self, ImageError> {
        let metadata = std::fs::metadata(path).map_err(|error| ImageError::Host {
            action: "read",
            path: path.into(),
            error,
        })?;
        if metadata.is_dir() {
            return Err(ImageError::Folder { path: path.into(), wanted: WANTED_PROGRAM });
        }
        if !metadata.is_file() {
            return Err(ImageError::NotProgram(path.into()));
        }
        // An unreadable program is the user's mistake: say so before the machine starts.
        File::open(path).map_err(|error| ImageError::Host { action: "read", path: path.into(), error })?;
        let mut tree = TreeBuilder::with_skeleton();
        tree.add_program(&file_name(path)?, disk::Content::host(path, metadata.len()));
        if let Some(sysroot) = sysroot {
            tree.add_libraries(sysroot)?;
        }
        Ok(Self { disk: Box::new(tree.lay_out()?) })
    }

    /// A small root without a program, with the libraries of `sysroot`.
    pub fn without_program(sysroot: Option<&Path>) -> Result<Self, ImageError> {
        let mut tree = TreeBuilder::with_skeleton();
        if let Some(sysroot) = sysroot {
            tree.add_libraries(sysroot)?;
        }
        Ok(Self { disk: Box::new(tree.lay_out()?) })
    }

    /// A small root with `contents` as the program [`program_path`]`(name)`. What is static is not copied.
    pub fn from_bytes(name: &str, contents: impl Into<Cow<'static, [u8]>>) -> Result<Self, ImageError> {
        let mut tree = TreeBuilder::with_skeleton();
        tree.add_program(name, disk::Content::memory(contents));
        Ok(Self { disk: Box::new(tree.lay_out()?) })
    }

    /// The host folder `path` as the root. Missing mount points (`/dev`, `/proc`, `/tmp`) are added.
    pub fn from_folder(path: &Path) -> Result<Self, ImageError> {
        let mut tree = TreeBuilder::default();
        tree.add_folder(path)?;
        tree.add_mount_points();
        Ok(Self { disk: Box::new(tree.lay_out()?) })
    }

    /// An image file, opened read-only and read by block.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let host = |error| ImageError::Host { action: "read", path: path.into(), error };
        let metadata = std::fs::metadata(path).map_err(host)?;
        if metadata.is_dir() {
            return Err(ImageError::Folder { path: path.into(), wanted: WANTED_IMAGE });
        }
        if !metadata.is_file() {
            return Err(ImageError::Kind(path.into()));
        }
        let file = ImageFile::open(path).map_err(host)?;
        Ok(Self { disk: Box::new(file) })
    }

    /// A folder, or a file that holds an ext4 file system, whichever `path` is.
    pub fn open_root(path: &Path) -> Result<Self, ImageError> {
        if path.is_dir() {
            return Self::from_folder(path);
        }
        let mut image = Self::open(path)?;
        let mut start = [0; SUPERBLOCK_MAGIC_AT + 2];
        let is_long = image.disk.len_bytes() >= start.len() as u64;
        if !is_long || image.disk.read(0, &mut start).is_err() || start[SUPERBLOCK_MAGIC_AT..] != [0x53, 0xef]
        {
            return Err(ImageError::NotExt4(path.into()));
        }
        Ok(image)
    }

    /// The image as a disk for the machine.
    pub fn into_disk(self) -> Box<dyn DiskImage> {
        self.disk
    }

    /// Writes the whole image to `path`, with holes where it is zero.
    pub fn write_to(mut self, path: &Path) -> Result<(), ImageError> {
        let write = |error| ImageError::Host { action: "write", path: path.into(), error };
        let file = File::create(path).map_err(write)?;
        file.set_len(self.disk.len_bytes()).map_err(write)?;
        let mut out = BufWriter::new(file);
        let mut chunk = vec![0; 1 << 20];
        let mut at = 0;
        while at < self.disk.len_bytes() {
            let len =
                usize::try_from(self.disk.len_bytes() - at).map_or(chunk.len(), |left| left.min(chunk.len()));
            let part = &mut chunk[..len];
            self.disk.read(at, part).map_err(|DiskError| {
                write(std::io::Error::other("a file of the source could not be read, or has changed since"))
            })?;
            if part.iter().all(|&b| b == 0) {
                use std::io::Seek;
                out.seek_relative(i64::try_from(len).expect("a chunk is 1 MiB")).map_err(write)?;
            } else {
                out.write_all(part).map_err(write)?;
            }
            at += len as u64;
        }
        out.flush().map_err(write)
    }
}

/// The errors that paths give, by their names; the host's own words follow.
fn errno_name(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "ENOENT: ",
        std::io::ErrorKind::PermissionDenied => "EACCES: ",
        std::io::ErrorKind::NotADirectory => "ENOTDIR: ",
        std::io::ErrorKind::IsADirectory => "EISDIR: ",
        _ => "",
    }
}

/// Where [`RootImage::from_program`] puts the program called `name`.
pub fn program_path(name: &str) -> String {
    format!("/bin/{name}")
}

/// The last component of `path`, which names the program inside the image.
pub fn file_name(path: &Path) -> Result<String, ImageError> {
    // Only folders are named like this: `.`, `/`, `a/..`.
    let folder = || ImageError::Folder { path: path.into(), wanted: WANTED_PROGRAM };
    let name = path.file_name().ok_or_else(folder)?;
    name.to_str().map(str::to_string).ok_or_else(|| ImageError::Name(path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(image: RootImage) -> Vec<u8> {
        let mut disk = image.into_disk();
        let mut bytes = vec![0; usize::try_from(disk.len_bytes()).unwrap()];
        disk.read(0, &mut bytes).unwrap();
        bytes
    }

    fn read_file(image: &[u8], path: &str) -> Vec<u8> {
        let fs = mkext4::reader::Fs::open(image).unwrap();
        fs.read_file(fs.resolve(path).unwrap()).unwrap()
    }

    #[test]
    fn a_program_s_image_holds_it_and_is_the_same_every_time() {
        let program: Vec<u8> = (0..10_000u32).flat_map(u32::to_le_bytes).collect();
        let image = read_all(RootImage::from_bytes("prog", program.clone()).unwrap());
        assert_eq!(read_file(&image, "/bin/prog"), program);
        assert!(read_file(&image, "/etc/passwd").starts_with(b"root:"));
        assert_eq!(image, read_all(RootImage::from_bytes("prog", program).unwrap()));
    }

    #[test]
    fn a_folder_s_image_holds_files_links_and_modes() {
        let dir = std::env::temp_dir().join(format!("folio-image-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("a/b")).unwrap();
        std::fs::write(dir.join("a/b/text"), "some text").unwrap();
        std::fs::write(dir.join("empty"), "").unwrap();
        std::os::unix::fs::symlink("a/b/text", dir.join("link")).unwrap();
        std::fs::hard_link(dir.join("a/b/text"), dir.join("twin")).unwrap();
        let image = read_all(RootImage::from_folder(&dir).unwrap());
        let fs = mkext4::reader::Fs::open(&image[..]).unwrap();
        for path in ["/a/b/text", "/twin"] {
            assert_eq!(fs.read_file(fs.resolve(path).unwrap()).unwrap(), b"some text", "{path}");
        }
        assert_eq!(fs.symlink_target(fs.resolve("/link").unwrap()).unwrap(), b"a/b/text");
        assert_eq!(read_file(&image, "/empty"), b"");
        for mount_point in ["/dev", "/proc", "/tmp"] {
            fs.resolve(mount_point).unwrap();
        }
        // Written to a file and opened again, it is the same disk.
        let file = dir.join("out.img");
        RootImage::from_folder(&dir.join("a")).unwrap().write_to(&file).unwrap();
        assert_eq!(
            read_all(RootImage::open(&file).unwrap()),
            read_all(RootImage::from_folder(&dir.join("a")).unwrap())
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = RootImage::from_program(Path::new("/nowhere/prog"), None).err().unwrap();
        assert!(error.to_string().contains("/nowhere/prog"), "{error}");
        assert!(matches!(RootImage::from_program(Path::new("/"), None), Err(ImageError::Folder { .. })));
    }
}
