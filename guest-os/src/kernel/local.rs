//! The hart's state that outlives a call: a cell that only the running kernel thread touches.
//!
//! One hart runs the kernel, it is not preempted there, and it takes no interrupts there, so nothing else can run between a
//! borrow and its end, provided that a borrow never lives across a switch to another thread. The cell checks that: a second borrow panics.

use core::cell::{Ref, RefCell, RefMut};

/// State of the one hart. When there are several, this becomes a lock or an array indexed by hart.
pub struct HartLocal<T>(RefCell<T>);

// SAFETY: only the kernel's running thread on the only hart reaches the cell; it is not preempted (see above).
unsafe impl<T> Sync for HartLocal<T> {}

impl<T> HartLocal<T> {
    /// A cell with this value.
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }
    /// Shared access, to be dropped before anything sleeps.
    #[track_caller]
    pub fn get(&self) -> Ref<'_, T> {
        self.0.borrow()
    }
    /// Exclusive access, to be dropped before anything sleeps.
    #[track_caller]
    pub fn get_mut(&self) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }
    /// Exclusive access, unless someone has access already.
    pub fn try_get_mut(&self) -> Option<RefMut<'_, T>> {
        self.0.try_borrow_mut().ok()
    }
    /// Shared access for good, for state made of cells of its own. Must not be mixed with [`HartLocal::get_mut`].
    pub fn leak(&'static self) -> &'static T {
        // SAFETY: the value is only ever borrowed shared through this method; `get_mut` on the same cell is ruled out by its user.
        unsafe { &*self.0.as_ptr() }
    }
}
