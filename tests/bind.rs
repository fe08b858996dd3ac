//! `--bind HOST:GUEST[:rw]`: what the guest sees of the host's folder, that it is a file system of its own there, and what is written out at the
//! end of the run: what has changed, and nothing else, whatever the program did and however it ended.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use support::{Ran, TempDir, folio, run, run_with_figures};

/// Does what its words say, one operation after the other, and tells of what fails.
const DO: &str = r#"
    #define _GNU_SOURCE
    #include <dirent.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <signal.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <sys/stat.h>
    #include <sys/statvfs.h>
    #include <unistd.h>

    static char **word;
    static char *next(void) { return *word ? *word++ : ""; }
    static int is(const char *op, const char *name) { return !strcmp(op, name); }

    static int put(const char *path, int flags, const char *text) {
        int fd = open(path, O_WRONLY | flags, 0644);
        if (fd < 0) return -1;
        int failed = write(fd, text, strlen(text)) < 0;
        close(fd);
        return failed ? -1 : 0;
    }

    static int show(const char *path) {
        char text[4096];
        int fd = open(path, O_RDONLY);
        if (fd < 0) return -1;
        ssize_t len = read(fd, text, sizeof text);
        if (len < 0) return -1;
        printf("%.*s", (int)len, text);
        return close(fd);
    }

    static int list(const char *path) {
        DIR *dir = opendir(path);
        if (!dir) return -1;
        for (struct dirent *it; (it = readdir(dir));)
            if (it->d_name[0] != '.') printf("%s\n", it->d_name);
        return closedir(dir);
    }

    static int map(const char *path, const char *text) {
        int fd = open(path, O_RDWR);
        if (fd < 0) return -1;
        char *at = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED) return -1;
        memcpy(at, text, strlen(text));
        return close(fd);
    }

    static int way(const char *path) {
        char name[4096];
        if (chdir(path)) return -1;
        printf("%s", getcwd(name, sizeof name));
        if (chdir("..")) return -1;
        printf(" %s\n", getcwd(name, sizeof name));
        return 0;
    }

    static int opened(const char *path) {
        char name[4096], link[64];
        int fd = open(path, O_RDONLY);
        if (fd < 0) return -1;
        sprintf(link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, name, sizeof name);
        printf("%.*s\n", (int)len, name);
        return 0;
    }

    static int devices(const char *a, const char *b) {
        struct stat x, y;
        if (stat(a, &x) || stat(b, &y)) return -1;
        puts(x.st_dev == y.st_dev ? "one device" : "two devices");
        return 0;
    }

    static int age(const char *a, const char *b) {
        struct stat x, y;
        if (stat(a, &x) || stat(b, &y)) return -1;
        long seconds = x.st_mtim.tv_sec - y.st_mtim.tv_sec, more = x.st_mtim.tv_nsec - y.st_mtim.tv_nsec;
        puts(seconds < 0 || !seconds && more < 0 ? "older" : seconds || more ? "newer" : "as old");
        return 0;
    }

    static int maps(const char *end) {
        char line[4096];
        FILE *file = fopen("/proc/self/maps", "r");
        while (fgets(line, sizeof line, file))
            if (strstr(line, end)) { printf("%s", strchr(line, '/')); break; }
        return fclose(file);
    }

    static int grep(const char *path, const char *part) {
        char line[4096];
        FILE *file = fopen(path, "r");
        if (!file) return -1;
        while (fgets(line, sizeof line, file)) if (strstr(line, part)) printf("%s", line);
        return fclose(file);
    }

    int main(int argc, char **argv) {
        word = argv + 1;
        while (*word) {
            const char *op = next(), *a = next();
            int failed = 0;
            struct statvfs room;
            if (is(op, "show")) failed = show(a);
            else if (is(op, "new")) failed = put(a, O_CREAT | O_TRUNC, next());
            else if (is(op, "add")) failed = put(a, O_APPEND, next());
            else if (is(op, "touch")) failed = put(a, 0, "");
            else if (is(op, "map")) failed = map(a, next());
            else if (is(op, "cut")) failed = truncate(a, atol(next()));
            else if (is(op, "mkdir")) failed = mkdir(a, 0755);
            else if (is(op, "rm")) failed = unlink(a);
            else if (is(op, "rmdir")) failed = rmdir(a);
            else if (is(op, "mv")) failed = rename(a, next());
            else if (is(op, "swap")) failed = renameat2(AT_FDCWD, a, AT_FDCWD, next(), RENAME_EXCHANGE);
            else if (is(op, "ln")) failed = link(a, next());
            else if (is(op, "symlink")) failed = symlink(a, next());
            else if (is(op, "fifo")) failed = mkfifo(a, 0644);
            else if (is(op, "chmod")) failed = chmod(a, strtol(next(), 0, 8));
            else if (is(op, "ls")) failed = list(a);
            else if (is(op, "way")) failed = way(a);
            else if (is(op, "opened")) failed = opened(a);
            else if (is(op, "devices")) failed = devices(a, next());
            else if (is(op, "age")) failed = age(a, next());
            else if (is(op, "maps")) failed = maps(a);
            else if (is(op, "grep")) failed = grep(a, next());
            else if (is(op, "room")) failed = statvfs(a, &room) || !room.f_blocks;
            else if (is(op, "exit")) return atoi(a);
            else if (is(op, "kill")) { fflush(stdout); kill(getpid(), atoi(a)); }
            else if (is(op, "keep")) { if (open(a, O_RDWR) < 0) failed = -1; }
            else if (is(op, "spin")) { fflush(stdout); for (;;) ; }
            else return 99;
            if (failed) printf("%s %s: %s\n", op, a, strerrorname_np(errno));
        }
        return 0;
    }
"#;

/// A folder with the program, and a folder `host` in it with some files.
fn world(name: &str) -> TempDir {
    let dir = TempDir::new(name);
    c_program::compile(&dir, "do", DO);
    let host = dir.file("host");
    fs::create_dir_all(host.join("sub/deep")).unwrap();
    fs::write(host.join("text"), "as it was\n").unwrap();
    fs::write(host.join("sub/deep/inner"), "inner\n").unwrap();
    fs::write(host.join("sub/other"), "other\n").unwrap();
    fs::hard_link(host.join("text"), host.join("twin")).unwrap();
    symlink("deep/inner", host.join("sub/link")).unwrap();
    fs::set_permissions(host.join("sub/other"), fs::Permissions::from_mode(0o640)).unwrap();
    dir
}

/// `folio run` with these binds, doing these operations.
fn done(dir: &TempDir, binds: &[&str], operations: &str) -> Ran {
    let mut command = folio(["run"]);
    for bind in binds {
        command.args(["--bind", bind]);
    }
    command.arg("./do").args(operations.split_whitespace()).current_dir(dir.path());
    run(command)
}

/// All below a folder: what each file is.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (name, metadata) = (entry.file_name().into_string().unwrap(), entry.metadata().unwrap());
        let what = if metadata.is_dir() {
            found.extend(
                tree(&entry.path()).into_iter().map(|(inner, what)| (format!("{name}/{inner}"), what)),
            );
            "folder".to_string()
        } else if metadata.is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            fs::read_to_string(entry.path()).unwrap()
        };
        found.insert(name, format!("{:o} {what}", metadata.mode() & 0o777));
    }
    found
}

/// The lines of `after` that `before` has not, each with `+`, and the other way round with `-`.
fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let only = |of: &BTreeMap<String, String>, other: &BTreeMap<String, String>, sign: char| {
        let missing = of.iter().filter(|&(name, what)| other.get(name) != Some(what));
        missing.map(|(name, what)| format!("{sign}{name} {}", what.trim_end())).collect::<Vec<_>>()
    };
    [only(before, after, '-'), only(after, before, '+')].concat()
}

#[test]
fn a_folder_is_a_file_system_of_its_own_at_its_path() {
    let dir = world("bind-seen");
    let before = tree(&dir.file("host"));
    for (operations, out) in [
        ("show /src/text show /src/sub/link ls /src/sub", "as it was\ninner\ndeep\nlink\nother\n"),
        ("way /src/sub/deep way /src", "/src/sub/deep /src/sub\n/src /\n"),
        (
            "opened /src/sub/link devices / /src devices /src /src/sub",
            "/src/sub/deep/inner\ntwo devices\none device\n",
        ),
        (
            "mv /src/text /text ln /src/text /text mv /bin /src/bin",
            "mv /src/text: EXDEV\nln /src/text: EXDEV\nmv /bin: EXDEV\n",
        ),
        ("rmdir /src mv /src /other rm /src", "rmdir /src: EBUSY\nmv /src: EBUSY\nrm /src: EISDIR\n"),
        (
            "grep /proc/mounts bind grep /proc/self/mountinfo bind",
            "bind /src ext4 rw,relatime 0 0\n26 20 0:7 / /src rw,relatime - ext4 bind rw\n",
        ),
        ("room /src ls /src/", "sub\ntext\ntwin\n"),
        // Written in memory; the host's stays.
        (
            "new /src/text new new /src/a b show /src/text show /src/twin rm /src/sub/other ls /src/sub",
            "newnewdeep\nlink\n",
        ),
    ] {
        let ran = done(&dir, &["host:/src"], operations);
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, out, ""), "{operations}");
    }
    assert_eq!(tree(&dir.file("host")), before);
}

#[test]
fn binds_lie_where_they_are_said_to() {
    let dir = world("bind-places");
    for (binds, operations, out) in [
        // The file of a link, and folders that are not there.
        (
            &["host/sub/link:/new/er/file"][..],
            "show /new/er/file devices / /new/er/file ls /new/er",
            "inner\ntwo devices\nfile\n",
        ),
        (
            &["host/text:/etc/passwd"],
            "show /etc/passwd rm /etc/passwd ls /etc",
            "as it was\nrm /etc/passwd: EBUSY\ngroup\npasswd\n",
        ),
        // Over a folder of the root's, over what is mounted there, two of them, one in another, the same twice.
        (&["host:/tmp"], "ls /tmp new /tmp/x y show /tmp/x", "sub\ntext\ntwin\ny"),
        (
            &["host:/a", "host/sub:/b/c"],
            "devices /a /b/c show /b/c/other mv /a/text /b/c/text",
            "two devices\nother\nmv /a/text: EXDEV\n",
        ),
        (
            &["host:/a", "host/sub:/a/sub/deep"],
            "ls /a/sub/deep way /a/sub/deep/deep devices /a/sub /a/sub/deep",
            "deep\nlink\nother\n/a/sub/deep/deep /a/sub/deep\ntwo devices\n",
        ),
        (&["host:/a b:/c"], "ls /a", "ls /a: ENOENT\n"),
    ] {
        if binds == ["host:/a b:/c"] {
            fs::create_dir_all(dir.file("host:/a b")).unwrap();
        }
        let ran = done(&dir, binds, operations);
        assert_eq!(
            (ran.status, ran.stdout.as_str(), ran.stderr.as_str()),
            (0, out, ""),
            "{binds:?} {operations}"
        );
    }
}

#[test]
fn a_program_in_a_bind_is_paged_in_from_there() {
    let dir = world("bind-program");
    let arguments = [
        "--stats",
        "--by",
        "vma",
        "--read-ahead",
        "4",
        "--bind",
        ".:/opt/it",
        "--",
        "/opt/it/do",
        "maps",
        "/do",
    ];
    let mut command = folio(["run"]);
    command.args(arguments).current_dir(dir.path());
    let ran = run(command);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "/opt/it/do\n"));
    assert!(ran.stderr.contains("/opt/it/do"), "{}", ran.stderr);
    // A folder as the root, and few frames: pages come more than once.
    let path = dir.path().to_str().unwrap();
    let bind = format!("{path}:/src:rw");
    let few = [
        "--root",
        path,
        "--frames",
        "24",
        "--bind",
        &bind,
        "/src/do",
        "new",
        "/src/host/new",
        "text",
        "show",
        "/src/host/new",
    ];
    let (ran, figures) = run_with_figures(&dir, few);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "text", ""));
    assert_eq!(fs::read_to_string(dir.file("host/new")).unwrap(), "text");
    assert!(support::count(&figures, "faults.from_disk") > 0);
}

#[test]
fn what_has_changed_is_written_out() {
    for (operations, expected) in [
        ("show /w/text show /w/sub/link", &[][..]),
        // Opened, written with the same, moved there and back.
        ("keep /w/text keep /w/sub/other", &[]),
        ("mv /w/text /w/x mv /w/x /w/text", &[]),
        (
            "new /w/new text mkdir /w/dir new /w/dir/x y symlink ../text /w/dir/l",
            &["+dir 755 folder", "+dir/l 777 -> ../text", "+dir/x 644 y", "+new 644 text"],
        ),
        ("add /w/sub/other more", &["-sub/other 640 other", "+sub/other 640 other\nmore"]),
        ("map /w/sub/other OTH", &["-sub/other 640 other", "+sub/other 640 OTHer"]),
        (
            "cut /w/sub/other 2 chmod /w/sub/deep 700",
            &["-sub/deep 755 folder", "-sub/other 640 other", "+sub/deep 700 folder", "+sub/other 640 ot"],
        ),
        // Both names of a file, and one of them another's.
        ("new /w/twin x", &["-text 644 as it was", "-twin 644 as it was", "+text 644 x", "+twin 644 x"]),
        ("new /w/y x mv /w/y /w/twin", &["-twin 644 as it was", "+twin 644 x"]),
        ("rm /w/text rm /w/sub/link", &["-sub/link 777 -> deep/inner", "-text 644 as it was"]),
        (
            "mv /w/sub/deep /w/moved",
            &[
                "-sub/deep 755 folder",
                "-sub/deep/inner 644 inner",
                "+moved 755 folder",
                "+moved/inner 644 inner",
            ],
        ),
        (
            "mv /w/sub /w/elsewhere rm /w/elsewhere/other rm /w/elsewhere/deep/inner rmdir /w/elsewhere/deep",
            &[
                "-sub 755 folder",
                "-sub/deep 755 folder",
                "-sub/deep/inner 644 inner",
                "-sub/link 777 -> deep/inner",
                "-sub/other 640 other",
                "+elsewhere 755 folder",
                "+elsewhere/link 777 -> deep/inner",
            ],
        ),
        (
            "swap /w/text /w/sub/other",
            &["-sub/other 640 other", "-text 644 as it was", "+sub/other 644 as it was", "+text 640 other"],
        ),
        (
            "rm /w/text mkdir /w/text new /w/text/x y",
            &["-text 644 as it was", "+text 755 folder", "+text/x 644 y"],
        ),
        // What has no name any more, and one more name.
        ("keep /w/sub/other rm /w/sub/other", &["-sub/other 640 other"]),
        ("ln /w/sub/other /w/third", &["+third 640 other"]),
        // However it ends.
        ("new /w/new text exit 3", &["+new 644 text"]),
        ("new /w/new text kill 9", &["+new 644 text"]),
    ] {
        let dir = world("bind-written");
        let host = dir.file("host");
        let (before, ino) = (tree(&host), fs::metadata(host.join("sub/other")).unwrap().ino());
        let ran = done(&dir, &["host:/w:rw"], operations);
        let status = if operations.ends_with("exit 3") {
            3
        } else if operations.ends_with("kill 9") {
            137
        } else {
            0
        };
        assert_eq!(ran.status, status, "{operations}: {}{}", ran.stdout, ran.stderr);
        let after = tree(&host);
        assert_eq!(changes(&before, &after), expected, "{operations}");
        if expected.is_empty() {
            assert_eq!(fs::metadata(host.join("sub/other")).unwrap().ino(), ino, "it is the same file");
        }
        assert!(!after.keys().any(|name| name.contains(".folio")), "{after:?}");
    }
}

#[test]
fn files_keep_their_times_and_what_is_new_is_newer() {
    let dir = world("bind-times");
    let host = dir.file("host");
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::new(seconds, 123_456_789);
    // One from before the machine's own time, and one from long after it.
    for (name, seconds) in [("text", 1_000_000_000), ("sub/other", 4_000_000_000)] {
        fs::File::options().write(true).open(host.join(name)).unwrap().set_modified(at(seconds)).unwrap();
    }
    let operations = "age /w/text /w/sub/other age /w/text /w/twin new /w/new x age /w/new /w/sub/other mv /w/text /w/moved";
    let ran = done(&dir, &["host:/w:rw"], operations);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "older\nas old\nnewer\n", ""));
    let modified = |name: &str| fs::metadata(host.join(name)).unwrap().modified().unwrap();
    assert_eq!([modified("moved"), modified("sub/other")], [at(1_000_000_000), at(4_000_000_000)]);
    assert!(modified("new") > at(4_000_000_000) && modified("new") < at(4_000_000_100));
    // So it is in the next run, and what is newer makes a file another one.
    let ran = done(
        &dir,
        &["host:/w:rw"],
        "age /w/new /w/sub/other new /w/sub/other other\n age /w/sub/other /w/new",
    );
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "newer\nnewer\n"));
    assert!(modified("sub/other") > modified("new"));
}

#[test]
fn names_of_one_file_stay_names_of_one_file() {
    let dir = world("bind-links");
    let ran = done(&dir, &["host:/w:rw"], "new /w/twin x ln /w/sub/other /w/third");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    for (a, b) in [("text", "twin"), ("sub/other", "third")] {
        let ino = |name: &str| fs::metadata(dir.file("host").join(name)).unwrap().ino();
        assert_eq!(ino(a), ino(b), "{a} {b}");
    }
}

#[test]
fn a_file_alone_is_written_out_and_nothing_beside_it() {
    let dir = world("bind-file");
    let host = dir.file("host");
    let before = tree(&host);
    let ran = done(&dir, &["host/sub/other:/etc/conf:rw"], "add /etc/conf more new /etc/beside x");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let expected = ["-sub/other 640 other", "+sub/other 640 other\nmore"];
    assert_eq!(changes(&before, &tree(&host)), expected);
}

#[test]
fn large_and_sparse_files_come_out_whole() {
    let dir = world("bind-large");
    let large: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    fs::write(dir.file("host/large"), &large).unwrap();
    // In fewer frames than it has pages: what has changed goes to swap space.
    let mut command = folio(["run", "--frames", "100", "--bind", "host:/w:rw", "./do"]);
    command.args(["map", "/w/large", "XY", "cut", "/w/large", "1000001", "new", "/w/sparse", "x"]);
    command
        .args(["cut", "/w/sparse", "4000000000", "mv", "/w/large", "/w/sub/large"])
        .current_dir(dir.path());
    let ran = run(command);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let mut expected = large[..1_000_001].to_vec();
    expected[..2].copy_from_slice(b"XY");
    assert!(fs::read(dir.file("host/sub/large")).unwrap() == expected);
    assert_eq!(fs::metadata(dir.file("host/sparse")).unwrap().len(), 4_000_000_000);
}

#[test]
fn a_run_that_is_stopped_writes_nothing() {
    let dir = world("bind-stopped");
    let before = tree(&dir.file("host"));
    let mut command = folio(["run", "--fuel", "30000000", "--bind", "host:/w:rw", "./do"]);
    command.args(["new", "/w/new", "text", "spin"]).current_dir(dir.path());
    let ran = run(command);
    assert_eq!(ran.status, 124, "{}", ran.stderr);
    assert!(ran.stderr.contains("--bind host:/w:rw: nothing is written"), "{}", ran.stderr);
    assert_eq!(tree(&dir.file("host")), before);
}

#[test]
fn what_cannot_be_told_whole_is_not_written() {
    let dir = world("bind-unread");
    fs::write(dir.file("host/large"), vec![b'x'; 400_000]).unwrap();
    let before = tree(&dir.file("host"));
    // Only at the end of the run are so many pages read.
    let mut command = folio(["run", "--disk-fault", "read:100", "--bind", "host:/w:rw", "./do"]);
    command.args(["new", "/w/new", "text", "add", "/w/large", "more"]).current_dir(dir.path());
    let ran = run(command);
    assert_eq!((ran.status, ran.stdout.as_str()), (125, ""), "{}", ran.stderr);
    let part = "--bind host:/w:rw: nothing is written: the guest kernel has not told all of it";
    assert!(ran.stderr.contains(part), "{}", ran.stderr);
    assert_eq!(tree(&dir.file("host")), before);
}

/// The guest makes a file that the host has by then, and moves a folder in which the host has made one.
#[test]
fn what_the_host_has_got_meanwhile_is_not_written_over() {
    for (change, file, part) in [
        ("fclose(fopen(\"/w/new\", \"w\"))", "new", "/host/new: it is there, and was not when the run began"),
        (
            "rename(\"/w/sub\", \"/w/moved\")",
            "sub/more",
            "/host/sub: more is in it, which the guest has not seen",
        ),
    ] {
        refuses_to_write(change, file, part);
    }
}

fn refuses_to_write(change: &str, file: &str, part: &str) {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let dir = world("bind-meanwhile");
    let source = format!(
        "#include <stdio.h>
         int main(void) {{ puts(\"ready\"); fflush(stdout); getchar(); return {change}; }}"
    );
    c_program::compile(&dir, "late", &source);
    let mut command = folio(["run", "--bind", "host:/w:rw", "./late"]);
    command.current_dir(dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = support::child::Running::start(command);
    let mut line = String::new();
    let mut out = BufReader::new(running.child().stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    fs::write(dir.file("host").join(file), "host").unwrap();
    let before = tree(&dir.file("host"));
    running.child().stdin.take().unwrap().write_all(b"\n").unwrap();
    let output = running.output();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains(part), "{said}");
    assert_eq!(tree(&dir.file("host")), before);
}

#[test]
fn what_is_neither_file_nor_folder_nor_link_stays_where_it_is() {
    let dir = world("bind-special");
    let _socket = std::os::unix::net::UnixListener::bind(dir.file("host/socket")).unwrap();
    let ran = done(&dir, &["host:/w:rw"], "ls /w fifo /w/pipe rm /w/text");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "sub\ntext\ntwin\n"));
    for part in [
        "host/socket: neither a folder nor a regular file",
        "pipe is a pipe, socket or device, and is not written",
    ] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert!(
        fs::symlink_metadata(dir.file("host/socket")).is_ok()
            && fs::symlink_metadata(dir.file("host/pipe")).is_err()
    );
    assert!(fs::symlink_metadata(dir.file("host/text")).is_err());
}

#[test]
fn the_debugger_and_compare_take_it() {
    let dir = world("bind-debug");
    let mut command = folio([
        "debug",
        "-ex",
        "break main",
        "-ex",
        "continue",
        "-ex",
        "continue",
        "--bind",
        ".:/w:rw",
        "/w/do",
    ]);
    command.args(["new", "/w/host/new", "text"]).current_dir(dir.path());
    let ran = run(command);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("do.c"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(dir.file("host/new")).unwrap(), "text");
    let mut command = folio(["compare", "--bind", "host:/w:rw", "./do"]);
    command.args(["rm", "/w/text", "show", "/w/new"]).current_dir(dir.path());
    let ran = run(command);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    assert!(dir.file("host/text").exists());
}

#[test]
fn two_runs_are_one() {
    let dir = world("bind-same");
    let runs = [(); 2].map(|()| {
        let bind = format!("{}:/w", dir.file("host").display());
        let (ran, figures) = run_with_figures(
            &dir,
            ["--bind", &bind, dir.file("do").to_str().unwrap(), "ls", "/w", "new", "/w/x", "y"],
        );
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        support::count(&figures, "steps")
    });
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn what_cannot_be_is_said() {
    let dir = world("bind-refused");
    for (binds, part) in [
        (&["nothing:/src"][..], "--bind nothing:/src: HOST must be a folder or file that is there"),
        (&["host"], "expected HOST:GUEST or HOST:GUEST:rw"),
        (&["host:src"], "expected HOST:GUEST or HOST:GUEST:rw"),
        (&["host:/"], "GUEST is `/`: --root gives the root"),
        (&["host:/a/../b"], "GUEST is a path without `.` and `..`"),
        (&["host:/a", "host/sub:/a/"], "only one of them can be there"),
        (&["host:/a:rw", "host/sub:/b:rw"], "both would write the same files"),
        (
            &["host:/etc/passwd"],
            "ENOTDIR: the bind at /etc/passwd: what is there, or on the way, is no folder",
        ),
        (&["host/text:/etc"], "EISDIR: the bind at /etc: a folder is there, and it is a file"),
        (&["host:/proc/no/where"], "ENOENT: the bind at /proc/no/where: nothing can be mounted there"),
    ] {
        let before = tree(&dir.file("host"));
        let ran = done(&dir, binds, "ls /");
        assert_eq!((ran.status, ran.stdout.as_str()), (125, ""), "{binds:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{binds:?}: {}", ran.stderr);
        assert_eq!(tree(&dir.file("host")), before);
    }
    let ran = run(folio(["boot", "--bind", "host:/src", "--kernel", "x"]));
    assert!(ran.status == 125 && ran.stderr.contains("--bind"), "{}", ran.stderr);
}
