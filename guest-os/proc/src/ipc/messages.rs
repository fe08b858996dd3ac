//! Queues of messages (msgop(2)): which message a reader gets.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Its type, which is positive.
    pub kind: i64,
    /// What it says.
    pub text: Vec<u8>,
}

/// Which message is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// The first.
    First,
    /// The first of this type.
    OfKind(i64),
    /// The first that is of another type (`MSG_EXCEPT`).
    NotOfKind(i64),
    /// The first of the lowest type up to this one.
    Lowest(i64),
    /// The one at this place (`MSG_COPY`).
    AtPlace(u64),
}

/// Where in a queue the message is that is wanted.
pub fn find(queue: &VecDeque<Message>, wanted: Wanted) -> Option<usize> {
    let first = |is_wanted: &dyn Fn(i64) -> bool| queue.iter().position(|message| is_wanted(message.kind));
    match wanted {
        Wanted::First => first(&|_| true),
        Wanted::OfKind(kind) => first(&|of| of == kind),
        Wanted::NotOfKind(kind) => first(&|of| of != kind),
        Wanted::Lowest(most) => {
            let lowest = queue.iter().map(|message| message.kind).filter(|&kind| kind <= most).min()?;
            first(&|of| of == lowest)
        }
        Wanted::AtPlace(place) => usize::try_from(place).ok().filter(|&place| place < queue.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_is_found() {
        let queue: VecDeque<_> =
            [5, 2, 9, 2].into_iter().map(|kind| Message { kind, text: Vec::new() }).collect();
        for (wanted, expected) in [
            (Wanted::First, Some(0)),
            (Wanted::OfKind(2), Some(1)),
            (Wanted::OfKind(3), None),
            (Wanted::NotOfKind(5), Some(1)),
            (Wanted::Lowest(6), Some(1)),
            (Wanted::Lowest(1), None),
            (Wanted::AtPlace(3), Some(3)),
            (Wanted::AtPlace(4), None),
        ] {
            assert_eq!(find(&queue, wanted), expected, "{wanted:?}");
        }
        assert_eq!(find(&VecDeque::new(), Wanted::First), None);
    }
}
