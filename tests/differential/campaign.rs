//! Many batches of cases one after the other, from one seed; a difference is shrunk and told.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use isa::IsaSet;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::case::Case;
use crate::compare::{Difference, differences};
use crate::generate::{Plan, plans};
use crate::layout::{BATCH, Slot};
use crate::run::{FolioRun, SpikeRun, on_folio};
use crate::runtime::elf_of;
use crate::seeds::{self, Hashes};
use crate::store::{self, shorten};
use crate::tally::Tally;

/// Differences after which it ends.
const MAX_FAILURES: usize = 5;

/// See the module.
pub struct Campaign {
    spike: PathBuf,
    dir: PathBuf,
    seed: u64,
    /// Instructions of cases to compare.
    instructions: u64,
    isa: IsaSet,
    classes: BTreeMap<&'static str, u64>,
    /// Instructions of cases and of the runtime.
    compared: u64,
    cases: u64,
    /// Cases that were not compared, by reason.
    left_out: BTreeMap<&'static str, u64>,
    tally: Tally,
}

impl Drop for Campaign {
    fn drop(&mut self) {
        // What is left behind there does no harm.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// What one batch came to.
struct Outcome {
    folio: FolioRun,
    /// Reasons why cases were left out, one a case.
    left_out: Vec<&'static str>,
    differences: Vec<Difference>,
}

impl Campaign {
    pub fn new(spike: PathBuf, seed: u64, instructions: u64) -> Campaign {
        // Tests run side by side: each campaign has a folder of its own.
        static CAMPAIGNS: AtomicUsize = AtomicUsize::new(0);
        let number = CAMPAIGNS.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("folio-differential-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let isa = std::env::var("FOLIO_DIFF_ISA").ok().map(|text| IsaSet::parse(&text).unwrap());
        Campaign {
            spike,
            dir,
            seed,
            instructions,
            isa: isa.unwrap_or_default(),
            classes: BTreeMap::new(),
            compared: 0,
            cases: 0,
            left_out: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Whether Spike knows all extensions and runs at all.
    pub fn spike_is_usable(&self) -> Result<(), String> {
        let elf = elf_of(&[]);
        SpikeRun::start(&self.spike, &self.dir, &elf, &self.isa).log(0).map(|_| ())
    }

    /// Runs until enough instructions have been compared.
    ///
    /// # Panics
    /// With shrunk cases, if the machines differ.
    pub fn run(&mut self) {
        println!("seed {}, {}", self.seed, self.isa);
        let mut runner = self.runner();
        let strategy = plans();
        let mut failures = Vec::new();
        while self.executed() < self.instructions {
            let trees: Vec<_> = (0..BATCH).map(|_| strategy.new_tree(&mut runner).unwrap()).collect();
            let plans: Vec<(Slot, Plan)> =
                trees.iter().enumerate().map(|(n, tree)| (Slot(n), tree.current())).collect();
            let Outcome { folio, left_out, differences } = self.compare(&plans);
            self.cases += folio.cases;
            self.tally.add(&folio.tally);
            for why in left_out {
                *self.left_out.entry(why).or_default() += 1;
            }
            self.compared += folio.log.lines().count() as u64;
            for (class, count) in folio.classes {
                *self.classes.entry(class).or_default() += count;
            }
            if std::env::var_os("FOLIO_DIFF_PROGRESS").is_some() {
                println!("{} instructions", self.executed());
            }
            if let Some(found) = differences.first() {
                differences.iter().for_each(|difference| println!("{}\n", difference.text()));
                let mut trees = trees;
                let tree = trees.swap_remove(found.slot);
                failures.push(self.shrink(tree, found));
                if failures.len() == MAX_FAILURES {
                    break;
                }
            }
        }
        assert!(
            failures.is_empty(),
            "{} differences\n{}\n{}",
            failures.len(),
            failures.join("\n"),
            self.totals()
        );
    }

    fn runner(&self) -> TestRunner {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    /// Instructions of cases that have been executed.
    fn executed(&self) -> u64 {
        let compressed = self.classes.get("compressed").copied().unwrap_or(0);
        self.classes.values().sum::<u64>() - compressed
    }

    fn compare(&self, plans: &[(Slot, Plan)]) -> Outcome {
        self.compare_logs(plans).0
    }

    /// Runs both; Spike's log, too.
    fn compare_logs(&self, plans: &[(Slot, Plan)]) -> (Outcome, String) {
        let mut cases: Vec<Case> = plans.iter().map(|(slot, plan)| plan.case(*slot, &self.isa)).collect();
        let mut left_out = Vec::new();
        let (elf, folio) = loop {
            let elf = elf_of(&cases);
            let folio = on_folio(&elf, &cases, &self.isa);
            if folio.left_out.is_empty() {
                break (elf, folio);
            }
            cases.retain(|case| !folio.left_out.contains_key(&case.slot.0));
            left_out.extend(folio.left_out.into_values());
        };
        let spike = SpikeRun::start(&self.spike, &self.dir, &elf, &self.isa);
        let log = spike.log(folio.log.len()).unwrap();
        let differences = differences(&cases, &folio.log, &log);
        (Outcome { folio, left_out, differences }, log)
    }

    /// Makes the case smaller while it differs, keeps what is left, and says what it is.
    fn shrink(&self, mut tree: impl ValueTree<Value = Plan>, found: &Difference) -> String {
        let slot = Slot(found.slot);
        let alone = |plan: Plan| {
            let (outcome, log) = self.compare_logs(&[(slot, plan)]);
            outcome.differences.into_iter().next().map(|difference| (difference, log))
        };
        let Some(mut last) = alone(tree.current()).map(|found| (tree.current(), found)) else {
            return format!("a difference that needs the cases before it:\n{}", found.text());
        };
        for _ in 0..300 {
            let smaller = match alone(tree.current()) {
                Some(found) => {
                    last = (tree.current(), found);
                    tree.simplify()
                }
                None => tree.complicate(),
            };
            if !smaller {
                break;
            }
        }
        let (plan, (difference, log)) = last;
        let case = plan.case(slot, &self.isa);
        let name = format!("{}-{}", case.mode.letter().to_ascii_lowercase(), plan.seed);
        let log = shorten(&log, slot);
        let file = std::env::temp_dir().join(format!("folio-differs-{name}.txt"));
        std::fs::write(&file, store::write(&name, &self.isa, &case, &log)).unwrap();
        format!(
            "a difference, which {} keeps for tests/differential/cases/:\n{}\n{plan:?}",
            file.display(),
            difference.text()
        )
    }

    /// The extensions of both machines.
    pub fn isa(&self) -> &IsaSet {
        &self.isa
    }

    /// Records cases by their numbers: short ones on which the machines agree, `each` in the groups that `group_of` names
    /// (or none, after Folio has run the case).
    pub fn record(
        &self,
        each: usize,
        slot: Slot,
        groups: &[&'static str],
        group_of: impl Fn(&Case, &FolioRun) -> Option<&'static str>,
    ) -> Vec<String> {
        let mut groups: BTreeMap<&str, Vec<String>> =
            groups.iter().map(|&group| (group, Vec::new())).collect();
        for number in 0.. {
            if groups.values().all(|cases| cases.len() == each) {
                break;
            }
            let plan = Plan::of_number(number);
            let case = plan.case(slot, &self.isa);
            let cases = std::slice::from_ref(&case);
            let run = on_folio(&elf_of(cases), cases, &self.isa);
            let Some(group) = group_of(&case, &run) else { continue };
            let recorded = groups.get_mut(group).expect("one of the groups");
            if recorded.len() == each {
                continue;
            }
            let (outcome, log) = self.compare_logs(&[(slot, plan)]);
            let hashes = Hashes::of(&shorten(&log, case.slot));
            let wanted = (12..90).contains(&hashes.count());
            let agreed = outcome.differences.is_empty() && outcome.left_out.is_empty();
            if wanted && agreed {
                let name = format!("{group}{}", recorded.len());
                recorded.push(seeds::line(&name, number, &case, &hashes));
            }
        }
        groups.into_values().flatten().collect()
    }

    /// Spike's log of a case, shortened.
    pub fn spikes_log(&self, case: &Case, isa: &IsaSet) -> String {
        let cases = std::slice::from_ref(case);
        let elf = elf_of(cases);
        let spike = SpikeRun::start(&self.spike, &self.dir, &elf, isa);
        let log = spike.log(on_folio(&elf, cases, isa).log.len()).unwrap();
        shorten(&log, case.slot)
    }

    /// What was compared.
    pub fn totals(&self) -> String {
        let mut text = format!(
            "{} cases, {} instructions of cases, {} lines compared\n",
            self.cases,
            self.executed(),
            self.compared
        );
        for (class, count) in &self.classes {
            let _ = writeln!(text, "{count:>12}  {class}");
        }
        let _ = write!(text, "{}", self.tally);
        for (why, count) in &self.left_out {
            let _ = writeln!(text, "{count:>12}  cases left out: {why}");
        }
        text
    }
}
