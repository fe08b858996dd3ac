//! The files that a command writes, `-` being standard output: looked at before anything runs, and one message for each that cannot be written.

use anyhow::{Context, Result, anyhow, bail};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Makes sure, before anything runs, that the files given to these flags can be written and are not one another.
pub fn check(outputs: &[(&'static str, Option<&Path>)]) -> Result<()> {
    let mut files: Vec<(&str, PathBuf)> = Vec::new();
    for &(flag, path) in outputs {
        let Some(path) = path else { continue };
        if !is_stdout(path) {
            check_writable(path)?;
        }
        let Some(file) = place_of(path) else { continue };
        if let Some((other, _)) = files.iter().find(|(_, taken)| *taken == file) {
            bail!("{other} and {flag} are both given {}; give each a file of its own", path.display());
        }
        files.push((flag, file));
    }
    Ok(())
}

/// Leaves what is there as it is, and nothing where nothing was.
fn check_writable(path: &Path) -> Result<()> {
    let is_new = !path.exists();
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let left = opened.and_then(|_| if is_new { std::fs::remove_file(path) } else { Ok(()) });
    left.map_err(|error| cannot_write(path, &error))
}

/// A name that all ways to a file have in common. None for devices and pipes, which may be given twice.
fn place_of(path: &Path) -> Option<PathBuf> {
    if is_stdout(path) {
        return Some(path.to_path_buf());
    }
    if path.exists() {
        return path.canonicalize().ok().filter(|place| place.is_file());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// Whether the name means standard output.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Makes the file, or empties it; `-` is standard output, which gets whole lines.
pub fn create(path: &Path) -> Result<Box<dyn Write>> {
    if is_stdout(path) {
        return Ok(Box::new(io::stdout()));
    }
    let file = File::create(path).map_err(|error| cannot_write(path, &error))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Writes a whole file; `-` is standard output.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let written = if is_stdout(path) {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush())
    } else {
        std::fs::write(path, bytes)
    };
    written.map_err(|error| cannot_write(path, &error))
}

/// Which file, why, and what to try.
pub fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "; choose a file in a folder that exists",
        _ => "",
    };
    anyhow!("cannot write {}: {error}{hint}", path.display())
}

/// Makes a folder for files to be written, with those above it.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))
}
