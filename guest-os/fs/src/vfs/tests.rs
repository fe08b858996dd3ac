//! The whole tree: path resolution, open flags, tmpfs, devices and /proc, as system calls meet them.
#![allow(clippy::cast_possible_truncation)] // the tests run on 64-bit hosts, with small numbers

mod mounts;
mod root;

use super::*;
use crate::tests::{HostFiles, MemoryDevice, OPENED, Processes, Random, Scratch, mke2fs};
use crate::{OpenFiles, Whence};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::{format, vec};
use core::sync::atomic::{AtomicU64, Ordering};
use std::fs;
use std::os::unix::fs::symlink;

const PAGES: usize = 64;

struct World {
    vfs: Vfs,
    pages: Arc<AtomicU64>,
}

/// A root with /bin -> usr/bin, /usr/bin/sh, /etc/passwd, some links, and a /tmp with a file that the mount hides.
fn world() -> World {
    let tree = Scratch::new("vfs");
    let root = &tree.0;
    for dir in ["usr/bin", "etc", "tmp", "loop"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(root.join("usr/bin/sh"), "shell").unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
    fs::write(root.join("tmp/hidden"), "").unwrap();
    for (link, target) in [
        ("bin", "usr/bin"),
        ("loop/a", "b"),
        ("loop/b", "a"),
        ("absolute", "/etc/passwd"),
        ("dangling", "/tmp/nowhere"),
        ("up", "usr/bin/../../etc"),
        ("loop/0", "/etc"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    for i in 1..=40 {
        symlink(format!("{}", i - 1), root.join(format!("loop/{i}"))).unwrap();
    }
    let image = mke2fs(root, "2M", &["-t", "ext4", "-b", "4096"]);
    let (device, _) = MemoryDevice::boxed(Arc::new(image));
    let (pages, in_use) = HostFiles::new(PAGES as u64);
    let vfs = Vfs::new(Ext4::mount(device).unwrap(), Box::new(pages), Box::new(Processes));
    World { vfs, pages: in_use }
}

impl World {
    fn at(&mut self, path: &str) -> Location {
        let root = self.vfs.root();
        self.vfs.resolve(&root, path.as_bytes(), LastLink::Follow).unwrap()
    }
    fn resolve(&mut self, cwd: &str, path: &str, last: LastLink) -> Result<String, Errno> {
        let cwd = self.at(cwd);
        let found = self.vfs.resolve(&cwd, path.as_bytes(), last)?;
        Ok(String::from_utf8(found.path.to_vec()).unwrap())
    }
    fn open(&mut self, path: &str, flags: OpenFlags) -> Result<OpenFile, Errno> {
        let root = self.vfs.root();
        match self.vfs.open(&root, path.as_bytes(), flags, 0o644)? {
            Opened::New(file) => Ok(file),
            Opened::SameAs(_) | Opened::Fifo(_) => Err(Errno::EBADF),
        }
    }
    fn write(&mut self, path: &str, text: &str) -> Result<(), Errno> {
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC;
        let inode = self.open(path, flags)?.inode().unwrap().clone();
        assert_eq!(self.vfs.write_at(&inode, 0, text.as_bytes())?, text.len());
        Ok(())
    }
    fn read(&mut self, path: &str) -> Result<String, Errno> {
        let mut file = self.open(path, OpenFlags::empty())?;
        let mut bytes = vec![0; 10_000];
        let count = match &file.object {
            Object::Memory(inode) => self.vfs.read_at(&inode.clone(), 0, &mut bytes)?,
            Object::Text(_) => self.vfs.read_text(&mut file, &mut bytes)?,
            other => panic!("{other:?} is not read here"),
        };
        bytes.truncate(count);
        Ok(String::from_utf8(bytes).unwrap())
    }
    fn list(&mut self, path: &str) -> Vec<String> {
        let mut file = self.open(path, OpenFlags::DIRECTORY).unwrap();
        let mut names = Vec::new();
        loop {
            // A small buffer, so that each call ends in the middle.
            let mut buffer = [0; 80];
            let mut writer = DirentWriter::new(&mut buffer);
            self.vfs.read_dir(&mut file, &mut writer).unwrap();
            let len = writer.finish().unwrap();
            let bytes = &buffer[..len];
            if bytes.is_empty() {
                return names;
            }
            let mut at = 0;
            while at < bytes.len() {
                let len = usize::from(u16::from_le_bytes([bytes[at + 16], bytes[at + 17]]));
                let name = bytes[at + 19..at + len].split(|&byte| byte == 0).next().unwrap();
                names.push(String::from_utf8(name.to_vec()).unwrap());
                at += len;
            }
        }
    }
}

#[test]
fn paths_resolve_as_on_linux() {
    use LastLink::{Follow, Keep};
    let mut world = world();
    let long = "x".repeat(256);
    for (cwd, path, last, expected) in [
        ("/", "/usr/bin/sh", Follow, Ok("/usr/bin/sh")),
        ("/", "bin/sh", Follow, Ok("/usr/bin/sh")),
        ("/usr", "bin/sh", Follow, Ok("/usr/bin/sh")),
        ("/usr/bin", "../../etc//passwd", Follow, Ok("/etc/passwd")),
        ("/usr/bin", "..", Follow, Ok("/usr")),
        ("/", "../../..", Follow, Ok("/")),
        ("/", "//", Follow, Ok("/")),
        ("/", ".", Follow, Ok("/")),
        ("/", "bin", Keep, Ok("/bin")),
        ("/", "bin", Follow, Ok("/usr/bin")),
        ("/", "bin/", Keep, Ok("/usr/bin")),
        ("/", "bin/.", Keep, Ok("/usr/bin")),
        ("/", "up/passwd", Follow, Ok("/etc/passwd")),
        ("/tmp", "/absolute", Follow, Ok("/etc/passwd")),
        ("/", "", Follow, Err(Errno::ENOENT)),
        ("/", "nothing", Follow, Err(Errno::ENOENT)),
        ("/", "nothing/sh", Follow, Err(Errno::ENOENT)),
        ("/", "dangling", Follow, Err(Errno::ENOENT)),
        ("/", "dangling", Keep, Ok("/dangling")),
        ("/", "etc/passwd/", Follow, Err(Errno::ENOTDIR)),
        ("/", "etc/passwd/x", Follow, Err(Errno::ENOTDIR)),
        ("/", "etc/passwd/..", Follow, Err(Errno::ENOTDIR)),
        ("/", "absolute/", Keep, Err(Errno::ENOTDIR)),
        ("/", "loop/a", Follow, Err(Errno::ELOOP)),
        ("/", "loop/a", Keep, Ok("/loop/a")),
        ("/", "loop/39", Follow, Ok("/etc")),
        ("/", "loop/40", Follow, Err(Errno::ELOOP)),
        ("/", &long, Follow, Err(Errno::ENAMETOOLONG)),
        ("/", "tmp/hidden", Follow, Err(Errno::ENOENT)),
        ("/tmp", "..", Follow, Ok("/")),
        ("/dev/shm", "../../etc", Follow, Ok("/etc")),
        ("/", "dev/null", Follow, Ok("/dev/null")),
        ("/", "proc/self/exe", Keep, Ok("/proc/7/exe")),
        ("/", "proc/self/exe", Follow, Ok("/usr/bin/sh")),
        ("/", "proc/self/cwd/..", Follow, Ok("/")),
        ("/", "proc/self/fd/0", Follow, Err(Errno::ENOENT)),
        ("/", "proc/self/fd/3", Follow, Err(Errno::ENOENT)),
        ("/", "proc/self/fd/3", Keep, Ok("/proc/7/fd/3")),
        ("/", "proc/self/fd/4", Keep, Err(Errno::ENOENT)),
        ("/", "proc/1/fd/../../7/../sys/kernel", Follow, Ok("/proc/sys/kernel")),
        ("/", "proc/8", Follow, Err(Errno::ENOENT)),
        ("/", "proc/self/exe/x", Follow, Err(Errno::ENOTDIR)),
    ] {
        assert_eq!(world.resolve(cwd, path, last).as_deref(), expected.as_deref(), "{path} from {cwd}");
    }
    let too_long = "a/".repeat(2048);
    assert_eq!(world.resolve("/", &too_long, Follow), Err(Errno::ENAMETOOLONG));
}

#[test]
fn open_flags_mean_what_they_mean_on_linux() {
    const READ: OpenFlags = OpenFlags::empty();
    const WRITE: OpenFlags = OpenFlags::WRONLY;
    const CREATE: OpenFlags = OpenFlags::CREAT.union(OpenFlags::WRONLY);
    let mut world = world();
    world.write("/tmp/file", "text").unwrap();
    let root = world.vfs.root();
    world.vfs.symlink(b"file", &root, b"/tmp/link").unwrap();
    world.vfs.symlink(b"made", &root, b"/tmp/to-be-made").unwrap();
    for (path, flags, expected) in [
        ("/etc/passwd", READ, None),
        ("/etc/passwd", WRITE, None),
        ("/etc/passwd", OpenFlags::TRUNC, None),
        ("/etc/new", CREATE, None),
        ("/etc/passwd", CREATE | OpenFlags::EXCL, Some(Errno::EEXIST)),
        ("/etc", READ, None),
        ("/etc", WRITE, Some(Errno::EISDIR)),
        ("/etc", OpenFlags::CREAT, Some(Errno::EISDIR)),
        ("/etc/passwd", OpenFlags::DIRECTORY, Some(Errno::ENOTDIR)),
        ("/tmp/link", OpenFlags::NOFOLLOW, Some(Errno::ELOOP)),
        ("/tmp/link", OpenFlags::NOFOLLOW | OpenFlags::PATH, None),
        ("/tmp/link", CREATE | OpenFlags::EXCL, Some(Errno::EEXIST)),
        ("/tmp/to-be-made", CREATE | OpenFlags::EXCL, Some(Errno::EEXIST)),
        ("/tmp/to-be-made", READ, Some(Errno::ENOENT)),
        ("/tmp/to-be-made", CREATE, None),
        ("/tmp/made", READ, None),
        ("/tmp/dir/", CREATE, Some(Errno::EISDIR)),
        ("/tmp/no/file", CREATE, Some(Errno::ENOENT)),
        ("/tmp", OpenFlags::TMPFILE | OpenFlags::RDWR, None),
        ("/tmp", OpenFlags::TMPFILE, Some(Errno::EINVAL)),
        ("/proc", OpenFlags::TMPFILE | OpenFlags::RDWR, Some(Errno::EOPNOTSUPP)),
        ("/etc/passwd", OpenFlags::TMPFILE | OpenFlags::RDWR, Some(Errno::ENOTDIR)),
        ("/tmp/x", CREATE | OpenFlags::DIRECTORY, Some(Errno::EINVAL)),
        ("/dev/zero", OpenFlags::RDWR, None),
        ("/dev/new", CREATE, Some(Errno::EPERM)),
        ("/proc/meminfo", WRITE, Some(Errno::EACCES)),
        ("/proc/1/comm", WRITE, None),
        ("/proc/7/status", WRITE, Some(Errno::EACCES)),
    ] {
        assert_eq!(world.open(path, flags).err(), expected, "{path} {flags:?}");
    }
    assert_eq!(world.read("/tmp/file").unwrap(), "text");
    world.open("/tmp/link", OpenFlags::WRONLY | OpenFlags::TRUNC).unwrap();
    assert_eq!(world.read("/tmp/file").unwrap(), "");
    let opened = world.vfs.open(&root, b"/dev/stdin", READ, 0).unwrap();
    assert!(matches!(opened, Opened::SameAs(0)));
    assert!(matches!(world.vfs.open(&root, b"/dev/fd/3", READ, 0), Ok(Opened::SameAs(3))));
}

#[test]
fn a_descriptor_of_ones_own_leads_to_its_file() {
    let mut world = world();
    world.write("/tmp/file", "text").unwrap();
    let first = world.open("/tmp/file", OpenFlags::RDWR).unwrap();
    let root = world.vfs.root();
    world.vfs.unlink(&root, b"/tmp/file").unwrap();
    let location = first.location.clone().unwrap();
    assert_eq!(location.name().unwrap(), b"/tmp/file (deleted)");
    OPENED.set(Some(location.clone()));
    // A new open file, with an access mode of its own; another file of that name is another file.
    world.write("/tmp/file", "other").unwrap();
    let again = world.open("/proc/self/fd/3", OpenFlags::empty()).unwrap();
    assert_eq!((again.inode(), again.flags), (first.inode(), OpenFlags::empty()));
    assert_eq!(world.at("/dev/fd/3").inode, location.inode);
    assert_eq!(world.open("/proc/self/fd/3/", OpenFlags::empty()).err(), Some(Errno::ENOTDIR));
    world.open("/proc/self/fd/3", OpenFlags::WRONLY | OpenFlags::TRUNC).unwrap();
    assert_eq!(world.vfs.stat(&location.inode).unwrap().size, 0);
    assert_eq!(world.read("/tmp/file").unwrap(), "other");
    OPENED.set(None);
}

#[test]
fn data_and_holes_are_found() {
    let mut world = world();
    world.write("/tmp/file", "text").unwrap();
    let inode = world.at("/tmp/file").inode;
    world.vfs.truncate(&inode, 5 * PAGE_SIZE + 1).unwrap();
    world.vfs.fill_holes(&inode, 2..4).unwrap();
    let page = PAGE_SIZE;
    for (offset, data, hole) in [
        (0, Ok(0), Ok(page)),
        (7, Ok(7), Ok(page)),
        (page, Ok(2 * page), Ok(page)),
        (2 * page + 9, Ok(2 * page + 9), Ok(4 * page)),
        (4 * page, Err(Errno::ENXIO), Ok(4 * page)),
        (5 * page + 1, Err(Errno::ENXIO), Err(Errno::ENXIO)),
    ] {
        assert_eq!(world.vfs.seek_extent(&inode, offset, false), data, "{offset}");
        assert_eq!(world.vfs.seek_extent(&inode, offset, true), hole, "{offset}");
    }
    world.vfs.fill_holes(&inode, 4..6).unwrap();
    assert_eq!(world.vfs.seek_extent(&inode, 2 * page, true), Ok(5 * page + 1));
    world.vfs.punch_hole(&inode, 1..3).unwrap();
    assert_eq!(world.read("/tmp/file").unwrap()[..4], *"t\0\0t");
    world.vfs.punch_hole(&inode, 2 * PAGE_SIZE - 1..4 * PAGE_SIZE + 1).unwrap();
    assert_eq!(world.vfs.seek_extent(&inode, 2 * page, false), Ok(4 * page));
}

#[test]
fn a_disk_file_has_its_attributes_and_its_pages() {
    let mut world = world();
    let file = world.open("/bin/sh", OpenFlags::empty()).unwrap();
    let Object::Disk(inode) = &file.object else { panic!("not on disk") };
    let stat = world.vfs.stat_open(&file).unwrap();
    assert_eq!((stat.size, stat.mode & 0o170_000, stat.file_type()), (5, 0o100_000, FileType::Regular));
    let source = world.vfs.page_source(inode.id(), 0).unwrap();
    assert_eq!(source.ranges().count(), 1);
    assert!(matches!(source, PageSource::Device { valid_bytes: 5, .. }));
    assert_eq!(world.vfs.check(inode, 2), Ok(()));
    assert_eq!(world.vfs.check(inode, 1), Err(Errno::EACCES));
    let tmp = world.at("/tmp").inode;
    assert_ne!(world.vfs.stat(&tmp).unwrap().dev, stat.dev);
    assert_eq!(world.vfs.stat(&tmp).unwrap().mode, 0o041_777);
    assert_eq!(world.vfs.statfs(inode).unwrap().magic, 0xef53);
}

#[test]
fn directories_list_every_name_once() {
    let mut world = world();
    let root = world.list("/");
    for name in [".", "..", "bin", "etc", "usr", "tmp", "dev", "proc"] {
        assert_eq!(root.iter().filter(|&known| known == name).count(), 1, "{name} in {root:?}");
    }
    for i in 0..20 {
        world.write(&format!("/tmp/{i}"), "").unwrap();
    }
    assert_eq!(world.list("/tmp").len(), 22);
    assert_eq!(world.list("/dev").iter().filter(|&name| name == "shm").count(), 1);
    assert!(
        ["null", "urandom", "stdin"].iter().all(|name| world.list("/dev").contains(&String::from(*name)))
    );
    assert_eq!(world.list("/dev/shm"), [".", ".."]);
    assert_eq!(world.list("/proc/self/fd"), [".", "..", "0", "3"]);
    assert_eq!(world.list("/proc/self/task"), [".", "..", "7", "9"]);
    assert_eq!(world.list("/proc/self/task/9"), [".", "..", "comm", "stat", "status"]);
    let proc = world.list("/proc");
    assert!(["1", "7", "self", "meminfo", "sys"].iter().all(|name| proc.contains(&String::from(*name))));
    assert!(!proc.contains(&String::new()));
}

#[test]
fn removing_while_reading_skips_nothing_that_stays() {
    let mut world = world();
    for i in 0..10 {
        world.write(&format!("/tmp/{i}"), "").unwrap();
    }
    let root = world.vfs.root();
    let mut dir = world.open("/tmp", OpenFlags::DIRECTORY).unwrap();
    let mut seen = 0;
    loop {
        let mut bytes = [0; 24];
        let mut writer = DirentWriter::new(&mut bytes);
        world.vfs.read_dir(&mut dir, &mut writer).unwrap();
        if writer.finish().unwrap() == 0 {
            break;
        }
        if bytes[19] != b'.' {
            seen += 1;
            world.vfs.unlink(&root, format!("/tmp/{}", char::from(bytes[19])).as_bytes()).unwrap();
        }
    }
    assert_eq!((seen, world.list("/tmp").len()), (10, 2));
}

#[test]
fn names_in_tmpfs_follow_posix() {
    let mut world = world();
    let root = world.vfs.root();
    let vfs = &mut world.vfs;
    vfs.mkdir(&root, b"/tmp/d/", 0o755).unwrap();
    vfs.mkdir(&root, b"/tmp/d/e", 0o755).unwrap();
    world.write("/tmp/f", "one").unwrap();
    world.write("/tmp/g", "two").unwrap();
    let vfs = &mut world.vfs;
    for (result, expected) in [
        (vfs.mkdir(&root, b"/tmp/d", 0), Err(Errno::EEXIST)),
        (vfs.mkdir(&root, b"/dev/d", 0), Err(Errno::EPERM)),
        (vfs.mkdir(&root, b"/tmp/..", 0), Err(Errno::EEXIST)),
        (vfs.rmdir(&root, b"/tmp/d"), Err(Errno::ENOTEMPTY)),
        (vfs.rmdir(&root, b"/tmp/f"), Err(Errno::ENOTDIR)),
        (vfs.rmdir(&root, b"/tmp/d/."), Err(Errno::EINVAL)),
        (vfs.rmdir(&root, b"/tmp"), Err(Errno::EBUSY)),
        (vfs.rmdir(&root, b"/etc"), Err(Errno::ENOTEMPTY)),
        (vfs.unlink(&root, b"/tmp/d"), Err(Errno::EISDIR)),
        (vfs.unlink(&root, b"/tmp/f/"), Err(Errno::ENOTDIR)),
        (vfs.unlink(&root, b"/tmp/no"), Err(Errno::ENOENT)),
        (vfs.unlink(&root, b"/dev/null"), Err(Errno::EPERM)),
        (vfs.rename(&root, b"/tmp/d", &root, b"/tmp/d/e/x", RenameAs::Any), Err(Errno::EINVAL)),
        (vfs.rename(&root, b"/tmp/f", &root, b"/tmp/d", RenameAs::Any), Err(Errno::EISDIR)),
        (vfs.rename(&root, b"/tmp/d", &root, b"/tmp/f", RenameAs::Any), Err(Errno::ENOTDIR)),
        (vfs.rename(&root, b"/tmp/f", &root, b"/tmp/g", RenameAs::New), Err(Errno::EEXIST)),
        (vfs.rename(&root, b"/tmp/f", &root, b"/etc/f", RenameAs::Any), Err(Errno::EXDEV)),
        (vfs.rename(&root, b"/tmp/no", &root, b"/tmp/x", RenameAs::Any), Err(Errno::ENOENT)),
        (vfs.rename(&root, b"/tmp/f", &root, b"/tmp/g", RenameAs::Any), Ok(())),
        (vfs.rename(&root, b"/tmp/d/e", &root, b"/tmp/e", RenameAs::Any), Ok(())),
        (vfs.rename(&root, b"/tmp/e", &root, b"/tmp/d", RenameAs::Any), Ok(())),
        (vfs.symlink(b"", &root, b"/tmp/l"), Err(Errno::ENOENT)),
        (vfs.symlink(b"g", &root, b"/tmp/l"), Ok(())),
    ] {
        assert_eq!(result, expected);
    }
    assert_eq!(world.read("/tmp/l").unwrap(), "one");
    assert_eq!(world.read("/tmp/f"), Err(Errno::ENOENT));
    assert_eq!(world.list("/tmp"), [".", "..", "l", "d", "g"]);
    let tmp = world.at("/tmp").inode;
    assert_eq!(world.vfs.stat(&tmp).unwrap().nlink, 3);

    let g = world.at("/tmp/g").inode;
    world.vfs.link(&g, &root, b"/tmp/h").unwrap();
    assert_eq!(world.vfs.stat(&g).unwrap().nlink, 2);
    world.vfs.unlink(&root, b"/tmp/g").unwrap();
    assert_eq!(world.read("/tmp/h").unwrap(), "one");
    world.vfs.set_mode(&g, 0o4711).unwrap();
    world.vfs.set_owner(&g, Some(5), None).unwrap();
    let stat = world.vfs.stat(&g).unwrap();
    // Another owner does not get a program that acts as the last one.
    assert_eq!((stat.mode, stat.uid, stat.gid), (0o100_711, 5, 0));
    let passwd = world.at("/etc/passwd").inode;
    assert_eq!(world.vfs.link(&passwd, &root, b"/tmp/p"), Err(Errno::EXDEV));
}

#[test]
fn an_unlinked_file_lives_as_long_as_its_handles() {
    let mut world = world();
    world.write("/tmp/file", "kept").unwrap();
    let file = world.open("/tmp/file", OpenFlags::RDWR).unwrap();
    let root = world.vfs.root();
    world.vfs.unlink(&root, b"/tmp/file").unwrap();
    let inode = file.inode().unwrap().clone();
    let mut bytes = [0; 4];
    assert_eq!(world.vfs.read_at(&inode, 0, &mut bytes), Ok(4));
    assert_eq!((&bytes, world.vfs.stat(&inode).unwrap().nlink), (b"kept", 0));
    assert_eq!(world.pages.load(Ordering::Relaxed), 1);
    drop((file, inode));
    world.vfs.reap();
    assert_eq!(world.pages.load(Ordering::Relaxed), 0);

    world.vfs.mkdir(&root, b"/tmp/dir", 0o755).unwrap();
    let dir = world.at("/tmp/dir");
    world.vfs.rmdir(&root, b"/tmp/dir").unwrap();
    assert!(matches!(world.vfs.open(&dir, b"new", OpenFlags::CREAT, 0), Err(Errno::ENOENT)));
}

#[test]
fn memory_that_runs_out_is_a_full_disk() {
    let mut world = world();
    world.write("/tmp/big", "").unwrap();
    let big = world.at("/tmp/big").inode;
    let bytes = vec![7; (PAGES + 3) * 4096];
    assert_eq!(world.vfs.write_at(&big, 0, &bytes), Ok(PAGES * 4096), "a short write");
    assert_eq!(world.vfs.write_at(&big, (PAGES * 4096) as u64, b"x"), Err(Errno::ENOSPC));
    assert_eq!(world.vfs.write_at(&big, i64::MAX as u64, b"x"), Err(Errno::EFBIG));
    assert_eq!(world.vfs.statfs(&big).unwrap().blocks_free, 0);
    assert_eq!(world.vfs.stat(&big).unwrap().blocks, PAGES as u64 * 8);
    world.vfs.truncate(&big, 4097).unwrap();
    assert_eq!(world.pages.load(Ordering::Relaxed), 2);
    assert_eq!(world.vfs.page_source(big.id(), 1), Err(Errno::ENODEV));
    world.write("/dev/shm/another", "x").unwrap();
    world.vfs.unmount();
    assert_eq!(world.pages.load(Ordering::Relaxed), 0, "every page comes back");
}

#[test]
fn there_are_as_many_names_as_pages() {
    let mut world = world();
    let root = world.vfs.root();
    for i in 0..PAGES - 2 {
        world.write(&format!("/tmp/{i}"), "").unwrap();
    }
    world.vfs.mkdir(&root, b"/dev/shm/dir", 0o700).unwrap();
    // A file without a name counts as long as someone has it.
    let held = world.open("/tmp/0", OpenFlags::empty()).unwrap();
    world.vfs.unlink(&root, b"/tmp/0").unwrap();
    world.vfs.symlink(b"to", &root, b"/tmp/0").unwrap();
    let inode = world.at("/tmp/1").inode;
    assert_eq!(world.vfs.statfs(&inode).unwrap().files_free, 0);
    assert_eq!(world.write("/tmp/new", ""), Err(Errno::ENOSPC));
    assert_eq!(world.vfs.mkdir(&root, b"/dev/shm/new", 0o700), Err(Errno::ENOSPC));
    assert_eq!(world.vfs.symlink(b"to", &root, b"/tmp/new"), Err(Errno::ENOSPC));
    assert_eq!(world.vfs.link(&inode, &root, b"/tmp/new"), Err(Errno::ENOSPC));
    // What needs no new name works, and the disk says what it always says.
    world.write("/tmp/1", "text").unwrap();
    world.vfs.rename(&root, b"/tmp/1", &root, b"/tmp/other", RenameAs::Any).unwrap();
    assert_eq!(world.write("/new", ""), Err(Errno::ENOSPC));
    assert_eq!(world.vfs.mkdir(&root, b"/tmp/2", 0o700), Err(Errno::EEXIST));
    drop(held);
    world.vfs.reap();
    world.vfs.link(&inode, &root, b"/tmp/new").unwrap();
    assert_eq!(world.write("/tmp/another", ""), Err(Errno::ENOSPC));
}

/// tmpfs files against plain vectors, on random operations.
#[test]
fn contents_agree_with_a_plain_vector() {
    let mut world = world();
    let mut random = Random(0x5eed);
    let mut model: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for name in 0..3 {
        world.write(&format!("/tmp/{name}"), "").unwrap();
        model.insert(name, Vec::new());
    }
    for step in 0..3000_u64 {
        let name = random.below(3);
        let (inode, expected) = (world.at(&format!("/tmp/{name}")).inode, model.get_mut(&name).unwrap());
        let (offset, len) = (random.below(40_000) as usize, random.below(9000) as usize);
        match random.below(4) {
            0 | 1 => {
                let bytes = vec![(step % 255) as u8 + 1; len];
                assert_eq!(world.vfs.write_at(&inode, offset as u64, &bytes), Ok(len));
                if len > 0 {
                    expected.resize(expected.len().max(offset + len), 0);
                    expected[offset..offset + len].copy_from_slice(&bytes);
                }
            }
            2 => {
                world.vfs.truncate(&inode, offset as u64).unwrap();
                expected.resize(offset, 0);
            }
            _ => {
                let mut bytes = vec![0; len];
                let count = world.vfs.read_at(&inode, offset as u64, &mut bytes).unwrap();
                let from = offset.min(expected.len());
                assert_eq!(bytes[..count], expected[from..(from + len).min(expected.len())], "step {step}");
            }
        }
        assert_eq!(world.vfs.size(inode.id()), Ok(expected.len() as u64));
    }
}

#[test]
fn proc_tells_what_the_kernel_says_in_linux_formats() {
    let mut world = world();
    let maps = world.read("/proc/self/maps").unwrap();
    let first = "00010000-00012000 r-xp 00000000 00:01 12 ";
    assert_eq!(maps.lines().next().unwrap(), format!("{first:<73}/bin/sh"));
    assert_eq!(maps.lines().nth(1).unwrap(), "3fffffe000-4000000000 rw-p 00000000 00:00 0 ");
    let stat = world.read("/proc/7/stat").unwrap();
    assert!(stat.starts_with("7 (a (b) R 1 "));
    // 52 fields (proc_pid_stat(5)), of which the second holds a space here.
    assert_eq!(stat.split_whitespace().count(), 53);
    assert_eq!(stat.split_whitespace().nth(23), Some("40960"), "vsize");
    assert!(world.read("/proc/7/task/9/stat").unwrap().starts_with("9 (a (b) R 1 "));
    assert!(world.read("/proc/7/task/9/status").unwrap().contains("\nTgid:\t7\nNgid:\t0\nPid:\t9\n"));
    assert!(world.read("/proc/1/task/9/stat").is_err(), "the thread is another process's");
    assert_eq!(world.read("/proc/self/cmdline").unwrap(), "sh\0-c\0");
    assert!(world.read("/proc/meminfo").unwrap().starts_with("MemTotal:         131072 kB\n"));
    assert_eq!(world.read("/proc/uptime").unwrap(), "1.23 0.00\n");
    assert!(
        world
            .read("/proc/meminfo")
            .unwrap()
            .contains("\nSwapTotal:          8000 kB\nSwapFree:           7988 kB\n")
    );
    assert_eq!(
        world.read("/proc/swaps").unwrap(),
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
         /dev/vdb                                partition\t8000\t\t12\t\t-2\n"
    );
    assert!(world.read("/proc/meminfo").unwrap().contains("\nSwapCached:            8 kB\nSwapTotal:"));
    assert_eq!(
        world.read("/proc/vmstat").unwrap(),
        "nr_free_pages 1000\nnr_anon_pages 40\nnr_file_pages 12\nnr_dirty 0\nnr_shmem 5\n\
         nr_page_table_pages 6\nnr_swapcached 2\npswpin 17\npswpout 19\npgfault 123\npgmajfault 45\n"
    );
    assert!(world.read("/proc/self/status").unwrap().contains("\nVmSize:\t      40 kB\n"));
    assert!(world.read("/proc/self/status").unwrap().contains("\nVmSwap:\t      24 kB\n"));
    assert!(world.read("/proc/self/smaps").unwrap().contains(
        "\nSwap:                 12 kB\nSwapPss:               6 kB\nLocked:                0 kB\n"
    ));
    assert!(world.read("/proc/mounts").unwrap().contains("tmpfs /tmp tmpfs"));
    assert_eq!(world.read("/proc/sys/kernel/osrelease").unwrap(), "6.12.0\n");
    for name in
        ["cpuinfo", "stat", "version", "loadavg", "filesystems", "cmdline", "1/statm", "1/comm", "7/environ"]
    {
        assert!(!world.read(&format!("/proc/{name}")).unwrap().is_empty(), "{name}");
    }
    let io =
        "rchar: 5\nwchar: 0\nsyscr: 1\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n";
    assert_eq!(world.read("/proc/self/io").unwrap(), io);
    assert_eq!(world.read("/proc/self/oom_score").unwrap(), "666\n");
    // What is inside of another process is not for everyone.
    for name in ["environ", "maps", "smaps", "mem", "pagemap"] {
        let path = format!("/proc/1/{name}");
        assert_eq!(world.open(&path, OpenFlags::empty()).map(|_| ()), Err(Errno::EACCES), "{name}");
    }
    assert_eq!(world.resolve("/", "/proc/1/exe", LastLink::Follow), Err(Errno::EACCES));
    let mut owner = |path: &str| {
        let inode = world.at(path).inode;
        let stat = world.vfs.stat(&inode).unwrap();
        (stat.mode & 0o777, stat.uid)
    };
    assert_eq!((owner("/proc/7/maps"), owner("/proc/7/environ")), ((0o444, 5), (0o400, 5)));
    assert_eq!(
        (owner("/proc/1/maps"), owner("/proc/1"), owner("/proc/1/fd")),
        ((0o444, 0), (0o555, 5), (0o500, 0))
    );
}

#[test]
fn a_proc_file_is_read_in_pieces_of_one_state() {
    let mut world = world();
    let whole = world.read("/proc/self/status").unwrap();
    let mut file = world.open("/proc/self/status", OpenFlags::empty()).unwrap();
    let mut pieces = Vec::new();
    let mut piece = [0; 7];
    loop {
        match world.vfs.read_text(&mut file, &mut piece).unwrap() {
            0 => break,
            count => pieces.extend_from_slice(&piece[..count]),
        }
    }
    assert_eq!(pieces, whole.as_bytes());
    file.seek(Whence::Set, 0, 0).unwrap();
    assert_eq!(world.vfs.read_text(&mut file, &mut piece), Ok(7));
}

#[test]
fn pipes_and_streams_have_attributes_too() {
    let mut world = world();
    let mut files = OpenFiles::new(|_| {});
    let (reader, _) = files.create_pipe(OpenFlags::empty());
    assert_eq!(world.vfs.stat_open(files.get(reader)).unwrap().file_type(), FileType::Fifo);
    let file = OpenFile::new(Object::Device(Device::Stdio { stream: 1 }), None, OpenFlags::WRONLY);
    assert_eq!(world.vfs.stat_open(&file).unwrap().file_type(), FileType::Fifo);
    for (name, permissions, owner, rdev) in [
        ("null", 0o666, 0, 0x103),
        ("random", 0o666, 0, 0x108),
        ("urandom", 0o666, 0, 0x109),
        ("tty", 0o666, 0, 0x500),
        ("console", 0o620, 0, 0x501),
        ("ttyS0", 0o620, 0, 0x440),
        ("ptmx", 0o666, 0, 0x502),
        ("pts/3", 0o620, 5, 0x8803),
    ] {
        let inode = world.at(&format!("/dev/{name}")).inode;
        let stat = world.vfs.stat(&inode).unwrap();
        assert_eq!((stat.mode, stat.uid, stat.rdev), (0o020_000 | permissions, owner, rdev), "{name}");
    }
}

/// The process table has pseudo-terminals 3 and 12.
#[test]
fn pseudo_terminals_have_files() {
    let mut world = world();
    assert_eq!(world.list("/dev/pts"), [".", "..", "3", "12"]);
    assert_eq!(world.at("/dev/pts/../null").path.as_slice(), b"/dev/null");
    for missing in ["0", "03", "4", "13", "x", "+3"] {
        let path = format!("/dev/pts/{missing}");
        assert!(world.open(&path, OpenFlags::RDWR).is_err(), "{path}");
    }
    let object = world.open("/dev/pts/12", OpenFlags::RDWR).unwrap().object;
    assert!(matches!(object, Object::Device(Device::Pseudo(12))), "{object:?}");
}
