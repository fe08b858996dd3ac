//! The table agrees with itself.

#![allow(clippy::unwrap_used)] // in functions that only tests call

use abi::{CALLS, Effect, FlagSet, Kind, Layout, Others, VARIANTS, refused_bits, sets};

#[test]
fn rows_are_in_order_and_well_formed() {
    assert!(CALLS.is_sorted_by(|a, b| a.number < b.number));
    for call in CALLS {
        assert!(call.arguments.len() <= 6, "{}", call.name);
        assert_eq!(abi::call_name(u64::from(call.number)), Some(call.name));
        for argument in call.arguments {
            let counted_by = match argument.kind {
                Kind::In(layout) | Kind::Out(layout) | Kind::InOut(layout) => match layout {
                    Layout::Bytes { len } | Layout::Noise { len } | Layout::Text { len } => len,
                    Layout::Entries { len } | Layout::Processors { len } => len,
                    Layout::Vector { count } | Layout::Polls { count } | Layout::Descriptors { count } => {
                        count
                    }
                    _ => continue,
                },
                _ => continue,
            };
            let kind = call.arguments.get(counted_by).map(|argument| argument.kind);
            assert!(
                matches!(kind, Some(Kind::Size | Kind::Unsigned)),
                "{}: argument {} is counted by {kind:?}",
                call.name,
                argument.name
            );
        }
    }
}

/// A variant is chosen by what its call's row has a name for, and tells of what comes behind.
#[test]
fn variants_follow_from_named_values() {
    for variant in VARIANTS {
        let call = abi::call(variant.call).unwrap();
        let Kind::Flags(set) = call.arguments[variant.decides].kind else {
            panic!("{}: argument {} decides", call.name, variant.decides)
        };
        let is_named = match variant.bits & set.choice_bits {
            0 => set.flags.iter().any(|flag| flag.bits & variant.bits != 0),
            _ => set.choices.iter().any(|flag| flag.bits == variant.value),
        };
        assert!(is_named, "{}: {variant:?}", call.name);
        let places: Vec<usize> = variant.rest.iter().map(|(place, _)| *place).collect();
        assert!(
            places.is_sorted_by(|a, b| a < b)
                && places.iter().all(|&place| place > variant.decides && place < 6)
        );
        let mut values = [0; 6];
        values[variant.decides] = variant.value;
        assert_eq!(
            abi::variant(call, &values).unwrap().value,
            variant.value,
            "{}: one for each value",
            call.name
        );
    }
}

#[test]
fn a_flag_that_includes_another_comes_first() {
    let includes =
        |set: &FlagSet, a: usize, b: usize| set.flags[a].bits & set.flags[b].bits == set.flags[b].bits;
    for call in CALLS {
        for argument in call.arguments {
            let Kind::Flags(set) = argument.kind else { continue };
            for late in 0..set.flags.len() {
                for early in 0..late {
                    assert!(!includes(set, late, early), "{}: {}", set.title, set.flags[late].name);
                }
            }
        }
    }
}

#[test]
fn what_is_refused_is_never_a_choice_nor_a_flag_that_is_allowed() {
    for call in CALLS {
        for (argument, refused) in call.arguments.iter().zip(refused_bits(call)) {
            let Kind::Flags(set) = argument.kind else {
                assert_eq!(refused, 0);
                continue;
            };
            assert_eq!(refused & set.choice_bits, 0, "{}", set.title);
            for flag in set.flags {
                let is_refused = refused & flag.bits != 0;
                assert_eq!(is_refused, flag.effect == Effect::Refused, "{}: {}", set.title, flag.name);
            }
            if set.others == Others::Refused
                && set.choice_bits & 1 << 30 == 0
                && set.flags.iter().all(|flag| flag.bits & 1 << 30 == 0)
            {
                assert_ne!(refused & 1 << 30, 0, "{}", set.title);
            }
        }
    }
}

#[test]
fn some_of_it_by_heart() {
    let refused = |name: &str| refused_bits(CALLS.iter().find(|call| call.name == name).unwrap());
    assert_eq!(refused("openat"), [0; 6]);
    assert_eq!(refused("dup3"), [0, 0, 0xfff7_ffff, 0, 0, 0]);
    assert_eq!(refused("clone"), [0; 6]);
    assert_eq!(refused("riscv_flush_icache")[2], !1);
    assert_eq!(refused("mmap"), [0; 6]);
    assert_eq!(sets::FUTEX.refused(), 0);
}
