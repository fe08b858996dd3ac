//! The instruction-accurate suite: every row of `tests/rows/` on every engine, where everything that the row does
//! not mention must stay as it was. See `tests/rows/README.md`.

mod row;
mod spike;
mod state;

use std::path::{Path, PathBuf};

use row::{Row, read_rows};

fn all_rows() -> Vec<Row> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rows");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let rows = files.iter().filter(|file| file.extension().is_some_and(|e| e == "rows")).flat_map(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        read_rows(&name, &std::fs::read_to_string(file).unwrap())
    });
    rows.collect()
}

#[test]
fn every_instruction_has_a_row() {
    let rows = all_rows();
    // Traps prove little about a meaning: a row that runs to its end counts, or a trap that is the meaning.
    let shown = |op: isa::Op| {
        let traps_by_meaning = matches!(op, isa::Op::Ecall | isa::Op::Ebreak);
        rows.iter().any(|row| {
            let completed = row.insns.len() - usize::from(row.traps && !traps_by_meaning);
            row.insns[..completed].iter().any(|insn| insn.op == op)
        })
    };
    let missing: Vec<&str> = isa::Op::ALL.iter().filter(|op| !shown(**op)).map(|op| op.name()).collect();
    assert!(missing.is_empty(), "no row for {}", missing.join(", "));
}

/// The rows themselves against Spike: `FOLIO_SPIKE=/path/to/spike cargo test … -- --ignored`.
#[test]
#[ignore = "needs Spike"]
fn spike_agrees_with_every_row() {
    let spike = PathBuf::from(std::env::var("FOLIO_SPIKE").expect("FOLIO_SPIKE names Spike's binary"));
    let filter = std::env::var("FOLIO_ROWS").unwrap_or_default();
    let dir = std::env::temp_dir().join(format!("folio-rows-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (mut failures, mut count) = (Vec::new(), 0);
    for row in all_rows().iter().filter(|row| row.title.contains(&filter) && spike::can_end(row)) {
        count += 1;
        let differences = match spike::run(&spike, &dir, row) {
            Ok(mut found) => {
                let expected = spike::comparable(row, &mut found);
                expected.differences(&found)
            }
            Err(why) => vec![why],
        };
        if !differences.is_empty() {
            failures.push(format!("{}\n    {}", row.title, differences.join("\n    ")));
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
    println!("{count} rows compared");
    assert!(failures.is_empty(), "{} rows differ from Spike:\n{}", failures.len(), failures.join("\n"));
}
