//! What memory that is short costs, in instructions of the kernel: the same for each page however many there are, and nothing for RAM that is not used.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use serde_json::Value;
use support::{TempDir, count, run_with_figures};

/// The figures of a program that ends well.
fn figures(command: &[&str]) -> Value {
    let (ran, figures) = run_with_figures(&TempDir::new("pressure-costs"), command);
    assert_eq!(ran.status, 0, "{command:?}: {ran:?}");
    figures
}

fn kernel_instructions(figures: &Value) -> f64 {
    (count(figures, "instructions") - count(figures, "instructions_user")) as f64
}

/// What each of the things that `counted` counts costs, by two runs of which the second has more of them.
fn cost(counted: &str, fewer: &[&str], more: &[&str]) -> f64 {
    let [fewer, more] = [fewer, more].map(figures);
    let number = count(&more, counted) - count(&fewer, counted);
    assert!(number >= 50, "{more}");
    (kernel_instructions(&more) - kernel_instructions(&fewer)) / number as f64
}

/// A fault that brings a page in, and has another thrown out, in a memory of `frames` frames and a program four times as large.
fn page_in_and_out(frames: u32, ram: &str) -> f64 {
    let (frames, size) = (frames.to_string(), format!("{}K", 16 * frames));
    let run = |rounds| ["--memory", ram, "--frames", &frames, "larger", "random", &size, rounds];
    cost("faults.from_disk", &run("1"), &run("2"))
}

#[test]
fn a_page_in_and_one_out_cost_the_same_in_a_memory_of_any_size() {
    let costs = [128, 512, 2048].map(|frames| page_in_and_out(frames, "128M"));
    println!("{costs:.0?} instructions with 128, 512 and 2,048 frames");
    let (least, most) =
        (costs.iter().copied().fold(f64::MAX, f64::min), costs.iter().copied().fold(0.0, f64::max));
    assert!(most <= 1.1 * least, "{costs:?}");
    let large = page_in_and_out(128, "1G");
    println!("{large:.0} with 128 frames of 1 GiB of RAM");
    assert!((large - costs[0]).abs() < 0.01 * large, "{large} and {costs:?}");
}

/// The disk aside: it takes no instructions.
#[test]
fn a_fault_under_pressure_costs_at_most_twice_one_without() {
    // A page from disk, and then a page that is there; the same calls write as many lines.
    let pages: Vec<String> = (100..200).map(|page| page.to_string()).collect();
    let each_once: Vec<&str> = ["demand"].into_iter().chain(pages.iter().map(String::as_str)).collect();
    let one_often: Vec<&str> = ["demand"].into_iter().chain(pages.iter().map(|_| "100")).collect();
    let without = cost("faults.from_disk", &one_often, &each_once);
    let under = page_in_and_out(512, "128M");
    println!("{without:.0} instructions without pressure, {under:.0} under it");
    assert!(under <= 2.0 * without, "{under} and {without}");
}

/// A fork, copies of what it shares, and the ends of both.
#[test]
fn what_a_fork_shares_costs_by_the_page() {
    let run = |pages: &'static str| ["cowfork", pages, pages];
    let costs = [("64", "256"), ("256", "1024"), ("1024", "4096")]
        .map(|(fewer, more)| cost("faults.by_kind.cow_copy", &run(fewer), &run(more)));
    println!("{costs:.0?} instructions a page, to 256, 1,024 and 4,096 pages");
    assert!(costs.iter().all(|&cost| cost <= 1.1 * costs[0]), "{costs:?}");
}

/// A run of `crowd` in so many frames.
fn crowd(dir: &TempDir, frames: &str, words: &[String]) -> Value {
    let mut command = vec!["--frames".to_owned(), frames.to_owned(), dir.file("crowd").display().to_string()];
    command.extend_from_slice(words);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    figures(&command)
}

/// The same pages in as many frames, by ever more processes: those who wait cost little.
#[test]
fn a_fault_costs_little_more_among_a_hundred_processes() {
    let dir = TempDir::new("crowd-costs");
    c_program::compile(&dir, "crowd", include_str!("sources/crowd.c"));
    let costs = [(1, 3000), (10, 300), (100, 30)].map(|(children, pages): (u32, u32)| {
        let words = [children, pages, 2].map(|number| number.to_string());
        let run = crowd(&dir, "1500", &words);
        kernel_instructions(&run) / count(&run, "faults.total") as f64
    });
    println!("{costs:.0?} instructions a fault with 1, 10 and 100 processes");
    assert!(costs[2] <= 2.5 * costs[0], "{costs:?}");
}

/// A fork for which page tables must be made room for, by what it takes beyond the same run without it.
#[test]
fn a_fork_under_pressure_costs_by_the_page() {
    let dir = TempDir::new("fork-costs");
    c_program::compile(&dir, "crowd", include_str!("sources/crowd.c"));
    let costs = [4_000, 16_000].map(|pages: u32| {
        let run = |children: u32| {
            let words = [children, 0, 0, pages].map(|number| number.to_string());
            kernel_instructions(&crowd(&dir, "2000", &words))
        };
        (run(1) - run(0)) / f64::from(pages)
    });
    println!(
        "{costs:.0?} instructions a page of its parent's, with 4,000 and 16,000 of them in 2,000 frames"
    );
    assert!(costs[1] <= 1.5 * costs[0], "{costs:?}");
}
