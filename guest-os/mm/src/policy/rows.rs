//! A row for each place. The memory for all that are reserved is taken at once; it is filled from the first on, as far as rows are changed. So a machine
//! with much memory that is not used yet begins as fast as one with little.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// Rows, of which those that were never changed hold the first one's value.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows<T> {
    rows: Vec<T>,
    unchanged: T,
    reserved: usize,
}

impl<T: Clone> Rows<T> {
    /// Rows that all hold `unchanged`. None is reserved.
    pub fn of(unchanged: T) -> Self {
        Self { rows: Vec::new(), unchanged, reserved: 0 }
    }
    /// Takes memory for so many rows in all. Never for fewer: places do not go.
    pub fn reserve(&mut self, rows: usize) -> Result<(), TryReserveError> {
        self.rows.try_reserve_exact(rows.saturating_sub(self.rows.len()))?;
        self.reserved = self.reserved.max(rows);
        Ok(())
    }
}

impl<T> Index<usize> for Rows<T> {
    type Output = T;
    fn index(&self, row: usize) -> &T {
        self.rows.get(row).unwrap_or(&self.unchanged)
    }
}

impl<T: Clone> IndexMut<usize> for Rows<T> {
    fn index_mut(&mut self, row: usize) -> &mut T {
        if row >= self.rows.len() {
            assert!(row < self.reserved, "place {row} was not reserved");
            // There is memory for them.
            self.rows.resize(row + 1, self.unchanged.clone());
        }
        &mut self.rows[row]
    }
}
