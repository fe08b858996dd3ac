//! One search for a victim: the world, and the count of what was asked of it.

use super::uses::Uses;
use super::{Choice, Look, Marks, Place, Why, World};

pub(super) struct Search<'a> {
    world: &'a mut dyn World,
    why: Why,
    /// The pages that were entered when it began. A search clears the bit of each once at most.
    pages: u32,
}

impl<'a> Search<'a> {
    pub fn new(world: &'a mut dyn World, pages: u32) -> Self {
        Self { world, why: Why::default(), pages }
    }

    /// A page's bits, as they stay.
    pub fn peek(&mut self, place: Place) -> Look {
        self.why.looks += 1;
        self.world.peek(place)
    }
    /// A page's bits, as they stay; a use that the kernel has seen counts as R.
    pub fn peek_with(&mut self, place: Place, uses: &Uses) -> Look {
        match self.peek(place) {
            Look::Marks(marks) => {
                Look::Marks(Marks { accessed: marks.accessed || uses.noted(place), ..marks })
            }
            Look::Busy => Look::Busy,
        }
    }
    /// A page's bits; R is cleared, and the use that the kernel has seen with it.
    pub fn look(&mut self, place: Place, uses: &mut Uses) -> Look {
        self.why.looks += 1;
        let Look::Marks(mut marks) = self.world.look(place) else { return Look::Busy };
        marks.accessed |= uses.noted(place);
        if marks.accessed {
            uses.forget(place);
            self.why.cleared += 1;
            assert!(self.why.cleared <= self.pages, "a bit that a look has cleared is set again");
        }
        Look::Marks(marks)
    }

    /// This page goes.
    pub fn choose(self, place: Place, marks: Marks) -> Choice {
        Choice { place, why: Why { marks, ..self.why } }
    }
}
