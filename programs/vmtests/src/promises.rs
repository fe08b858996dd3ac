//! Memory that is promised and may never be touched: how much of it, as `vm.overcommit_memory` says (proc(5)).

use core::ffi::CStr;

use rt::abi::general as g;
use rt::{PAGE_SIZE, Result, os};

use crate::check::Outcome;
use crate::full::info;
use crate::locked::number;
use crate::memory::{READ_WRITE, mmap, munmap};
use crate::raw::sys;
use crate::users::text;
use crate::{check, check_eq, check_error, tests};

tests! { @Kernel promises_by_rule_of_thumb, @Kernel promises_without_end, @Kernel promises_strictly, }

const PRIVATE: u32 = g::MAP_PRIVATE | g::MAP_ANONYMOUS;
const SHARED: u32 = g::MAP_SHARED | g::MAP_ANONYMOUS;

/// The setting is one of the whole system, and is put back.
fn with_setting<R>(value: &[u8], action: impl FnOnce() -> R) -> Result<R> {
    const PATH: &CStr = c"/proc/sys/vm/overcommit_memory";
    let setting = os::open(PATH, g::O_RDWR, 0)?;
    let mut before = [0; 8];
    let len = os::read(setting, &mut before)?;
    os::lseek(setting, 0, g::SEEK_SET)?;
    os::write(setting, value)?;
    let result = action();
    os::lseek(setting, 0, g::SEEK_SET)?;
    os::write(setting, &before[..len])?;
    os::close(setting)?;
    Ok(result)
}

/// Maps so many bytes, and gives them back.
fn is_promised(len: usize, prot: u32, flags: u32) -> Result<()> {
    let at = mmap(0, len, prot, flags, -1, 0)?;
    munmap(at, len).map(drop)
}

/// Bytes of RAM and swap space.
fn all() -> Result<usize> {
    const TOTAL_SWAP: usize = 8;
    let words = info()?;
    Ok(words[4] + words[TOTAL_SWAP])
}

fn promises_by_rule_of_thumb() -> Outcome {
    let all = all()?;
    let more = all + PAGE_SIZE;
    with_setting(b"0\n", || {
        // As much as there is, again and again.
        let kept = [(); 3].map(|()| mmap(0, all, READ_WRITE, PRIVATE, -1, 0));
        for at in kept {
            check!(at.is_ok());
            munmap(at?, all)?;
        }
        check_error!(is_promised(more, READ_WRITE, PRIVATE), ENOMEM);
        check_error!(is_promised(more, READ_WRITE, SHARED), ENOMEM);
        check_error!(sys(g::__NR_shmget, [0, more, 0o1600]), ENOMEM);
        check_eq!(is_promised(more, READ_WRITE, PRIVATE | g::MAP_NORESERVE), Ok(()));
        check_eq!(is_promised(more, g::PROT_NONE, PRIVATE), Ok(()));
        check_eq!(is_promised(more, g::PROT_READ, PRIVATE), Ok(()));
        let at = mmap(0, PAGE_SIZE, READ_WRITE, PRIVATE, -1, 0)?;
        check_error!(
            sys(g::__NR_mremap, [at, PAGE_SIZE, more + PAGE_SIZE, g::MREMAP_MAYMOVE as usize]),
            ENOMEM
        );
        // A break that cannot be had stays where it is.
        let end = sys(g::__NR_brk, [0])?;
        check_eq!(sys(g::__NR_brk, [end + more])?, end);
        Ok(())
    })?
}

fn promises_without_end() -> Outcome {
    let more = all()? + PAGE_SIZE;
    let promised = with_setting(b"1\n", || is_promised(more, READ_WRITE, PRIVATE))?;
    check_eq!(promised, Ok(()));
    // What does not fit where it is finds room elsewhere.
    let moved = with_setting(b"1\n", || {
        let at = mmap(0, PAGE_SIZE, READ_WRITE, PRIVATE, -1, 0)?;
        sys(g::__NR_mremap, [at, PAGE_SIZE, more, g::MREMAP_MAYMOVE as usize])
    })?;
    munmap(moved?, more)?;
    check_error!(with_setting(b"3\n", || 0), EINVAL);
    Ok(())
}

fn promises_strictly() -> Outcome {
    with_setting(b"2\n", || {
        let mut buffer = [0; 4 << 10];
        let told = text(c"/proc/meminfo", &mut buffer)?;
        let [limit, committed] =
            [&b"CommitLimit:"[..], b"Committed_AS:"].map(|line| number(told, line) << 10);
        check!(committed > 0 && committed < limit);
        let left = limit - committed;
        check_error!(is_promised(left + PAGE_SIZE, READ_WRITE, PRIVATE), ENOMEM);
        check_error!(is_promised(left + PAGE_SIZE, READ_WRITE, PRIVATE | g::MAP_NORESERVE), ENOMEM);
        let half = left / 2 / PAGE_SIZE * PAGE_SIZE;
        let at = mmap(0, half, READ_WRITE, PRIVATE, -1, 0)?;
        check_error!(is_promised(left * 3 / 4, READ_WRITE, PRIVATE), ENOMEM);
        let told = text(c"/proc/meminfo", &mut buffer)?;
        check!(number(told, b"Committed_AS:") << 10 >= committed + half);
        munmap(at, half)?;
        Ok(())
    })?
}
