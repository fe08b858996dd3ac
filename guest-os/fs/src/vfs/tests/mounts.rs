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
