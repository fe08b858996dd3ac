//! On images that mke2fs makes, in all block sizes and with and without the newer features.
#![allow(clippy::cast_possible_truncation)] // the tests run on 64-bit hosts, with small numbers

use super::*;
use crate::tests::{MemoryDevice, Random, Scratch, index_directories, mke2fs};
use core::sync::atomic::Ordering;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::{eprintln, format, vec};

/// (block size, further options of mke2fs)
const IMAGES: &[(&str, &[&str])] = &[
    ("1024", &["-t", "ext4"]),
    ("2048", &["-t", "ext4"]),
    ("4096", &["-t", "ext4"]),
    ("4096", &["-t", "ext4", "-O", "^64bit,^metadata_csum,^flex_bg"]),
    ("1024", &["-t", "ext4", "-O", "meta_bg,^resize_inode", "-g", "1024"]),
    ("4096", &["-t", "ext4", "-I", "128", "-O", "^dir_index"]),
    ("1024", &["-t", "ext3"]),
    ("1024", &["-t", "ext2"]),
];
const BIG_DIR: usize = 3000;

fn make_tree(root: &Path) {
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::write(root.join("usr/bin/busybox"), b"\x7fELF and more").unwrap();
    fs::set_permissions(root.join("usr/bin/busybox"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("usr/bin", root.join("bin")).unwrap();
    let long = "d/".repeat(29) + "end"; // 61 bytes: one too many for the inode
    symlink(&long, root.join("slow")).unwrap();
    symlink("x".repeat(59), root.join("fast")).unwrap();
    fs::write(root.join("empty"), b"").unwrap();
    fs::write(root.join("big"), pattern(700_001)).unwrap();
    // A hole, a page, a hole of half a page, and so on: more extents than the inode holds.
    let sparse = File::create(root.join("sparse")).unwrap();
    for i in 0..200_u64 {
        sparse.write_all_at(&pattern(1500), i * 20_000 + 8192).unwrap();
    }
    sparse.set_len(5_000_000).unwrap();
    fs::create_dir(root.join("many")).unwrap();
    for i in 0..BIG_DIR {
        fs::hard_link(root.join("empty"), root.join(format!("many/a-rather-long-file-name-{i:05}"))).unwrap();
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 251 % 255 + 1) as u8).collect()
}

/// Reads a file as the page cache does.
fn read_file(ext4: &mut Ext4, device: &[u8], ino: u64) -> Result<Vec<u8>, Errno> {
    let size = usize::try_from(ext4.size(ino)?).unwrap();
    let mut contents = Vec::new();
    for page in 0..(size as u64).div_ceil(PAGE) {
        let mut bytes = vec![0; PAGE as usize];
        let source = ext4.page_source(ino, page)?;
        for range in source.ranges() {
            let (to, len, from) =
                (range.page_offset as usize, range.len_bytes as usize, range.device_offset as usize);
            bytes[to..to + len].copy_from_slice(&device[from..from + len]);
        }
        if let PageSource::Device { valid_bytes, .. } = source {
            bytes[valid_bytes as usize..].fill(0);
        }
        contents.extend_from_slice(&bytes);
    }
    assert!(contents[size..].iter().all(|&byte| byte == 0), "bytes past the end are zeros");
    contents.truncate(size);
    Ok(contents)
}

fn find(ext4: &mut Ext4, path: &str) -> Result<u64, Errno> {
    path.split('/').try_fold(ext4.root(), |dir, name| ext4.lookup(dir, name.as_bytes()))
}

fn names(ext4: &mut Ext4, dir: u64) -> Result<Vec<(Vec<u8>, u64)>, Errno> {
    let mut names = Vec::new();
    ext4.read_dir(dir, 0, |entry| {
        names.push((entry.name.to_vec(), entry.ino));
        true
    })?;
    Ok(names)
}

fn check_image(image: Arc<Vec<u8>>, tree: &Path) {
    let (device, reads) = MemoryDevice::boxed(image.clone());
    let mut ext4 = Ext4::mount(device).unwrap();
    let ext4 = &mut ext4;

    let busybox = find(ext4, "usr/bin/busybox").unwrap();
    assert!(
        reads.load(Ordering::Relaxed) <= 9,
        "{} reads for the first look-up",
        reads.load(Ordering::Relaxed)
    );
    let before = reads.load(Ordering::Relaxed);
    assert_eq!(find(ext4, "usr/bin/busybox"), Ok(busybox));
    assert_eq!(find(ext4, "usr/bin/nothing"), Err(Errno::ENOENT));
    assert_eq!(reads.load(Ordering::Relaxed), before, "what was looked up is remembered");

    let stat = ext4.stat(busybox).unwrap();
    let host = fs::metadata(tree.join("usr/bin/busybox")).unwrap();
    assert_eq!((stat.mode, stat.nlink, stat.size), (0o104_755, 1, 13));
    assert_eq!(stat.mtime.seconds, std::os::unix::fs::MetadataExt::mtime(&host));
    assert_eq!(stat.ino, busybox);
    assert_eq!(ext4.lookup(busybox, b"x"), Err(Errno::ENOTDIR));

    let slow = find(ext4, "slow").unwrap();
    assert_eq!(ext4.readlink(slow).unwrap(), ("d/".repeat(29) + "end").as_bytes());
    let fast = find(ext4, "fast").unwrap();
    assert_eq!(ext4.readlink(fast).unwrap(), [b'x'; 59]);
    assert_eq!(ext4.readlink(busybox), Err(Errno::EINVAL));

    for name in ["big", "sparse", "empty", "usr/bin/busybox"] {
        let ino = find(ext4, name).unwrap();
        let expected = fs::read(tree.join(name)).unwrap();
        assert!(read_file(ext4, &image, ino).unwrap() == expected, "{name}");
    }
    let sparse = find(ext4, "sparse").unwrap();
    assert_eq!(ext4.page_source(sparse, 0), Ok(PageSource::Zero));
    assert_eq!(ext4.page_source(sparse, u64::MAX), Ok(PageSource::Zero));
    assert!(ext4.stat(sparse).unwrap().blocks * 512 < 5_000_000);

    let many = find(ext4, "many").unwrap();
    let listed = names(ext4, many).unwrap();
    assert_eq!(listed.len(), BIG_DIR + 2);
    let empty = find(ext4, "empty").unwrap();
    assert_eq!(ext4.stat(empty).unwrap().nlink as usize, BIG_DIR + 1);
    for (name, ino) in &listed[2..] {
        assert_eq!((ext4.lookup(many, name), *ino), (Ok(empty), empty));
    }
    assert_eq!(ext4.lookup(many, b"a-rather-long-file-name-"), Err(Errno::ENOENT));
    assert_eq!((ext4.lookup(many, b"."), ext4.lookup(many, b"..")), (Ok(many), Ok(ext4.root())));
    // Going on from the middle gives the rest.
    let mut half = Vec::new();
    let mut position = 0;
    ext4.read_dir(many, 0, |entry| {
        position = entry.next;
        half.push(entry.name.to_vec());
        half.len() < 1000
    })
    .unwrap();
    ext4.read_dir(many, position, |entry| {
        half.push(entry.name.to_vec());
        true
    })
    .unwrap();
    assert!(half.iter().eq(listed.iter().map(|(name, _)| name)));
}

#[test]
fn images_of_all_kinds_read_as_the_tree_they_were_made_from() {
    let tree = Scratch::new("tree");
    make_tree(&tree.0);
    for (block_size, options) in IMAGES {
        let options = [&["-b", block_size], *options].concat();
        let image = mke2fs(&tree.0, "24M", &options);
        eprintln!("{options:?}");
        check_image(Arc::new(image), &tree.0);
    }
}

#[test]
fn a_look_up_in_a_big_directory_takes_the_index() {
    let tree = Scratch::new("tree");
    make_tree(&tree.0);
    let image = mke2fs(&tree.0, "24M", &["-t", "ext4", "-b", "4096"]);
    // mke2fs makes plain directories; e2fsck -D indexes them.
    let image = index_directories(image);
    let image = Arc::new(image);
    check_image(image.clone(), &tree.0);
    for (name, found) in [("a-rather-long-file-name-01234", true), ("a-rather-long-file-name-x", false)] {
        let (device, reads) = MemoryDevice::boxed(image.clone());
        let mut ext4 = Ext4::mount(device).unwrap();
        let many = find(&mut ext4, "many").unwrap();
        ext4.stat(many).unwrap();
        let before = reads.load(Ordering::Relaxed);
        assert_eq!(ext4.lookup(many, name.as_bytes()).is_ok(), found);
        assert!(reads.load(Ordering::Relaxed) - before <= 2, "the index and one leaf");
    }
}

#[test]
fn a_first_look_up_costs_one_read_a_block_of_metadata() {
    let tree = Scratch::new("tree");
    make_tree(&tree.0);
    let image = mke2fs(&tree.0, "24M", &["-t", "ext4", "-b", "4096"]);
    let (device, reads) = MemoryDevice::boxed(Arc::new(image));
    let mut ext4 = Ext4::mount(device).unwrap();
    assert_eq!(reads.load(Ordering::Relaxed), 3, "superblock, group descriptors, root inode");
    let busybox = find(&mut ext4, "usr/bin/busybox").unwrap();
    ext4.page_source(busybox, 0).unwrap();
    // Three directories' blocks; the inodes lie in the root's block of the inode table.
    assert!(reads.load(Ordering::Relaxed) <= 3 + 3 + 1, "{}", reads.load(Ordering::Relaxed));
}

/// Does all that a kernel may do with an image, and lets it fail.
fn exercise(image: Arc<Vec<u8>>) -> Result<u64, Errno> {
    let (device, reads) = MemoryDevice::boxed(image.clone());
    let mut ext4 = Ext4::mount(device)?;
    let mut todo = vec![ext4.root()];
    let mut seen = alloc::collections::BTreeSet::new();
    while let Some(ino) = todo.pop() {
        if !seen.insert(ino) || seen.len() > 5000 {
            continue;
        }
        let _ = ext4.stat(ino);
        let _ = ext4.readlink(ino);
        if let Ok(size) = ext4.size(ino) {
            for page in 0..(size / PAGE).min(300) {
                for range in ext4.page_source(ino, page).iter().flat_map(PageSource::ranges) {
                    assert!(range.device_offset + u64::from(range.len_bytes) <= image.len() as u64);
                    assert!(range.page_offset + range.len_bytes <= 4096);
                }
            }
            let _ = ext4.page_source(ino, size / PAGE);
        }
        if let Ok(names) = names(&mut ext4, ino) {
            todo.extend(names.iter().map(|(_, ino)| *ino));
            for (name, _) in names.iter().step_by(100) {
                let _ = ext4.lookup(ino, name);
            }
        }
        let _ = ext4.lookup(ino, b"missing");
    }
    Ok(reads.load(Ordering::Relaxed))
}

#[test]
fn damaged_images_give_errors_and_nothing_worse() {
    let tree = Scratch::new("tree");
    make_tree(&tree.0);
    for (seed, options) in [
        (1, ["-t", "ext4", "-b", "1024"]),
        (2, ["-t", "ext4", "-b", "4096"]),
        (3, ["-t", "ext2", "-b", "1024"]),
    ] {
        let image = mke2fs(&tree.0, "16M", &options);
        exercise(Arc::new(image.clone())).unwrap();
        let mut random = Random(seed * 0x1234_5678_9abc_def1);
        // Metadata is where bytes are not zero, mostly; damage is done there.
        let used: Vec<usize> =
            (0..image.len()).step_by(16).filter(|&i| image[i..i + 16] != [0; 16]).collect();
        for round in 0..60 {
            let mut damaged = image.clone();
            let hits = 1 + random.below(200);
            for _ in 0..hits {
                let at = match round % 3 {
                    0 => 1024 + random.below(1024) as usize, // the superblock
                    1 => random.below(400_000) as usize,     // descriptors, inodes, directories
                    _ => used[random.below(used.len() as u64) as usize] + random.below(16) as usize,
                };
                damaged[at] = random.below(256) as u8;
            }
            if round % 3 == 0 {
                damaged[1024 + 0x38..1024 + 0x3a].copy_from_slice(&0xef53_u16.to_le_bytes());
            }
            let _ = exercise(Arc::new(damaged));
        }
    }
}

#[test]
fn a_damaged_superblock_is_refused_with_a_reason() {
    let tree = Scratch::new("tree");
    fs::write(tree.0.join("file"), "x").unwrap();
    let image = mke2fs(&tree.0, "1M", &["-t", "ext4", "-b", "1024"]);
    let mount = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = image.clone();
        change(&mut image);
        Ext4::mount(MemoryDevice::boxed(Arc::new(image)).0).map(|_| ())
    };
    assert_eq!(mount(&|_| ()), Ok(()));
    assert_eq!(mount(&|image| image.clear()), Err(Errno::ENODEV));
    assert_eq!(mount(&|image| image.truncate(300_000)), Err(Errno::EUCLEAN));
    assert_eq!(mount(&|image| image[1024 + 0x38] = 0), Err(Errno::ENODEV));
    assert_eq!(mount(&|image| image[1024 + 0x18] = 200), Err(Errno::EINVAL));
    assert_eq!(mount(&|image| image[1024 + 0x60] |= 4), Err(Errno::EUCLEAN));
    assert_eq!(mount(&|image| image[1024 + 0x62] |= 1), Err(Errno::EINVAL), "encryption");
    assert_eq!(mount(&|image| image[1024 + 0x28..1024 + 0x2c].fill(0)), Err(Errno::EUCLEAN));
}

/// With each request for memory refused once: the operation fails with ENOMEM, and asked again it does what it always does.
#[test]
fn an_operation_without_memory_fails_and_can_be_asked_again() {
    let tree = Scratch::new("refused");
    make_tree(&tree.0);
    let image = Arc::new(mke2fs(&tree.0, "8M", &["-t", "ext4", "-b", "1024", "-O", "^dir_index"]));
    type Operation = fn(&mut Ext4) -> Result<Vec<u8>, Errno>;
    let operations: [Operation; 4] = [
        |ext4| find(ext4, "usr/bin/busybox").map(|ino| ino.to_le_bytes().to_vec()),
        |ext4| find(ext4, "many/a-rather-long-file-name-01234").map(|ino| ino.to_le_bytes().to_vec()),
        |ext4| find(ext4, "slow").and_then(|ino| ext4.readlink(ino)),
        |ext4| {
            let dir = find(ext4, "many")?;
            Ok(names(ext4, dir)?.into_iter().flat_map(|(name, _)| name).collect())
        },
    ];
    let mut expected: [Option<Vec<u8>>; 4] = [const { None }; 4];
    for refused in 0.. {
        let device = MemoryDevice::new(image.clone());
        let requests = device.requests.clone();
        device.refused.store(refused, Ordering::Relaxed);
        let mut refusals = 0;
        let mut ext4 = match Ext4::mount(Box::new(device)) {
            Ok(ext4) => ext4,
            Err(errno) => {
                assert_eq!(errno, Errno::ENOMEM);
                continue;
            }
        };
        for (operation, expected) in operations.iter().zip(&mut expected) {
            let result = operation(&mut ext4).or_else(|errno| {
                assert_eq!(errno, Errno::ENOMEM);
                refusals += 1;
                operation(&mut ext4)
            });
            let result = result.expect("only one request is refused");
            assert_eq!(*expected.get_or_insert_with(|| result.clone()), result);
        }
        if refusals == 0 {
            assert_eq!(requests.load(Ordering::Relaxed), refused, "every request was refused once");
            assert!(refused > 30, "a large directory takes many steps: {refused}");
            return;
        }
        assert_eq!(refusals, 1);
    }
}
