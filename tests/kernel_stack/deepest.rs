//! How deep the stacks are used. A stack is zero when it is made, so its lowest word that is not zero was in use; looked at from outside,
//! through the page table, when a process ends and at the end of the run.

use super::guest::Guest;
use super::missing;
use emulator::loader::{Boot, Chosen};
use emulator::machine::Machine;
use isa::events::EventKind;
use isa::{PAGE_SIZE, VirtAddr};
use std::fs;
use std::path::Path;

const WORD_BYTES: usize = 8;
/// Pages at the start of the window that are looked at at the end of a run: far more than 200 stacks.
const WINDOW_PAGES: u64 = 2048;
/// Bytes of the window, to whose multiple it is aligned (one entry of the root table).
const WINDOW_BYTES: u64 = 1 << 30;

/// A stack, as the page table shows it: mapped between two pages that are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stack {
    bottom: VirtAddr,
    top: VirtAddr,
}

impl Stack {
    fn around(machine: &Machine, sp: VirtAddr) -> Self {
        let page = VirtAddr(sp.0 - sp.0 % PAGE_SIZE);
        let is_mapped = |va: VirtAddr| machine.translate(va).is_some();
        let mut bottom = page;
        while is_mapped(VirtAddr(bottom.0 - PAGE_SIZE)) {
            bottom.0 -= PAGE_SIZE;
        }
        let mut top = page;
        while is_mapped(top) {
            top = top.wrapping_add(PAGE_SIZE);
        }
        Self { bottom, top }
    }
    fn bytes(self) -> u64 {
        self.top.0 - self.bottom.0
    }
    /// Bytes of it that have ever been in use.
    fn used_bytes(self, machine: &Machine) -> u64 {
        let content = machine.read_virt(self.bottom, usize::try_from(self.bytes()).unwrap());
        let unused = content.chunks(WORD_BYTES).take_while(|word| word.iter().all(|&byte| byte == 0)).count();
        self.bytes() - (unused * WORD_BYTES) as u64
    }
}

/// All stacks that are mapped, given an address in one.
fn all_stacks(machine: &Machine, sp: VirtAddr) -> Vec<Stack> {
    let start = VirtAddr(sp.0 - sp.0 % WINDOW_BYTES);
    let mut stacks: Vec<Stack> = Vec::new();
    for page in 0..WINDOW_PAGES {
        let va = start.wrapping_add(page * PAGE_SIZE);
        if machine.translate(va).is_some() && stacks.last().is_none_or(|stack| va.0 >= stack.top.0) {
            stacks.push(Stack::around(machine, va));
        }
    }
    stacks
}

/// The most of a stack that a run uses: of a process's, of the boot and idle thread's, and what there is.
#[derive(Clone, Copy, Default, Debug)]
struct Depth {
    thread: u64,
    boot: u64,
    of: u64,
}

/// Runs a guest to its end.
fn run(guest: &mut Guest) -> Depth {
    let mut depth = Depth::default();
    let mut sp = VirtAddr(0);
    guest.stop_at(|event| event.kind() == Some(EventKind::Exit));
    while guest.next_stop().is_some() {
        sp = VirtAddr(guest.machine.hart().x[2]);
        depth.thread = depth.thread.max(Stack::around(&guest.machine, sp).used_bytes(&guest.machine));
    }
    // The first is the boot stack; the others are those of threads that still lived, and those kept for the next ones.
    let stacks = all_stacks(&guest.machine, sp);
    assert!(stacks.len() > 1, "{stacks:?}");
    for (index, stack) in stacks.iter().enumerate() {
        assert_eq!(stack.bytes(), stacks[0].bytes(), "all stacks have the same size");
        let used = stack.used_bytes(&guest.machine);
        let deepest = if index == 0 { &mut depth.boot } else { &mut depth.thread };
        *deepest = used.max(*deepest);
    }
    depth.of = stacks[0].bytes();
    depth
}

fn check(name: &str, guest: &mut Guest) {
    let depth = run(guest);
    println!("{name}: {depth:?}");
    assert!(depth.thread >= 512 && depth.boot >= 512, "{name}: {depth:?} is too little to be true");
    assert!(depth.thread <= depth.of / 2 && depth.boot <= depth.of / 2, "{name} needs too much: {depth:?}");
}

#[test]
fn our_programs_use_at_most_half_of_a_stack() {
    for (name, _) in guest_os::PROGRAMS {
        check(name, &mut Guest::new(&[name], 0));
    }
}

/// The command lines of the tests of real programs.
fn real_commands() -> Vec<Vec<String>> {
    let list = fs::read_to_string(root().join("tests/guest_programs/commands.jsonl")).unwrap();
    let words = |line: &str| {
        let command: serde_json::Value = serde_json::from_str(line).unwrap();
        command["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_string()).collect()
    };
    list.lines().map(words).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn real_programs_use_at_most_half_of_a_stack() {
    if std::env::var_os("FOLIO_SKIP_DEBIAN").is_some() {
        missing::not_run("FOLIO_SKIP_DEBIAN is set");
        return;
    }
    let image = root().join("target/test-inputs/debian.ext4");
    let disk = fs::read(&image)
        .unwrap_or_else(|_| panic!("{} is not there: run `make setup-test`", image.display()));
    let envp = [b"PATH=/bin:/sbin".to_vec(), b"HOME=/root".to_vec()];
    let commands = real_commands();
    assert!(commands.len() > 20, "{} commands cannot be all", commands.len());
    for command in commands {
        let argv: Vec<Vec<u8>> = command.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut guest = Guest::with_disk(&[&command[0]], 0, Box::new(disk.clone()));
        let chosen = Chosen { program: &argv[0], argv: &argv, envp: &envp, cwd: b"/", ..Chosen::default() };
        guest.machine.boot(&Boot { chosen, ..Boot::kernel(guest_os::KERNEL_ELF) }).unwrap();
        check(&command.join(" "), &mut guest);
    }
}
