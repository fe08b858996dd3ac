//! What grows, and how: costs in instructions of the guest where there is much of something.

#[path = "support/guest.rs"]
mod guest;

use emulator::image::RootImage;
use emulator::machine::MachineConfig;
use guest::Guest;
use isa::PAGE_SIZE;
use isa::events::EventKind;

#[test]
fn sixty_thousand_vmas_cost_twice_as_much_as_six_hundred_at_most() {
    let mut guest = Guest::new(&["vmtests", "many_vmas_cost_little"], 0);
    assert_eq!(guest.finish(), 0, "{}", guest.output());
    println!("{}", guest.output());
}

#[test]
fn only_the_number_of_processes_ends_their_growth() {
    let mut guest = Guest::new(&["vmtests", "forks_until_refused"], 0);
    assert_eq!(guest.finish(), 0, "{}", guest.output());
}

/// What a page from disk costs a program that reads a file of `pages` pages, of which `frames` frames hold all they can.
fn page_from_disk(frames: u64, pages: u64) -> u64 {
    let mut file = guest::elf("vmtests").to_vec();
    file.resize(usize::try_from(pages * PAGE_SIZE).expect("a file that fits memory"), 0);
    let disk = RootImage::from_bytes("vmtests", file).expect("it fits an image").into_disk();
    let config = MachineConfig { frame_limit: frames, ram_bytes: 256 << 20, ..MachineConfig::default() };
    let mut guest = Guest::with_config(&["vmtests", "pages_from_disk_cost"], config, disk, "");
    assert_eq!(guest.finish(), 0, "{}", guest.output());
    // Three quarters fill memory, so each page of the last one takes another's place.
    assert!(guest.count(EventKind::Evict) as u64 >= pages / 4);
    let output = guest.output();
    let words: Vec<&str> = output.split_whitespace().collect();
    let at = words.iter().position(|&word| word == "instructions").expect("it tells the cost");
    words[at - 1].parse().expect("a number")
}

#[test]
fn a_page_from_disk_costs_the_same_in_a_full_page_cache_of_any_size() {
    let (small, large) = (page_from_disk(500, 2_000), page_from_disk(20_000, 32_000));
    println!("{small} instructions with 500 frames, {large} with 20,000");
    // 40 times the pages: the logarithm has grown by 1.6, and it is a small part.
    assert!(large <= small + small / 4, "{small} instructions with 500 frames, {large} with 20,000");
}

/// What the program itself finds in `frames` frames, with swap space.
fn with_swap(case: &str, frames: u64) {
    let mut guest = Guest::with_swap(&["vmtests", case], frames, guest::disk("vmtests"), 20_000, "");
    assert_eq!(guest.finish(), 0, "{}", guest.output());
    println!("{}", guest.output());
}

#[test]
fn evictions_cost_by_the_entries_that_they_clear() {
    with_swap("evictions_cost_by_who_maps", 1_000);
}

#[test]
fn swapping_costs_the_same_among_many_vmas() {
    with_swap("swapping_costs_the_same_among_many_vmas", 0);
}

#[test]
fn forks_cost_by_what_they_copy() {
    with_swap("forks_cost_by_what_they_copy", 0);
}
