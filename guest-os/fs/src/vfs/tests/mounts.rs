//! File systems on further disks, mounted in the tree.

use super::*;
use alloc::string::ToString;

/// The image of a disk with a folder `of` in its root, and a file `alone`.
fn disk() -> Ext4 {
    let tree = Scratch::new("mounted");
    fs::create_dir_all(tree.0.join("of/deep")).unwrap();
    fs::write(tree.0.join("of/deep/text"), "from the disk").unwrap();
    fs::write(tree.0.join("alone"), "one file").unwrap();
    let image = mke2fs(&tree.0, "2M", &["-t", "ext4", "-b", "4096"]);
    Ext4::mount(MemoryDevice::boxed(Arc::new(image)).0).unwrap()
}

fn mount(world: &mut World, name: &str, point: &str) -> Result<FileSystemId, Errno> {
    world.vfs.mount(disk(), name.as_bytes(), point.as_bytes(), "device")
}

fn dev(world: &mut World, path: &str) -> u64 {
    let inode = world.at(path).inode;
    world.vfs.stat(&inode).unwrap().dev
}

#[test]
fn a_mounted_folder_is_a_file_system_of_its_own() {
    let mut world = world();
    let root = world.vfs.root();
    for (point, path) in
        [("/src", "/src"), ("/new/a b/src/", "/new/a b/src"), ("/bin", "/usr/bin"), ("/tmp/x", "/tmp/x")]
    {
        mount(&mut world, "of", point).unwrap();
        let deep = format!("{path}/deep");
        assert_eq!(
            world.resolve("/", &format!("{point}/deep/text"), LastLink::Follow),
            Ok(format!("{deep}/text"))
        );
        // Up from its root is where it is mounted.
        let above =
            path.rsplit_once('/').map(|(above, _)| if above.is_empty() { "/" } else { above }).unwrap();
        assert_eq!(world.resolve(&deep, "../..", LastLink::Follow).as_deref(), Ok(above));
        assert_eq!(world.at(&format!("{deep}/../..")).inode, world.at(above).inode);
        assert!(
            world.list(above).contains(&path.rsplit('/').next().unwrap().to_string()),
            "{path} is listed"
        );
        assert_eq!(world.list(path), [".", "..", "deep"]);
        assert_ne!(dev(&mut world, path), dev(&mut world, above));
        // It is written in memory, by itself.
        world.write(&format!("{deep}/new"), "text").unwrap();
        assert_eq!(world.read(&format!("{deep}/new")).unwrap(), "text");
        assert_eq!(world.list(&deep), [".", "..", "text", "new"]);
        let outside = format!("{above}/outside");
        let (from, to) = (format!("{deep}/new"), outside.as_bytes());
        assert_eq!(world.vfs.rename(&root, from.as_bytes(), &root, to, RenameAs::Any), Err(Errno::EXDEV));
        let file = world.at(&from).inode;
        assert_eq!(world.vfs.link(&file, &root, to), Err(Errno::EXDEV));
        // Its place stays.
        assert_eq!(world.vfs.rmdir(&root, path.as_bytes()), Err(Errno::EBUSY));
        assert_eq!(world.vfs.rename(&root, path.as_bytes(), &root, to, RenameAs::Any), Err(Errno::EBUSY));
    }
    assert_eq!(world.vfs.rmdir(&root, b"/new/a b"), Err(Errno::ENOTEMPTY));
    let mounts = world.read("/proc/self/mounts").unwrap();
    let lines: Vec<&str> = mounts.lines().collect();
    assert_eq!(lines[0], "/dev/root / ext4 rw,relatime 0 0");
    assert!(lines.contains(&"device /new/a\\040b/src ext4 rw,relatime 0 0"), "{mounts}");
    let info = world.read("/proc/self/mountinfo").unwrap();
    // The number of the mount, of the one it is mounted in, and of its device.
    assert!(info.contains("26 20 0:7 / /src rw,relatime - ext4 device rw\n"), "{info}");
    assert!(info.contains("29 23 0:10 / /tmp/x rw,relatime - ext4 device rw\n"), "{info}");
}

#[test]
fn a_file_is_mounted_over_a_file() {
    let mut world = world();
    let root = world.vfs.root();
    for path in ["/etc/passwd", "/etc/other"] {
        mount(&mut world, "alone", path).unwrap();
        assert!(world.list("/etc").contains(&path[5..].to_string()));
        let inode = world.at(path).inode;
        assert_eq!((world.vfs.size(inode.id()), inode.file_type()), (Ok(8), FileType::Regular));
        assert_eq!(world.vfs.unlink(&root, path.as_bytes()), Err(Errno::EBUSY));
        assert_eq!(
            world.vfs.rename(&root, b"/etc/x", &root, path.as_bytes(), RenameAs::Any),
            Err(Errno::ENOENT)
        );
        world.write(path, "written").unwrap();
        assert_eq!(world.read(path).unwrap(), "written");
    }
}

#[test]
fn a_mount_within_a_mount_and_one_over_another() {
    let mut world = world();
    mount(&mut world, "of", "/src").unwrap();
    mount(&mut world, "of", "/src/deep").unwrap();
    assert_eq!(world.list("/src/deep"), [".", "..", "deep"]);
    assert_ne!(dev(&mut world, "/src"), dev(&mut world, "/src/deep"));
    assert_eq!(world.resolve("/src/deep/deep", "../../..", LastLink::Follow).as_deref(), Ok("/"));
    world.write("/tmp/hidden-now", "").unwrap();
    mount(&mut world, "of", "/tmp").unwrap();
    assert_eq!(world.list("/tmp"), [".", "..", "deep"]);
    assert_eq!(world.read("/proc/mounts").unwrap().matches(" /tmp ").count(), 1);
}

#[test]
fn what_cannot_be_mounted_is_refused() {
    let mut world = world();
    for (name, point, errno) in [
        ("of", "/", Errno::EBUSY),
        ("of", "/etc/..", Errno::EBUSY),
        ("of", "/etc/passwd", Errno::ENOTDIR),
        ("of", "/etc/passwd/x", Errno::ENOTDIR),
        ("alone", "/etc", Errno::EISDIR),
        ("of", "/loop/a", Errno::ELOOP),
        ("of", "/proc/nothing/here", Errno::ENOENT),
        ("nothing", "/src", Errno::ENOENT),
    ] {
        assert_eq!(mount(&mut world, name, point), Err(errno), "{name} at {point}");
    }
}

#[test]
fn what_has_changed_can_be_told_file_by_file() {
    let mut world = world();
    let root = world.vfs.root();
    let fs = mount(&mut world, "of", "/src").unwrap();
    assert_eq!(world.vfs.next_changed(fs, 0), None);
    world.write("/etc/elsewhere", "x").unwrap();
    world.write("/src/gone", "x").unwrap();
    world.vfs.unlink(&root, b"/src/gone").unwrap();
    world.write("/src/deep/new", "text").unwrap();
    let text = world.at("/src/deep/text").inode;
    world.vfs.set_mode(&text, 0o600).unwrap();
    // What was gone is not told of, nor is what was only looked at.
    let mut changed = Vec::new();
    while let Some(file) =
        world.vfs.next_changed(fs, changed.last().map_or(0, |last: &Inode| last.id().ino + 1))
    {
        changed.push(file);
    }
    let mut expected =
        ["/src", "/src/deep", "/src/deep/text", "/src/deep/new"].map(|path| world.at(path).inode);
    expected.sort_by_key(|inode| inode.id());
    assert_eq!(changed, expected);
    let (deep, new) = (world.at("/src/deep").inode, world.at("/src/deep/new").inode);
    let mut names = Vec::new();
    let mut visit = |name: &[u8], ino| {
        names.push((name.to_vec(), ino));
        true
    };
    world.vfs.each_changed_name(&deep, &mut visit).unwrap();
    assert_eq!(names, [(b"text".to_vec(), text.id().ino), (b"new".to_vec(), new.id().ino)]);
    // All that the disk has may be data; of what is new, what was written.
    world.vfs.truncate(&new, 1 << 22).unwrap();
    world.vfs.write_at(&new, 1 << 20, b"far").unwrap();
    for (file, offset, data) in [
        (&text, 0, Some(0)),
        (&text, 5, Some(5)),
        (&text, 100, None),
        (&new, 0, Some(0)),
        (&new, 4096, Some(1 << 20)),
        (&new, (1 << 20) + 7, Some((1 << 20) + 7)),
        (&new, (1 << 20) + 4096, None),
    ] {
        assert_eq!(world.vfs.next_data(file, offset), Ok(data), "from {offset}");
    }
}

/// `mount -t tmpfs` at a path.
fn mount_new(world: &mut World, point: &str, flags: MountFlags, options: &str) -> Result<(), Errno> {
    let at = world.at(point);
    let request = MountRequest { device: b"my tmpfs", kind: b"tmpfs", flags, options: options.as_bytes() };
    world.vfs.mount_new(&at, &request)
}

fn unmount(world: &mut World, point: &str, detaches: bool) -> Result<(), Errno> {
    let at = world.at(point);
    world.vfs.unmount_at(&at, detaches, false)
}

#[test]
fn programs_mount_above_what_is_there_and_take_it_away() {
    let mut world = world();
    let root = world.vfs.root();
    let none = MountFlags::empty();
    world.vfs.mkdir(&root, b"/tmp/at", 0o755).unwrap();
    world.write("/tmp/at/below", "below").unwrap();
    mount_new(&mut world, "/tmp/at", none, "size=64k,mode=700").unwrap();
    assert_eq!(world.list("/tmp/at"), [".", ".."]);
    let at = world.at("/tmp/at");
    let stat = world.vfs.stat(&at.inode).unwrap();
    assert_eq!((stat.mode & 0o7777, stat.is_mount_root), (0o700, true));
    drop(at);
    let mounts = world.read("/proc/self/mounts").unwrap();
    assert!(mounts.ends_with("my\\040tmpfs /tmp/at tmpfs rw,relatime,size=64k,mode=700 0 0\n"), "{mounts}");
    // One above the other, and the last one goes first.
    world.write("/tmp/at/first", "1").unwrap();
    mount_new(&mut world, "/tmp/at", none, "").unwrap();
    assert_eq!(world.list("/tmp/at"), [".", ".."]);
    assert_eq!(world.list("/tmp").iter().filter(|name| *name == "at").count(), 1);
    unmount(&mut world, "/tmp/at", false).unwrap();
    assert_eq!(world.list("/tmp/at"), [".", "..", "first"]);
    // In use: by whoever is there, and by what is mounted in it.
    let inside = world.at("/tmp/at/first");
    assert_eq!(unmount(&mut world, "/tmp/at", false), Err(Errno::EBUSY));
    drop(inside);
    world.vfs.mkdir(&root, b"/tmp/at/deep", 0o755).unwrap();
    mount_new(&mut world, "/tmp/at/deep", none, "").unwrap();
    assert_eq!(unmount(&mut world, "/tmp/at", true), Err(Errno::EBUSY));
    unmount(&mut world, "/tmp/at/deep", false).unwrap();
    unmount(&mut world, "/tmp/at", false).unwrap();
    assert_eq!(world.list("/tmp/at"), [".", "..", "below"]);
    assert_eq!(unmount(&mut world, "/tmp/at", false), Err(Errno::EINVAL));
    for (path, errno) in [("/", Errno::EBUSY), ("/tmp", Errno::EBUSY), ("/tmp/at/below", Errno::EINVAL)] {
        assert_eq!(unmount(&mut world, path, false), Err(errno), "{path}");
    }
    for (path, options, errno) in [
        ("/tmp/at/below", "", Errno::ENOTDIR),
        ("/", "", Errno::EBUSY),
        ("/tmp/at", "size=much", Errno::EINVAL),
    ] {
        assert_eq!(mount_new(&mut world, path, none, options), Err(errno), "{path} {options}");
    }
    let at = world.at("/tmp/at");
    let other = MountRequest { device: b"x", kind: b"ext4", flags: none, options: b"" };
    assert_eq!(world.vfs.mount_new(&at, &other), Err(Errno::ENODEV));
}

#[test]
fn what_is_detached_goes_with_its_last_user() {
    let mut world = world();
    let root = world.vfs.root();
    world.vfs.mkdir(&root, b"/tmp/at", 0o755).unwrap();
    mount_new(&mut world, "/tmp/at", MountFlags::empty(), "").unwrap();
    world.write("/tmp/at/file", "still here").unwrap();
    let (before, inside) = (world.vfs.in_memory.iter().count(), world.at("/tmp/at/file").inode);
    unmount(&mut world, "/tmp/at", true).unwrap();
    world.vfs.reap();
    let mut bytes = [0; 10];
    assert_eq!(world.vfs.read_at(&inside, 0, &mut bytes), Ok(10));
    assert_eq!((&bytes, world.list("/tmp/at").len()), (b"still here", 2));
    assert_eq!(world.vfs.in_memory.iter().count(), before);
    drop(inside);
    world.vfs.reap();
    assert_eq!(world.vfs.in_memory.iter().count(), before - 1);
}

#[test]
fn a_size_is_kept_and_what_is_read_only_stays() {
    let mut world = world();
    let root = world.vfs.root();
    world.vfs.mkdir(&root, b"/tmp/at", 0o755).unwrap();
    mount_new(&mut world, "/tmp/at", MountFlags::empty(), "size=64k").unwrap();
    world.write("/tmp/at/file", "x").unwrap();
    let file = world.at("/tmp/at/file").inode;
    // In pieces of 1000 bytes to the very end, whoever has counted before.
    let mut at = 0;
    let end = loop {
        match world.vfs.write_at(&file, at, &[7; 1000]) {
            Ok(count) => at += count as u64,
            Err(errno) => break errno,
        }
    };
    assert_eq!((at, end), (64 << 10, Errno::ENOSPC));
    assert_eq!(world.vfs.write_at(&file, 5000, &[1; 9000]), Ok(9000), "what is there may be written again");
    assert_eq!(world.vfs.fill_holes(&file, 16..17), Err(Errno::ENOSPC));
    let stat = world.vfs.statfs(&file).unwrap();
    assert_eq!((stat.blocks, stat.blocks_free), (16, 0));
    world.vfs.truncate(&file, 4096).unwrap();
    assert_eq!(
        world.vfs.write_at(&file, 1 << 30, &[1; 4096]),
        Ok(4096),
        "by what it takes, not by its length"
    );

    let top = world.at("/tmp/at");
    assert_eq!(world.vfs.remount(&top, MountFlags::empty(), b"size=4k"), Err(Errno::EINVAL));
    let barred = MountFlags::RDONLY | MountFlags::NODEV | MountFlags::NOEXEC;
    world.vfs.remount(&top, barred, b"size=128k").unwrap();
    drop(top);
    let mounts = world.read("/proc/self/mounts").unwrap();
    assert!(mounts.ends_with("/tmp/at tmpfs ro,nodev,noexec,relatime,size=128k 0 0\n"), "{mounts}");
    let path = b"/tmp/at/file".as_slice();
    assert_eq!(world.open("/tmp/at/file", OpenFlags::WRONLY).err(), Some(Errno::EROFS));
    assert_eq!(world.open("/tmp/at/new", OpenFlags::CREAT).err(), Some(Errno::EROFS));
    assert_eq!(world.vfs.mkdir(&root, b"/tmp/at/new", 0o755), Err(Errno::EROFS));
    assert_eq!(world.vfs.unlink(&root, path), Err(Errno::EROFS));
    assert_eq!(world.vfs.set_mode(&file, 0o777), Err(Errno::EROFS));
    assert_eq!(world.vfs.check_access(&file, 2), Err(Errno::EROFS));
    assert_eq!(world.vfs.check_access(&file, 4), Ok(()));
    assert_eq!(world.vfs.statfs(&file).unwrap().flags, barred);
}
