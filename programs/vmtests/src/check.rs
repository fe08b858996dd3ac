//! What a test says: `check!` and its relatives print the line that did not hold and end the test.

use rt::{Errno, Result, println};

use crate::raw::sys;

/// The test failed; why has been printed.
#[derive(Debug)]
pub struct Failed;

/// A test's outcome.
pub type Outcome = core::result::Result<(), Failed>;

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        println!("  a call that should succeed failed: {errno:?}");
        Self
    }
}

/// Whether `result` is the error `number`.
pub fn is_error<T>(result: &Result<T>, number: u32) -> bool {
    matches!(result, Err(errno) if errno.0 == number)
}

/// A call: number, arguments (those that are missing are zero), and the error that it must give.
pub type Refused<'a> = (u32, &'a [usize], u32);

/// Fails unless each call gives the error that stands beside it.
pub fn each_is_refused(rows: &[Refused]) -> Outcome {
    for (row, &(number, given, expected)) in rows.iter().enumerate() {
        let mut arguments = [0; 6];
        arguments[..given.len()].copy_from_slice(given);
        is_refused(row, number, sys(number, arguments), expected)?;
    }
    Ok(())
}

/// Fails unless row `row`, of call `number`, gave `expected`.
pub fn is_refused(row: usize, number: u32, result: Result<usize>, expected: u32) -> Outcome {
    if is_error(&result, expected) {
        return Ok(());
    }
    let name = abi::call_name(number.into()).unwrap_or("no call");
    println!("  row {row}: {name} gave {result:?}, not {:?}", Errno(expected));
    Err(Failed)
}

/// Fails unless the condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            rt::println!("  {}:{}: not so: {}", file!(), line!(), stringify!($condition));
            return Err($crate::check::Failed);
        }
    };
}

/// Fails unless both are equal.
#[macro_export]
macro_rules! check_eq {
    ($left:expr, $right:expr) => {
        let (left, right) = (&$left, &$right);
        if left != right {
            rt::println!("  {}:{}: {} is {:?}, not {:?}", file!(), line!(), stringify!($left), left, right);
            return Err($crate::check::Failed);
        }
    };
}

/// Fails unless the call gives this error.
#[macro_export]
macro_rules! check_error {
    ($call:expr, $errno:ident) => {
        let result = $call;
        if !$crate::check::is_error(&result, rt::abi::errno::$errno) {
            rt::println!(
                "  {}:{}: {} gave {:?}, not {}",
                file!(),
                line!(),
                stringify!($call),
                result,
                stringify!($errno)
            );
            return Err($crate::check::Failed);
        }
    };
}
