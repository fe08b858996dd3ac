//! What grows, and how: costs in instructions of the guest where there is much of something.

#[path = "support/guest.rs"]
mod guest;

use guest::Guest;

#[test]
fn sixty_thousand_vmas_cost_twice_as_much_as_six_hundred_at_most() {
    let mut guest = Guest::new(&["vmtests", "many_vmas_cost_little"], 0);
    assert_eq!(guest.finish(), 0, "{}", guest.output());
    println!("{}", guest.output());
}
