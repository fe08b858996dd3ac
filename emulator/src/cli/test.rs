//! `folio test`: bare-metal test programs, which report through `tohost`.

use super::args::TestArgs;
use super::stdio::HostStdio;
use super::{checked_output, read_input};
use anyhow::{Context, Result, bail};
use emulator::loader::Boot;
use emulator::loader::elf::is_elf;
use emulator::machine::{Machine, MachineConfig, StopReason};
use isa::Step;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What came of one test.
struct Outcome {
    file: PathBuf,
    /// `None` for a pass, else why it failed.
    failure: Option<String>,
    instructions: u64,
}

/// Runs the tests and prints the table; 0 only if all pass.
pub fn test(args: &TestArgs) -> Result<u8> {
    checked_output(args.json.as_deref())?;
    checked_output(args.signature.as_deref())?;
    let files = expand(&args.tests)?;
    if args.signature.is_some() && files.len() != 1 {
        bail!("--signature takes exactly one test, not {}", files.len());
    }
    let outcomes = files.iter().map(|file| run_one(args, file)).collect::<Result<Vec<_>>>()?;
    let width = outcomes.iter().map(|o| o.file.display().to_string().len()).max().unwrap_or(0);
    for outcome in &outcomes {
        let verdict = outcome.failure.as_deref().map_or("pass".to_string(), |why| format!("FAIL  {why}"));
        println!("{:<width$}  {:>12}  {verdict}", outcome.file.display(), outcome.instructions);
    }
    let failed = outcomes.iter().filter(|o| o.failure.is_some()).count();
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    let status = u8::from(failed > 0);
    if let Some(path) = &args.json {
        let tests: Vec<_> = outcomes
            .iter()
            .map(|o| {
                json!({"file": o.file.display().to_string(), "passed": o.failure.is_none(), "reason": o.failure,
                       "instructions": o.instructions})
            })
            .collect();
        super::report::write_json(path, &json!({"version": 1, "exit": status, "tests": tests}))?;
    }
    Ok(status)
}

/// The ELF files meant: each file as given, each folder's ELF files in the order of their names.
fn expand(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| is_elf_file(path))
            .collect();
        if found.is_empty() {
            bail!("{}: no ELF files in this folder", path.display());
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn is_elf_file(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"\x7fELF"
}

fn run_one(args: &TestArgs, file: &Path) -> Result<Outcome> {
    let elf = read_input(file)?;
    let outcome = |failure, instructions| Outcome { file: file.to_path_buf(), failure, instructions };
    if !is_elf(&elf) {
        return Ok(outcome(Some("not an ELF file".to_string()), 0));
    }
    let mut machine = Machine::new(MachineConfig {
        ram_bytes: args.memory,
        isa: args.isa.unwrap_or_default(),
        harts: args.harts.into(),
        ..MachineConfig::default()
    })?;
    machine.set_stdio(Box::new(HostStdio::new()));
    if let Err(error) = machine.boot(&Boot::bare(&elf)) {
        return Ok(outcome(Some(error.to_string()), 0));
    }
    let reason = machine.run(Step(args.fuel));
    let failure = match reason {
        StopReason::ToHost(1) | StopReason::FinisherPass => None,
        StopReason::ToHost(value) => Some(format!("case {} failed", value >> 1)),
        StopReason::FinisherFail(code) => Some(format!("the finisher was told failure {code}")),
        StopReason::Fuel => Some(format!("no result after {} steps (--fuel)", args.fuel)),
        StopReason::Idle | StopReason::NeedInput => {
            Some("waits for something that can never come".to_string())
        }
        other => Some(format!("stopped: {other:?}")),
    };
    if let Some(path) = &args.signature {
        write_signature(&machine, file, path)?;
    }
    Ok(outcome(failure, machine.instructions()))
}

/// One 32-bit word a line, eight hexadecimal digits in lower case.
fn write_signature(machine: &Machine, elf: &Path, path: &Path) -> Result<()> {
    let Some(words) = machine.signature() else {
        bail!("{}: has no symbols begin_signature and end_signature around memory of its own", elf.display());
    };
    let text: String = words.iter().map(|word| format!("{word:08x}\n")).collect();
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
