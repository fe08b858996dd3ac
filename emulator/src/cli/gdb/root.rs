//! The guest's root as gdb sees it: a folder of the host's, or files by their paths.

use emulator::gdb::{FileError, GuestRoot};
use emulator::source::ProgramFiles;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Symbolic links that a path may go through.
const MAX_LINKS: usize = 40;

/// Files by their paths, where there is no folder to look into.
pub struct FilesOnly(pub ProgramFiles);

impl GuestRoot for FilesOnly {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        (self.0)(path).ok_or(FileError::NotFound)
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        match (self.0)(path) {
            Some(_) => Err(FileError::NotLink),
            None => Err(FileError::NotFound),
        }
    }
}

/// A folder that is the guest's root: paths and links stay in it, as they do for the guest.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(root: &Path) -> Self {
        Self(root.to_path_buf())
    }

    /// The file of the host that a path of the guest's means; the last link is followed or not.
    fn find(&self, path: &str, follows_last: bool) -> Result<PathBuf, FileError> {
        let mut rest: VecDeque<OsString> = parts(Path::new(path));
        let mut inside = Vec::<OsString>::new();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                inside.pop();
                continue;
            }
            inside.push(name);
            let found = self.0.join(inside.iter().collect::<PathBuf>());
            let is_last = rest.is_empty() && !follows_last;
            match std::fs::read_link(&found) {
                Ok(target) if !is_last => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(FileError::NotFound);
                    }
                    inside.pop();
                    if target.is_absolute() {
                        inside.clear();
                    }
                    for part in parts(&target).into_iter().rev() {
                        rest.push_front(part);
                    }
                }
                _ => {}
            }
        }
        Ok(self.0.join(inside.iter().collect::<PathBuf>()))
    }
}

/// The names that a path goes through, `..` among them.
fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

fn why(error: &std::io::Error) -> FileError {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => FileError::NotFound,
        std::io::ErrorKind::IsADirectory => FileError::IsFolder,
        std::io::ErrorKind::InvalidInput => FileError::NotLink,
        _ => FileError::Unreadable,
    }
}

impl GuestRoot for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let found = self.find(path, true)?;
        let kind = std::fs::metadata(&found).map_err(|error| why(&error))?;
        // A pipe or a device would keep the reader.
        match (kind.is_file(), kind.is_dir()) {
            (true, _) => std::fs::read(&found).map_err(|error| why(&error)),
            (_, true) => Err(FileError::IsFolder),
            _ => Err(FileError::Unreadable),
        }
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        let target = std::fs::read_link(self.find(path, false)?).map_err(|error| why(&error))?;
        target.into_os_string().into_string().map_err(|_| FileError::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links lead inside the root, wherever they would lead on the host.
    #[test]
    fn paths_and_links_stay_in_the_root() {
        let outside = std::env::temp_dir().join(format!("folio-gdb-root-{}", std::process::id()));
        let root = outside.join("root");
        let _ = std::fs::remove_dir_all(&outside);
        std::fs::create_dir_all(root.join("usr/lib")).unwrap();
        std::fs::write(outside.join("secret"), "no").unwrap();
        std::fs::write(root.join("usr/lib/libc"), "yes").unwrap();
        for (link, target) in [
            ("lib", "/usr/lib"),
            ("usr/lib/again", "../lib/libc"),
            ("up", "../../secret"),
            ("away", "/../secret"),
            ("round", "round"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        let folder = Folder::new(&root);
        for (path, found) in [
            ("/usr/lib/libc", Ok(b"yes".to_vec())),
            ("/lib/libc", Ok(b"yes".to_vec())),
            ("/lib/again", Ok(b"yes".to_vec())),
            ("/../../lib/./libc", Ok(b"yes".to_vec())),
            ("/up", Err(FileError::NotFound)),
            ("/away", Err(FileError::NotFound)),
            ("/../secret", Err(FileError::NotFound)),
            ("/round", Err(FileError::NotFound)),
            ("/usr", Err(FileError::IsFolder)),
            ("/none/x", Err(FileError::NotFound)),
        ] {
            assert_eq!(folder.read(path), found, "{path}");
        }
        assert_eq!(folder.read_link("/lib").as_deref(), Ok("/usr/lib"));
        assert_eq!(folder.read_link("/usr"), Err(FileError::NotLink));
        std::fs::remove_dir_all(&outside).unwrap();
    }
}
