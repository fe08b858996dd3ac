//! Images are built, checked by `e2fsck`, and read back by the guest's own ext4 reader.

use super::*;
use crate::host::{DiskError, DiskImage};
use ::fs::{Errno, Ext4, LastLink, Object, OpenFlags, Opened, Vfs};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("folio-root-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
    fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 31 + i / 4096) % 251).unwrap()).collect()
}

fn whole(disk: &mut dyn DiskImage) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(disk.len_bytes()).unwrap()];
    disk.read(0, &mut bytes).unwrap();
    bytes
}

struct Disk(Vec<u8>);

impl ::fs::BlockDevice for Disk {
    fn len_bytes(&self) -> u64 {
        self.0.len() as u64
    }
    fn read(&mut self, offset_bytes: u64, buf: &mut [u8]) -> Result<(), ::fs::DeviceError> {
        DiskImage::read(&mut self.0, offset_bytes, buf).map_err(|DiskError| ::fs::DeviceError)
    }
    fn prepare_memory(&mut self) -> bool {
        true
    }
}

/// The tests make no file in tmpfs.
struct NoMemory;

impl ::fs::FileMemory for NoMemory {
    fn len_bytes(&self, _: ::fs::FileId) -> u64 {
        0
    }
    fn resident_pages(&self, _: ::fs::FileId) -> u64 {
        0
    }
    fn read(&self, _: ::fs::FileId, _: u64, _: &mut [u8]) -> Result<usize, ::fs::Errno> {
        Ok(0)
    }
    fn write(&mut self, _: ::fs::FileId, _: u64, _: &[u8]) -> Result<usize, ::fs::Errno> {
        Ok(0)
    }
    fn set_len(&mut self, _: ::fs::FileId, _: u64) -> Result<(), ::fs::Errno> {
        Ok(())
    }
    fn next_page(&self, _: ::fs::FileId, _: u64) -> Option<u64> {
        None
    }
    fn fill_holes(&mut self, _: ::fs::FileId, _: std::ops::Range<u64>) -> Result<(), ::fs::Errno> {
        Err(::fs::Errno::ENOSPC)
    }
    fn punch_hole(&mut self, _: ::fs::FileId, _: std::ops::Range<u64>) -> Result<(), ::fs::Errno> {
        Ok(())
    }
    fn overlay(&mut self, _: ::fs::FileId, _: u64) {}
    fn remove(&mut self, _: ::fs::FileId) {}
    fn capacity_pages(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// A system without processes.
struct NoProcesses;

impl ::fs::ProcInfo for NoProcesses {
    fn now(&self) -> ::fs::Timestamp {
        ::fs::Timestamp::default()
    }
    fn current(&self) -> u32 {
        1
    }
    fn identity(&self, _: bool) -> ::fs::Identity {
        ::fs::Identity::default()
    }
    fn may_inspect(&self, _: u32) -> bool {
        true
    }
    fn each_process(&self, _: &mut dyn FnMut(u32) -> bool) {}
    fn each_thread(&self, _: u32, _: &mut dyn FnMut(u32) -> bool) {}
    fn process(&self, _: u32) -> Option<::fs::ProcessInfo> {
        None
    }
    fn set_comm(&self, _: u32, _: &[u8]) -> Result<(), ::fs::Errno> {
        Err(::fs::Errno::EINVAL)
    }
    fn set_oom_score_adj(&self, _: u32, _: i16) -> Result<(), Errno> {
        Err(Errno::EACCES)
    }
    fn setting(&self, setting: ::fs::Setting) -> u64 {
        ::fs::Settings::new().get(setting)
    }
    fn set_setting(&self, _: ::fs::Setting, _: u64) -> Result<(), Errno> {
        Err(Errno::EACCES)
    }
    fn each_segment(&self, _: &mut dyn FnMut(&::fs::SegmentInfo) -> Result<(), Errno>) -> Result<(), Errno> {
        Ok(())
    }
    fn open_files(&self) -> usize {
        0
    }
    fn cmdline(&self, _: u32, _: &mut ::fs::Text) -> Result<(), Errno> {
        Ok(())
    }
    fn environ(&self, _: u32, _: &mut ::fs::Text) -> Result<(), Errno> {
        Ok(())
    }
    fn auxv(&self, _: u32, _: &mut ::fs::Text) -> Result<(), Errno> {
        Ok(())
    }
    fn transfers(&self, _: u32) -> ::fs::Transfers {
        ::fs::Transfers::default()
    }
    fn exe(&self, _: u32) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    fn cwd(&self, _: u32) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    fn each_map(
        &self,
        _: u32,
        _: &mut dyn FnMut(&::fs::MapInfo<'_>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        Ok(())
    }
    fn each_map_use(
        &self,
        _: u32,
        _: &mut dyn FnMut(&::fs::MapInfo<'_>, &::fs::MapUse) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        Ok(())
    }
    fn limits(&self, _: u32) -> Option<[(u64, u64); 16]> {
        None
    }
    fn each_descriptor(&self, _: u32, _: &mut dyn FnMut(u32) -> bool) {}
    fn descriptor_info(&self, _: u32, _: u32) -> Option<::fs::DescriptorInfo> {
        None
    }
    fn describe_descriptor(&self, _: u32, _: u32, _: &mut ::fs::Text) -> Result<(), Errno> {
        Err(Errno::ENOENT)
    }
    fn next_terminal(&self, _: u32) -> Option<(u32, u32)> {
        None
    }
    fn system_name(&self, _: ::fs::SystemName) -> Vec<u8> {
        Vec::new()
    }
    fn descriptor(&self, _: u32, _: u32) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOENT)
    }
    fn location(&self, _: u32) -> Option<::fs::Location> {
        None
    }
    fn system(&self) -> ::fs::SystemInfo {
        ::fs::SystemInfo::default()
    }
    fn faults(&self) -> (u64, u64) {
        (0, 0)
    }
}

/// The image as the guest mounts it; the second half is for reading file data, as the page cache does.
struct Guest {
    vfs: Vfs,
    disk: Vec<u8>,
}

impl Guest {
    fn mount(image: RootImage) -> Guest {
        let disk = whole(&mut *image.into_disk());
        let ext4 = Ext4::mount(Box::new(Disk(disk.clone()))).unwrap();
        Guest { vfs: Vfs::new(ext4, Box::new(NoMemory), Box::new(NoProcesses)), disk }
    }

    fn read(&mut self, path: &str) -> Result<Vec<u8>, Errno> {
        let root = self.vfs.root();
        let Opened::New(file) = self.vfs.open(&root, path.as_bytes(), OpenFlags::empty(), 0)? else {
            return Err(Errno::EBADF);
        };
        let Object::Disk(inode) = &file.object else { return Err(Errno::EINVAL) };
        let size = usize::try_from(self.vfs.size(inode.id())?).unwrap();
        let mut contents = vec![0; size.next_multiple_of(4096)];
        for (page, bytes) in (0..).zip(contents.chunks_mut(4096)) {
            let source = self.vfs.page_source(inode.id(), page)?;
            assert!(source.ranges().count() <= 1, "a page of a built image is one read");
            for range in source.ranges() {
                let (to, from) = (range.page_offset as usize, usize::try_from(range.device_offset).unwrap());
                let len = range.len_bytes as usize;
                bytes[to..to + len].copy_from_slice(&self.disk[from..from + len]);
            }
        }
        contents.truncate(size);
        Ok(contents)
    }

    fn mode(&mut self, path: &str) -> Result<u32, Errno> {
        let root = self.vfs.root();
        let found = self.vfs.resolve(&root, path.as_bytes(), LastLink::Keep)?;
        Ok(self.vfs.stat(&found.inode)?.mode)
    }
}

/// `e2fsck -fn` finds nothing to say.
fn check_by_e2fsck(image: RootImage) {
    let scratch = Scratch::new();
    let path = scratch.0.join("image.ext4");
    image.write_to(&path).unwrap();
    let search = format!("{}:/sbin:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    match Command::new("e2fsck").args(["-f", "-n"]).arg(&path).env("PATH", search).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => panic!("e2fsck cannot be run ({error}): run `make setup-test`"),
    }
}

#[test]
fn the_guest_finds_a_program_and_what_is_around_it() {
    let scratch = Scratch::new();
    let bytes = pattern(1_234_567);
    let program = scratch.file("hello", &bytes, 0o755);
    let image = || RootImage::from_program(&program, None).unwrap();
    check_by_e2fsck(image());
    let mut guest = Guest::mount(image());
    assert!(guest.read("/bin/hello").unwrap() == bytes);
    assert_eq!(guest.mode("/bin/hello"), Ok(0o100_755));
    assert_eq!(guest.read("/etc/passwd").unwrap(), b"root:x:0:0:root:/root:/bin/sh\n");
    assert_eq!(guest.mode("/tmp"), Ok(0o041_777));
}

#[test]
fn files_are_read_out_of_an_image() {
    let tree = Scratch::new();
    let bytes = pattern(70_001);
    tree.file("usr/bin/tool", &bytes, 0o755);
    tree.file("usr/bin/empty", b"", 0o644);
    symlink("usr/bin", tree.0.join("bin")).unwrap();
    symlink("../bin/./tool", tree.0.join("usr/link")).unwrap();
    symlink("/usr/loop", tree.0.join("usr/loop")).unwrap();
    let path = tree.0.join("image.ext4");
    RootImage::from_folder(&tree.0).unwrap().write_to(&path).unwrap();
    let mut files = ImageFiles::open(&path).unwrap();
    for name in ["/usr/bin/tool", "usr/bin/tool", "/bin/tool", "/usr/link", "/usr/../bin/tool"] {
        assert!(files.read(name).is_some_and(|read| read == bytes), "{name}");
    }
    assert_eq!(files.read("/bin/empty"), Some(Vec::new()));
    for name in ["/bin/none", "/bin", "/usr/loop", "/bin/tool/more"] {
        assert_eq!(files.read(name), None, "{name}");
    }
    assert!(ImageFiles::open(&tree.0.join("usr/bin/tool")).is_err());
}

#[test]
fn the_guest_reads_a_folder_as_it_is() {
    let tree = Scratch::new();
    let big = pattern(40_000_001);
    tree.file("usr/bin/tool", &big, 0o4755);
    tree.file("etc/empty", b"", 0o600);
    for i in 0..1500 {
        tree.file(&format!("many/a-file-with-a-name-of-some-length-{i}"), b"x", 0o644);
    }
    symlink("usr/bin", tree.0.join("bin")).unwrap();
    symlink("t".repeat(200), tree.0.join("long")).unwrap();
    std::fs::hard_link(tree.0.join("usr/bin/tool"), tree.0.join("usr/bin/alias")).unwrap();
    // Every ext4 file system has one already, and so may the folder that was copied from one.
    std::fs::create_dir(tree.0.join("lost+found")).unwrap();

    let image = || RootImage::from_folder(&tree.0).unwrap();
    assert!(whole(&mut *image().into_disk()) == whole(&mut *image().into_disk()));
    check_by_e2fsck(image());
    let mut guest = Guest::mount(image());
    assert!(guest.read("/bin/tool").unwrap() == big);
    assert!(guest.read("/usr/bin/alias").unwrap() == big);
    assert_eq!(guest.mode("/usr/bin/tool"), Ok(0o104_755));
    assert_eq!(guest.read("/etc/empty").unwrap(), b"");
    assert_eq!(guest.read("/many/a-file-with-a-name-of-some-length-777").unwrap(), b"x");
    assert_eq!(guest.read("/many/nothing"), Err(Errno::ENOENT));
    let root = guest.vfs.root();
    let long = guest.vfs.resolve(&root, b"/long", LastLink::Keep).unwrap();
    assert_eq!(guest.vfs.readlink(&long.inode).unwrap(), "t".repeat(200).as_bytes());
}

#[test]
fn what_cannot_be_a_root_is_refused_in_one_sentence() {
    let scratch = Scratch::new();
    let text = scratch.file("text", b"no image", 0o644);
    let missing = scratch.0.join("missing");
    let raw = scratch.file("raw", &[0; 4096], 0o644);
    for (result, expected) in [
        (RootImage::from_program(&missing, None), "missing: ENOENT: "),
        (RootImage::from_program(&scratch.0, None), "EACCES: it is a folder; a program is wanted"),
        (RootImage::from_program(Path::new("/"), None), "/: EACCES: it is a folder; a program is wanted"),
        (RootImage::open(&scratch.0), "it is a folder; an image file is wanted"),
        (RootImage::open(Path::new("/dev/null")), "neither a folder nor a regular file"),
        (RootImage::from_program(Path::new("/dev/null"), None), "EACCES"),
        (RootImage::open_root(&text), "no ext4 file system"),
        (RootImage::open_root(&raw), "no ext4 file system"),
        (RootImage::open_root(&missing), "missing"),
    ] {
        let message = result.err().unwrap().to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{message}");
    }
    assert_eq!(RootImage::open(&text).unwrap().into_disk().len_bytes(), 512, "a disk has whole sectors");
    assert_eq!(whole(&mut *RootImage::open(&text).unwrap().into_disk())[..9], *b"no image\0");
}

#[test]
fn a_file_that_shrinks_is_an_error_and_not_zeros() {
    let scratch = Scratch::new();
    let program = scratch.file("hello", &pattern(20_000), 0o755);
    let image = RootImage::from_program(&program, None).unwrap();
    std::fs::write(&program, b"short").unwrap();
    let error = image.write_to(&scratch.0.join("out")).unwrap_err();
    assert!(error.to_string().contains("changed"), "{error}");
}
