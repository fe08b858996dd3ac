//! Sets of semaphores (semop(2)): all operations of a call happen at once, or none.

/// The largest value of a semaphore (Linux's SEMVMX).
pub const SEMAPHORE_MAX: u16 = 32_767;

/// A semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Semaphore {
    /// Its value, at most [`SEMAPHORE_MAX`].
    pub value: u16,
    /// Who has changed it last.
    pub last: u32,
    /// How many wait for it to grow.
    pub waiting_to_grow: u32,
    /// How many wait for it to be 0.
    pub waiting_for_zero: u32,
}

/// What is to be done with one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Which.
    pub index: u16,
    /// What is added; 0 waits for 0.
    pub change: i16,
    /// It fails rather than waits (`IPC_NOWAIT`).
    pub no_wait: bool,
    /// It is undone at the end of the process (`SEM_UNDO`).
    pub is_undone: bool,
}

/// Why the operations cannot be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blocked {
    /// One of them waits: its semaphore, whether for 0, and whether it would rather fail.
    Waits {
        /// Which semaphore.
        index: u16,
        /// For 0, and not to grow.
        for_zero: bool,
        /// It fails (EAGAIN).
        no_wait: bool,
    },
    /// There is no such semaphore (EFBIG).
    NoSemaphore,
    /// A value would become too large (ERANGE).
    TooLarge,
}

/// Does all operations, or none.
pub fn operate(set: &mut [Semaphore], operations: &[Operation], pid: u32) -> Result<(), Blocked> {
    for (done, operation) in operations.iter().enumerate() {
        if let Err(blocked) = step(set, *operation, pid) {
            for operation in operations[..done].iter().rev() {
                let semaphore = &mut set[usize::from(operation.index)];
                semaphore.value = semaphore.value.wrapping_add_signed(operation.change.wrapping_neg());
            }
            return Err(blocked);
        }
    }
    Ok(())
}

fn step(set: &mut [Semaphore], operation: Operation, pid: u32) -> Result<(), Blocked> {
    let Operation { index, change, no_wait, .. } = operation;
    let semaphore = set.get_mut(usize::from(index)).ok_or(Blocked::NoSemaphore)?;
    let waits = |for_zero| Err(Blocked::Waits { index, for_zero, no_wait });
    match change {
        0 if semaphore.value != 0 => return waits(true),
        0 => {}
        _ => match semaphore.value.checked_add_signed(change) {
            None => return waits(false),
            Some(value) if value > SEMAPHORE_MAX => return Err(Blocked::TooLarge),
            Some(value) => semaphore.value = value,
        },
    }
    semaphore.last = pid;
    Ok(())
}

/// What is undone of a set at the end of a process: as much as each semaphore's value allows.
pub fn undo(set: &mut [Semaphore], changes: &[i32], pid: u32) {
    for (semaphore, &change) in set.iter_mut().zip(changes) {
        if change != 0 {
            let value = (i32::from(semaphore.value) + change).clamp(0, i32::from(SEMAPHORE_MAX));
            semaphore.value = u16::try_from(value).unwrap_or(SEMAPHORE_MAX);
            semaphore.last = pid;
        }
    }
}

/// Adds what a call's operations leave to be undone. `changes` has a place for each semaphore.
pub fn remember(changes: &mut [i32], operations: &[Operation]) {
    for operation in operations.iter().filter(|operation| operation.is_undone) {
        if let Some(change) = changes.get_mut(usize::from(operation.index)) {
            *change -= i32::from(operation.change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn operation(index: u16, change: i16) -> Operation {
        Operation { index, change, no_wait: false, is_undone: true }
    }

    #[test]
    fn all_or_none() {
        let mut set = vec![Semaphore::default(); 2];
        operate(&mut set, &[operation(0, 3), operation(1, 1)], 7).unwrap();
        assert_eq!((set[0].value, set[1].value, set[0].last), (3, 1, 7));
        let blocked = operate(&mut set, &[operation(0, -2), operation(1, -2)], 8);
        assert_eq!(blocked, Err(Blocked::Waits { index: 1, for_zero: false, no_wait: false }));
        assert_eq!((set[0].value, set[1].value), (3, 1));
        assert_eq!(
            operate(&mut set, &[operation(0, 0)], 8),
            Err(Blocked::Waits { index: 0, for_zero: true, no_wait: false })
        );
        operate(&mut set, &[operation(0, -3), operation(0, 0), operation(0, 5)], 8).unwrap();
        assert_eq!(set[0].value, 5);
        assert_eq!(operate(&mut set, &[operation(2, 1)], 8), Err(Blocked::NoSemaphore));
        assert_eq!(operate(&mut set, &[operation(0, 32_763)], 8), Err(Blocked::TooLarge));
    }

    #[test]
    fn what_was_taken_comes_back_at_the_end() {
        let mut set = vec![Semaphore { value: 4, ..Semaphore::default() }; 2];
        let mut changes = vec![0; 2];
        let taken = [operation(0, -3), operation(1, 2)];
        operate(&mut set, &taken, 7).unwrap();
        remember(&mut changes, &taken);
        set[1].value = 1;
        undo(&mut set, &changes, 7);
        assert_eq!((set[0].value, set[1].value), (4, 0));
    }
}
