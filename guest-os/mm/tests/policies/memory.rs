//! Memory as the tests of policies have it: pages in places, with their bits, and a count of what a policy has asked.

use isa::Step;
use mm::policy::{Look, Marks, Place, World};

/// A page that is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub name: u64,
    pub accessed: bool,
    pub dirty: bool,
    /// It cannot go now.
    pub busy: bool,
}

impl Page {
    pub fn new(name: u64) -> Self {
        Self { name, accessed: false, dirty: false, busy: false }
    }
}

pub struct Memory {
    pages: Vec<Option<Page>>,
    /// Questions since this was set to 0, and bits cleared by the last search; pages that were told to be busy.
    pub looks: u32,
    pub cleared: u32,
    pub busy_told: Vec<Place>,
    pub time: u64,
}

impl Memory {
    pub fn new(frames: u32) -> Self {
        Self { pages: vec![None; frames as usize], looks: 0, cleared: 0, busy_told: Vec::new(), time: 0 }
    }
    pub fn frames(&self) -> u32 {
        self.pages.len() as u32
    }
    pub fn grow(&mut self, frames: u32) {
        self.pages.resize(frames as usize, None);
    }
    pub fn page(&self, place: Place) -> &Page {
        self.pages[place.0 as usize].as_ref().unwrap()
    }
    pub fn page_mut(&mut self, place: Place) -> &mut Page {
        self.pages[place.0 as usize].as_mut().unwrap()
    }
    pub fn put(&mut self, place: Place, page: Page) {
        assert!(self.pages[place.0 as usize].replace(page).is_none());
    }
    pub fn take(&mut self, place: Place) {
        self.pages[place.0 as usize].take().unwrap();
    }
    pub fn place_of(&self, name: u64) -> Option<Place> {
        let index = self.pages.iter().position(|page| page.is_some_and(|page| page.name == name))?;
        Some(Place(index as u32))
    }
    pub fn free_place(&self) -> Option<Place> {
        self.pages.iter().position(Option::is_none).map(|index| Place(index as u32))
    }
    pub fn resident(&self) -> Vec<Place> {
        let places = (0..self.frames()).map(Place);
        places.filter(|place| self.pages[place.0 as usize].is_some()).collect()
    }
    /// R and D of each place.
    pub fn bits(&self) -> Vec<Option<(bool, bool)>> {
        self.pages.iter().map(|page| page.map(|page| (page.accessed, page.dirty))).collect()
    }
    fn answer(&mut self, place: Place, clear: bool) -> Look {
        // A search begins with the first question after `looks` was set to 0.
        if self.looks == 0 {
            self.cleared = 0;
        }
        self.looks += 1;
        let page = self.pages[place.0 as usize].as_mut().expect("a policy asks for pages that are there");
        if page.busy {
            assert!(!self.busy_told.contains(&place), "once busy, it is out");
            self.busy_told.push(place);
            return Look::Busy;
        }
        let marks = Marks { accessed: page.accessed, dirty: page.dirty };
        if clear && page.accessed {
            page.accessed = false;
            self.cleared += 1;
        }
        Look::Marks(marks)
    }
}

impl World for Memory {
    fn look(&mut self, place: Place) -> Look {
        self.answer(place, true)
    }
    fn peek(&mut self, place: Place) -> Look {
        self.answer(place, false)
    }
    fn now(&self) -> Step {
        Step(self.time)
    }
}
