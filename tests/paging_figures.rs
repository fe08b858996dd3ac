//! What `--stats` and `--json` tell of paging, on whole runs with too few frames: each figure is what the disks and the TLB have counted, and what the processes'
//! figures add up to; and `/proc` tells the same from inside.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/linux.rs"]
mod linux;
mod support;

use serde_json::Value;
use support::{TempDir, count, run_folio, run_with_figures};

/// The counts that an account has, by their paths.
const COUNTS: [&str; 15] = [
    "swap_ins.read",
    "swap_ins.awaited",
    "swap_ins.cached",
    "evictions.total",
    "evictions.local",
    "evictions.by_kind.file",
    "evictions.by_kind.private",
    "evictions.by_kind.tmpfs",
    "evictions.by_kind.clean",
    "evictions.by_kind.zeros",
    "evictions.by_kind.entry",
    "pages.files_read",
    "pages.swap_read",
    "pages.swap_written",
    "steps_waited",
];

fn processes(figures: &Value) -> &[Value] {
    figures["processes"].as_array().unwrap()
}

/// The sum of a count over all processes.
fn sum(figures: &Value, path: &str) -> u64 {
    processes(figures).iter().map(|process| count(process, path)).sum()
}

/// The relations that hold in every run.
fn check(figures: &Value, what: &str) {
    let paging = |path: &str| count(figures, &format!("paging.{path}"));
    for path in COUNTS {
        assert_eq!(sum(figures, path), paging(path), "{what}: {path}");
    }
    for path in ["total", "from_disk", "awaited_read"] {
        let path = format!("faults.{path}");
        assert_eq!(sum(figures, &path), count(figures, &path), "{what}: {path}");
    }
    for (kind, all) in figures["faults"]["by_kind"].as_object().unwrap() {
        let of = |process: &Value| process["faults"]["by_kind"][kind].as_u64().unwrap_or(0);
        assert_eq!(Some(processes(figures).iter().map(of).sum()), all.as_u64(), "{what}: {kind}");
    }
    // The header is read, too.
    assert_eq!(count(figures, "swap_disk.reads"), 1 + paging("pages.swap_read"), "{what}");
    assert_eq!(count(figures, "swap_disk.bytes"), 4096 * (1 + paging("pages.swap_read")), "{what}");
    assert_eq!(count(figures, "swap_disk.writes"), paging("pages.swap_written"), "{what}");
    let written = paging("evictions.by_kind.private") + paging("evictions.by_kind.tmpfs");
    assert_eq!(written, paging("pages.swap_written"), "{what}");
    let back = ["read", "awaited", "cached"].map(|how| paging(&format!("swap_ins.{how}")));
    assert_eq!(back.iter().sum::<u64>(), count(figures, "faults.by_kind.swap_in"), "{what}");
    let kinds = figures["paging"]["evictions"]["by_kind"].as_object().unwrap().values();
    assert_eq!(kinds.map(|of| of.as_u64().unwrap()).sum::<u64>(), paging("evictions.total"), "{what}");
    assert!(paging("pages.files_read") <= count(figures, "disk.reads"), "{what}");
    for counter in ["i.accesses", "i.misses", "d.accesses", "d.misses"] {
        let all = count(figures, &format!("tlb.{counter}"));
        assert_eq!(sum(figures, &format!("tlb.{counter}")), all, "{what}: {counter}");
    }
    for process in processes(figures) {
        let all = process["thrown_out"].as_array().unwrap().iter().map(|of| count(of, "pages")).sum::<u64>();
        // A page that several map counts for each.
        assert!(all >= count(process, "evictions.total"), "{what}: {process}");
        assert!(count(process, "steps_waited") <= count(figures, "steps"), "{what}: {process}");
    }
    let lost = |process: &Value| {
        let thrown = processes(figures).iter().flat_map(|by| by["thrown_out"].as_array().unwrap());
        thrown.filter(|of| of["of"] == process["pid"]).map(|of| count(of, "pages")).sum::<u64>()
    };
    for process in processes(figures).iter().filter(|process| process["pid"] != 0) {
        assert_eq!(lost(process), count(process, "pages_lost"), "{what}: {process}");
    }
    let access = |name: &str| count(figures, &format!("effective_access.{name}"));
    assert_eq!(access("accesses"), count(figures, "instructions_user"), "{what}");
    assert_eq!(access("faults"), count(figures, "faults.total"), "{what}");
    assert_eq!(access("steps_waited"), paging("steps_waited"), "{what}");
    let kernel = count(figures, "instructions") - count(figures, "instructions_user");
    assert_eq!(access("kernel_instructions"), kernel, "{what}");
    let term = |name: &str| figures["effective_access"][name].as_f64().unwrap();
    let all_service = term("page_fault_service_steps") * access("faults") as f64;
    assert!((all_service / (access("steps_waited") + kernel) as f64 - 1.0).abs() < 1e-9, "{what}");
    // By the formula, all accesses together take a step each, and each fault its service time in place of one.
    let all_steps = term("effective_access_steps") * access("accesses") as f64;
    let expected = (access("accesses") - access("faults")) as f64 + all_service;
    assert!((all_steps / expected - 1.0).abs() < 1e-9, "{what}");
}

#[test]
fn each_figure_of_paging_is_what_was_counted_elsewhere() {
    let dir = TempDir::new("paging-figures");
    for args in [
        &["--frames", "150", "larger", "1M"][..],
        &["--frames", "150", "--policy", "fifo", "larger", "1M"],
        &["--frames", "150", "larger", "random", "1M", "1", "4"],
        &["--frames", "180", "--policy", "random", "larger", "random", "1M", "1", "20"],
        &["--frames", "110", "shared"],
        &["--process-frames", "40", "larger", "random", "1M", "2", "3"],
        &["--process-frames", "24", "shared", "60", "3"],
        &["cowfork"],
    ] {
        let what = args.join(" ");
        let (ran, figures) = run_with_figures(&dir, args);
        assert_eq!(ran.status, 0, "{what}: {ran:?}");
        check(&figures, &what);
        let paging = |path: &str| count(&figures, &format!("paging.{path}"));
        let is_local = args[0] == "--process-frames";
        let is_enough = args[0] == "cowfork";
        let local = if is_local { paging("evictions.total") } else { 0 };
        assert_eq!(paging("evictions.local"), local, "{what}");
        assert_eq!(paging("evictions.total") == 0, is_enough, "{what}");
        assert_eq!(paging("slots_peak") == 0, is_enough, "{what}");
        assert!(paging("steps_waited") > 0, "{what}: its program was read");
        let has_shared = args.contains(&"shared");
        if has_shared {
            assert!(paging("evictions.by_kind.tmpfs") > 0, "{what}");
            assert!(
                paging("pages.swap_read") > paging("swap_ins.read"),
                "{what}: tmpfs pages are no swap_in"
            );
        }
        let (_, again) = run_with_figures(&dir, args);
        assert_eq!(again, figures, "{what}");
    }
}

#[test]
fn processes_are_columns_where_they_are_few() {
    let told = |args: &[&str]| run_folio(["run", "--stats"].iter().chain(args)).stderr;
    let (one, few) = (told(&["--frames", "150", "larger", "1M"]), told(&["--frames", "110", "shared"]));
    let many = told(&["--frames", "200", "larger", "random", "1M", "1", "6"]);
    let row = |text: &str, name: &str| {
        text.lines().find(|line| line.trim_start().starts_with(name)).map(str::to_string)
    };
    assert!(row(&one, "by process").is_none() && row(&many, "by process").is_none(), "{one} {many}");
    let heads = row(&few, "by process").unwrap_or_else(|| panic!("{few}"));
    for head in ["1 shared", "2 shared", "3 shared"] {
        assert!(heads.contains(head), "{few}");
    }
    for name in ["of process 1", "of process 2", "of nobody", "pages lost", "effective access time"] {
        assert!(row(&few, name).is_some(), "{name}: {few}");
    }
    assert!(row(&few, "slots in use at peak").is_some() && row(&one, "private pages, written").is_some());
}

#[test]
fn proc_tells_of_swap_what_the_host_counts() {
    let Some(busybox) = linux::input("busybox") else { return };
    let dir = TempDir::new("paging-proc");
    std::fs::create_dir(dir.file("bin")).unwrap();
    std::fs::copy(busybox, dir.file("bin/busybox")).unwrap();
    // The shell waits meanwhile, with most of its pages in swap space.
    let script = "/bin/busybox cat /proc/$$/status /proc/$$/smaps /proc/vmstat /proc/meminfo; true";
    let root = dir.path().to_str().unwrap();
    let args = ["--process-frames", "16", "--root", root, "/bin/busybox", "sh", "-c"];
    let (ran, figures) = run_with_figures(&dir, args.iter().copied().chain([script]));
    assert_eq!(ran.status, 0, "{ran:?}");
    check(&figures, script);
    // Every number behind a name, as they come.
    let all = |name: &str| -> Vec<u64> {
        let lines = ran.stdout.lines().filter(|line| line.split([':', ' ']).next() == Some(name));
        lines.map(|line| line.split([':', ' ', '\t']).find_map(|word| word.parse().ok()).unwrap()).collect()
    };
    let one = |name: &str| *all(name).first().unwrap_or_else(|| panic!("{name}: {ran:?}"));
    assert!(one("VmSwap") > 0, "{ran:?}");
    assert_eq!(all("Swap").iter().sum::<u64>(), one("VmSwap"), "{ran:?}");
    let shares: u64 = all("SwapPss").iter().sum();
    assert!(0 < shares && shares <= one("VmSwap"), "{ran:?}");
    let used = one("SwapTotal") - one("SwapFree");
    assert!(used >= one("VmSwap") && used >= one("SwapCached"), "{ran:?}");
    let before_the_end = [
        ("pswpin", "paging.pages.swap_read"),
        ("pswpout", "paging.pages.swap_written"),
        ("pgfault", "faults.total"),
        ("pgmajfault", "faults.from_disk"),
    ];
    for (name, path) in before_the_end {
        let (told, counted) = (one(name), count(&figures, path));
        assert!(0 < told && told <= counted, "{name}: {told} of {counted}");
    }
}

/// A program that cannot be read has begun no process, and its steps are told all the same.
#[test]
fn the_tlb_is_shared_out_where_no_program_begins() {
    let dir = TempDir::new("unread");
    for read in ["1", "2", "3"] {
        let fault = format!("root:read:{read}");
        let (ran, figures) = run_with_figures(&dir, ["--disk-fault", &fault, "hello"]);
        assert_eq!(ran.status, 125, "{read}: {ran:?}");
        for counter in ["i.accesses", "i.misses", "d.accesses", "d.misses"] {
            let all = count(&figures, &format!("tlb.{counter}"));
            assert_eq!(sum(&figures, &format!("tlb.{counter}")), all, "{read}: {counter}");
        }
    }
}
