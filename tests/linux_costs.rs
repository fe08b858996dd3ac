//! Linux as referee of what calls cost, in guest instructions on Debian's kernel and on the guest OS.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
#[path = "support/call_costs.rs"]
mod call_costs;
#[path = "support/linux.rs"]
mod linux;
mod support;

use call_costs::Cost;

#[test]
#[ignore = "a piece of make campaign"]
fn calls_cost_no_more_than_one_and_a_half_of_linux() {
    for Cost { name, on_linux, on_ours } in call_costs::measure().unwrap_or_default() {
        println!("{name}: Linux {on_linux}, Folio {on_ours}");
        assert!(on_ours * 2 <= on_linux * 3, "{name} costs {on_ours}, on Linux {on_linux}");
    }
}
