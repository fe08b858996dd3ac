//! Which files are tests: files, folders and everything below them, patterns. Suites' programs have no extension of
//! their own, so a test is what its ELF header says.

use anyhow::{Context, Result, anyhow, bail};
use goblin::elf::header::{ELFCLASS32, ELFMAG, EM_RISCV, ET_DYN, ET_EXEC};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use walkdir::WalkDir;

/// A test to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Test {
    pub path: PathBuf,
    /// The file's name, without the extension `.elf`.
    pub name: String,
    pub suite: String,
    /// The name, with its folder if another test has the same: unique.
    pub label: PathBuf,
}

/// Files that are no tests, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Skipped {
    pub no_elf: usize,
    pub other_machine: usize,
    pub for_32_bits: usize,
    pub not_executable: usize,
    /// Links to nowhere or in a circle, pipes, what may not be read.
    pub unreadable: usize,
}

/// What was found, in the order given and then of the names.
pub struct Found {
    pub tests: Vec<Test>,
    pub skipped: Skipped,
}

/// What a file is, by its first bytes.
enum Kind {
    Test,
    NoElf,
    OtherMachine,
    For32Bits,
    NotExecutable,
}

/// The length of what [`kind_of`] looks at: up to `e_machine`.
const HEAD_BYTES: usize = 20;

impl Skipped {
    pub fn total(&self) -> usize {
        self.no_elf + self.other_machine + self.for_32_bits + self.not_executable + self.unreadable
    }
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reasons: Vec<String> = [
            (self.no_elf, "no ELF"),
            (self.other_machine, "for another machine"),
            (self.for_32_bits, "for 32 bits"),
            (self.not_executable, "not linked"),
            (self.unreadable, "that cannot be read"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
        let files = if self.total() == 1 { "file" } else { "files" };
        write!(f, "{} {files} skipped ({})", self.total(), reasons.join(", "))
    }
}

/// Finds the tests that are meant.
pub fn find(given: &[PathBuf]) -> Result<Found> {
    let mut finder = Finder::default();
    for path in given {
        if path.exists() {
            finder.take(path)?;
        } else {
            finder.take_pattern(path)?;
        }
    }
    let Finder { mut tests, skipped, .. } = finder;
    if tests.is_empty() {
        let names: Vec<String> = given.iter().map(|path| path.display().to_string()).collect();
        let why = if skipped.total() == 0 { "no files".to_string() } else { skipped.to_string() };
        bail!("no RISC-V programs in {}: {why}; give ELF files built for riscv64", names.join(", "));
    }
    label(&mut tests);
    name_suites(&mut tests);
    Ok(Found { tests, skipped })
}

#[derive(Default)]
struct Finder {
    tests: Vec<Test>,
    skipped: Skipped,
    /// What has been looked at: a file that is named twice is run once.
    seen: BTreeSet<PathBuf>,
}

impl Finder {
    /// A file, or a folder with everything below it.
    fn take(&mut self, path: &Path) -> Result<()> {
        if !path.is_dir() {
            return self.take_file(path);
        }
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if error.depth() > 0 => {
                    self.skipped.unreadable += 1;
                    continue;
                }
                Err(error) => bail!("cannot read {}: {error}", path.display()),
            };
            if entry.file_type().is_file() {
                self.take_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// A path that is no file: a pattern, or a mistake.
    fn take_pattern(&mut self, path: &Path) -> Result<()> {
        let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
        let Some(pattern) = pattern else {
            let error = std::fs::metadata(path).err().unwrap_or(std::io::ErrorKind::NotFound.into());
            bail!("cannot read {}: {error}", path.display());
        };
        let matches = glob::glob(pattern).with_context(|| format!("{pattern} is no pattern"))?;
        let mut any = false;
        for path in matches {
            let path = path.map_err(|error| anyhow!("cannot read {}: {error}", error.path().display()))?;
            self.take(&path)?;
            any = true;
        }
        if !any {
            bail!("{pattern}: no file has such a name");
        }
        Ok(())
    }

    fn take_file(&mut self, path: &Path) -> Result<()> {
        if !self.seen.insert(path.to_path_buf()) {
            return Ok(());
        }
        if !path.is_file() {
            bail!("{} is neither a file nor a folder", path.display());
        }
        let kind = kind_of(path).with_context(|| format!("cannot read {}", path.display()))?;
        match kind {
            Kind::Test => {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let name = file.strip_suffix(".elf").unwrap_or(&file).to_string();
                let label = PathBuf::from(&name);
                self.tests.push(Test { path: path.to_path_buf(), name, suite: String::new(), label });
            }
            Kind::NoElf => self.skipped.no_elf += 1,
            Kind::OtherMachine => self.skipped.other_machine += 1,
            Kind::For32Bits => self.skipped.for_32_bits += 1,
            Kind::NotExecutable => self.skipped.not_executable += 1,
        }
        Ok(())
    }
}

/// A file that ends within its header is a test: its failure says that it is incomplete.
fn kind_of(path: &Path) -> std::io::Result<Kind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    if !head.starts_with(ELFMAG) {
        return Ok(Kind::NoElf);
    }
    let half = |at: usize| head.get(at..at + 2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    Ok(match (half(18), half(16), head.get(4)) {
        (Some(machine), ..) if machine != EM_RISCV => Kind::OtherMachine,
        (_, _, Some(&ELFCLASS32)) => Kind::For32Bits,
        (_, Some(kind), _) if !matches!(kind, ET_EXEC | ET_DYN) => Kind::NotExecutable,
        _ => Kind::Test,
    })
}

/// Where a file lies, from the root on, without `.` and `..`; links keep their names.
fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match std::path::absolute(folder) {
        Ok(folder) if !folder.components().any(|part| part == Component::ParentDir) => folder,
        _ => folder.canonicalize().unwrap_or(folder.to_path_buf()),
    }
}

/// Names each test's suite, by its own name or by its folder: the path from the folder that all tests have in common, that
/// one's name included. So the name depends on the tests that are run, and not on how they were given.
fn name_suites(tests: &mut [Test]) {
    let folders: Vec<PathBuf> = tests.iter().map(|test| folder_of(&test.path)).collect();
    let Some(first) = folders.first() else { return };
    let common = first.ancestors().find(|common| folders.iter().all(|folder| folder.starts_with(common)));
    let common = common.unwrap_or(Path::new(""));
    for (test, folder) in tests.iter_mut().zip(&folders) {
        test.suite = suite_of(&test.name).map_or_else(|| name_of_folder(folder, common), str::to_string);
    }
}

fn name_of_folder(folder: &Path, common: &Path) -> String {
    let name = folder.strip_prefix(common.parent().unwrap_or(common)).unwrap_or(folder);
    let name = name.display().to_string();
    if name.is_empty() { folder.display().to_string() } else { name }
}

/// The suite of a test whose name is riscv-tests': `rv64ui-p` of `rv64ui-p-add`.
fn suite_of(name: &str) -> Option<&str> {
    let (isa, rest) = name.split_once('-')?;
    let (environment, test) = rest.split_once('-')?;
    let known = isa.starts_with("rv64") && matches!(environment, "p" | "v" | "pm" | "pt");
    (known && !test.is_empty()).then(|| &name[..isa.len() + 1 + environment.len()])
}

/// Tests that share a name are told apart by their folders.
fn label(tests: &mut [Test]) {
    let mut by_name = BTreeMap::<String, usize>::new();
    for test in tests.iter() {
        *by_name.entry(test.name.clone()).or_default() += 1;
    }
    for test in tests.iter_mut().filter(|test| by_name[&test.name] > 1) {
        let folder = test.path.parent().unwrap_or(Path::new(""));
        let parts = folder.components().filter(|part| matches!(part, Component::Normal(_)));
        test.label = parts.collect::<PathBuf>().join(&test.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_told_by_name() {
        for (name, suite) in [
            ("rv64ui-p-add", Some("rv64ui-p")),
            ("rv64uzfh-v-fadd", Some("rv64uzfh-v")),
            ("rv64mi-p-ma_addr", Some("rv64mi-p")),
            ("rv64mi-p-ld-misaligned", Some("rv64mi-p")),
            ("rv64ui-p-", None),
            ("rv64ui-add", None),
            ("I-add-00", None),
            ("add-01", None),
            ("hello", None),
        ] {
            assert_eq!(suite_of(name), suite, "{name}");
        }
    }

    #[test]
    fn tests_of_one_name_get_labels_of_their_own() {
        let test = |path: &str| {
            let name = path.rsplit_once('/').unwrap().1.to_string();
            Test { path: path.into(), suite: String::new(), label: (&name).into(), name }
        };
        let mut tests = vec![test("a/add"), test("/b/c/add"), test("b/sub")];
        label(&mut tests);
        let labels: Vec<&Path> = tests.iter().map(|test| test.label.as_path()).collect();
        assert_eq!(labels, [Path::new("a/add"), Path::new("b/c/add"), Path::new("sub")]);
    }
}
