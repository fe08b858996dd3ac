//! `run`, `start` and `starti`: the program from its beginning once more. The embedder makes the machine anew; what is to stop it stays.

use super::breakpoints::Armed;
use super::command::Beginning;
use super::execute::Debugger;
use super::peek::Files;
use super::points::{Point, What};
use super::waits::Waits;
use isa::Step;
use std::fmt::Write;
use std::rc::Rc;

impl Beginning {
    /// The command that brings a program from its first instruction to where it is to be.
    pub fn command(self) -> Option<&'static str> {
        match self {
            Self::Runs => Some("continue"),
            Self::Main => Some("advance main"),
            Self::FirstInstruction => None,
        }
    }
}

impl Debugger {
    /// From now on the embedder does what [`Output::begins_anew`](super::Output) asks for.
    pub fn can_begin_anew(&mut self) {
        self.can_begin_anew = true;
    }

    /// Forgets all that was of the run so far, which the embedder has ended; a line for each point that was of one of its processes and has gone.
    /// Points keep their numbers; what they have counted begins anew.
    pub fn begin_anew(&mut self) -> String {
        self.tap.borrow_mut().begin_anew();
        self.symbols.programs().forget();
        self.files = Files::new(Rc::clone(self.symbols.programs()));
        (self.pending, self.told_refused, self.is_at_new_place) = (None, None, false);
        self.at_event = None;
        self.notes.clear();
        self.told_missed.clear();
        self.trapped.clear();
        self.ending.clear();
        (self.hart, self.frame, self.resumed_at) = (0, 0, Step(0));
        (self.before, self.next_examine, self.at_trap, self.selected) = (None, None, None, None);
        (self.listed, self.stopped, self.ended) = (None, None, None);
        (self.waits, self.armed) = (Waits::default(), Armed::default());
        self.last_program.clone_from(&self.first_program);
        let mut text = String::new();
        // Every run is alike: but for frames of functions what was watched is there again.
        let of_frames = |point: &Point| matches!(&point.what, What::Watch(watch) if watch.is_of_frame);
        for point in self.points.iter().filter(|point| of_frames(point)) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "watchpoint {} is gone, it was of a function that the new run has not called yet: {}; stop there, then `watch` again",
                point.id, point.what
            );
        }
        let gone: Vec<u64> =
            self.points.iter().filter(|point| of_frames(point)).map(|point| point.id).collect();
        self.points.delete(|id| gone.contains(&id));
        self.forget_held();
        for point in self.points.iter_mut() {
            (point.hits, point.has_stopped) = (0, false);
        }
        self.points_changed();
        text
    }
}
