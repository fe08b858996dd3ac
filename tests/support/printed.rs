//! Standard output in memory, for tests that build a machine by themselves. There is no input.
#![allow(dead_code)] // each test target uses its part

use emulator::host::{Input, Output, OutputClosed, Stdio};
use std::cell::RefCell;
use std::rc::Rc;

/// Standard output that the test reads.
#[derive(Clone, Default)]
pub struct Printed(pub Rc<RefCell<Vec<u8>>>);

impl Stdio for Printed {
    fn write(&mut self, _: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.0.borrow_mut().extend(bytes);
        Ok(())
    }
    fn poll_input(&mut self, _: &mut [u8]) -> Input {
        Input::Eof
    }
}
