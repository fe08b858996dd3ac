//! The root, which is changed in memory over a disk that is only read.

use super::*;

#[test]
fn files_of_the_disk_change_and_stay_the_same_files() {
    let mut world = world();
    let root = world.vfs.root();
    let before = world.open("/etc/passwd", OpenFlags::empty()).unwrap();
    let inode = before.inode().unwrap().clone();
    let on_disk = world.vfs.stat(&inode).unwrap();
    assert!(world.vfs.is_as_on_disk(inode.id()));
    world.vfs.set_mode(&inode, 0o600).unwrap();
    world.vfs.link(&inode, &root, b"/usr/twin").unwrap();
    let now = world.vfs.stat(&inode).unwrap();
    assert_eq!((now.mode & 0o777, now.nlink, now.size), (0o600, on_disk.nlink + 1, on_disk.size));
    assert_eq!((now.ino, now.dev, now.mtime), (on_disk.ino, on_disk.dev, on_disk.mtime));
    assert_eq!(world.at("/usr/twin").inode, inode);
    // Opened now, it is one that may be written; the old open file goes on as it was.
    let again = world.open("/usr/twin", OpenFlags::RDWR).unwrap();
    assert!(matches!((&before.object, &again.object), (Object::Disk(_), Object::Memory(_))));
    world.vfs.write_at(&inode, 0, b"x").unwrap();
    assert_eq!(world.vfs.size(inode.id()), Ok(on_disk.size));
    world.vfs.truncate(&inode, 3).unwrap();
    assert_eq!((world.vfs.size(inode.id()), world.vfs.stat(&inode).unwrap().size), (Ok(3), 3));
}

#[test]
fn names_of_the_disk_come_go_and_move() {
    let mut world = world();
    let root = world.vfs.root();
    world.write("/etc/new", "text").unwrap();
    assert_eq!(world.list("/etc"), [".", "..", "passwd", "new"]);
    assert_eq!(world.read("/etc/new").unwrap(), "text");
    let (new, passwd) = (world.at("/etc/new").inode, world.at("/etc/passwd").inode);
    assert_ne!(new, passwd);
    // A folder of the disk, with what is in it, and back from it.
    world.vfs.rename(&root, b"/usr/bin", &root, b"/etc/tools", RenameAs::Any).unwrap();
    assert_eq!(world.resolve("/", "/etc/tools/sh", LastLink::Follow).unwrap(), "/etc/tools/sh");
    assert_eq!(world.resolve("/etc/tools", "../passwd", LastLink::Follow).unwrap(), "/etc/passwd");
    assert_eq!(world.resolve("/", "/usr/bin/sh", LastLink::Follow), Err(Errno::ENOENT));
    assert_eq!(world.vfs.rename(&root, b"/etc", &root, b"/etc/tools/x", RenameAs::Any), Err(Errno::EINVAL));
    let nlinks = |world: &mut World, path: &str| {
        let inode = world.at(path).inode;
        world.vfs.stat(&inode).unwrap().nlink
    };
    assert_eq!((nlinks(&mut world, "/usr"), nlinks(&mut world, "/etc")), (2, 3));
    world.vfs.rename(&root, b"/etc/new", &root, b"/etc/passwd", RenameAs::Any).unwrap();
    assert_eq!(world.read("/etc/passwd").unwrap(), "text");
    // What it has replaced has no name any more; the handle on it was there before.
    assert!(passwd.is_unlinked() && !new.is_unlinked());
    assert_eq!(world.vfs.rmdir(&root, b"/etc"), Err(Errno::ENOTEMPTY));
    world.vfs.rmdir(&root, b"/usr").unwrap();
    assert_eq!(world.list("/").iter().filter(|name| *name == "usr").count(), 0);
    world.vfs.mkdir(&root, b"/usr", 0o755).unwrap();
    assert_eq!(world.list("/usr"), [".", ".."]);
    assert_eq!(world.vfs.link(&passwd, &root, b"/usr/x"), Err(Errno::ENOENT));
    // Mount points stay.
    assert_eq!(world.vfs.rmdir(&root, b"/dev"), Err(Errno::EBUSY));
    assert_eq!(world.list("/").iter().filter(|name| *name == "dev").count(), 1);
}

#[test]
fn links_pipes_and_devices_can_be_made() {
    let mut world = world();
    let root = world.vfs.root();
    world.vfs.symlink(b"passwd", &root, b"/etc/link").unwrap();
    assert_eq!(world.resolve("/", "/etc/link", LastLink::Follow).unwrap(), "/etc/passwd");
    let rdev = Device::Null.rdev();
    for (path, file_type, mode) in [
        ("/etc/pipe", FileType::Fifo, 0o640),
        ("/tmp/socket", FileType::Socket, 0o600),
        ("/tmp/null", FileType::CharDevice, 0o666),
        ("/tmp/file", FileType::Regular, 0o644),
    ] {
        world.vfs.make_node(&root, path.as_bytes(), file_type, mode, rdev).unwrap();
        let inode = world.at(path).inode;
        let stat = world.vfs.stat(&inode).unwrap();
        let is_device = file_type == FileType::CharDevice;
        assert_eq!((stat.file_type(), stat.mode & 0o777), (file_type, mode), "{path}");
        assert_eq!(stat.rdev, if is_device { rdev } else { 0 }, "{path}");
    }
    assert!(matches!(world.open("/tmp/null", OpenFlags::RDWR).unwrap().object, Object::Device(Device::Null)));
    assert_eq!(world.vfs.make_node(&root, b"/etc/pipe", FileType::Fifo, 0, 0), Err(Errno::EEXIST));
}

#[test]
fn what_was_unlinked_lives_as_long_as_its_handles() {
    let mut world = world();
    let root = world.vfs.root();
    let file = world.open("/bin/sh", OpenFlags::empty()).unwrap();
    let inode = file.inode().unwrap().clone();
    drop(world.open("/bin/sh", OpenFlags::RDWR).unwrap());
    world.vfs.write_at(&inode, 0, b"S").unwrap();
    assert_eq!(world.pages.load(Ordering::Relaxed), 1);
    world.vfs.unlink(&root, b"/usr/bin/sh").unwrap();
    assert_eq!(world.vfs.stat(&inode).unwrap().nlink, 0);
    assert_eq!(world.pages.load(Ordering::Relaxed), 1);
    drop((file, inode));
    world.vfs.reap();
    assert_eq!(world.pages.load(Ordering::Relaxed), 0);
    assert_eq!(world.open("/bin/sh", OpenFlags::empty()).err(), Some(Errno::ENOENT));
}
