//! Accesses that must end in a signal, the stack and its guard, and data that shares pages with other things.

use core::hint::black_box;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rt::PAGE_SIZE;
use rt::abi::general::{SIGILL, SIGTRAP};
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, SEGV, child, map};
use crate::raw::{breakpoint, illegal_instruction, jump, peek, peek64, poke};
use crate::{check, check_eq, tests};

tests! {
    load_null, store_null, jump_null, load_kernel, store_kernel, jump_kernel, load_hole, load_non_canonical, store_text, jump_data,
    jump_stack, illegal, ebreak, stack_grows, stack_guard, stack_isolated, bss_is_zero, data_is_private,
}

/// Where kernels live: nothing there is the user's. The second is in Folio's direct map, at the kernel's own text.
const KERNEL: [usize; 4] =
    [usize::MAX - 7, 0xffff_ffc0_8020_0000, 0xffff_ffff_8000_0000, 0xffff_ffc0_8000_0000];
/// Addresses whose upper bits do not repeat bit 38: no Sv39 address at all.
const NON_CANONICAL: [usize; 3] = [1 << 63, 1 << 40, 0x00ff_ffff_0000_0000];

fn load_null() -> Outcome {
    check_eq!(child(|| peek(0)), SEGV);
    check_eq!(child(|| peek(PAGE_SIZE - 1)), SEGV);
    Ok(())
}

fn store_null() -> Outcome {
    check_eq!(child(|| poke(8, 1)), SEGV);
    Ok(())
}

fn jump_null() -> Outcome {
    check_eq!(child(|| jump(0)), SEGV);
    Ok(())
}

fn load_kernel() -> Outcome {
    for address in KERNEL {
        check_eq!(child(|| peek(address)), SEGV);
    }
    Ok(())
}

fn store_kernel() -> Outcome {
    for address in KERNEL {
        check_eq!(child(|| poke(address, 1)), SEGV);
    }
    Ok(())
}

fn jump_kernel() -> Outcome {
    for address in KERNEL {
        check_eq!(child(|| jump(address & !1)), SEGV);
    }
    Ok(())
}

fn load_hole() -> Outcome {
    check_eq!(child(|| peek64(0x3000_0000)), SEGV);
    check_eq!(child(|| poke(0x3000_0000, 1)), SEGV);
    Ok(())
}

fn load_non_canonical() -> Outcome {
    for address in NON_CANONICAL {
        check_eq!(child(|| peek(address)), SEGV);
        check_eq!(child(|| poke(address, 1)), SEGV);
    }
    Ok(())
}

fn text() -> usize {
    store_text as fn() -> Outcome as usize
}

fn store_text() -> Outcome {
    let before = peek(text());
    check_eq!(child(|| poke(text(), 0)), SEGV);
    check_eq!(peek(text()), before);
    Ok(())
}

fn jump_data() -> Outcome {
    let at = map(1, READ_WRITE)?;
    poke(at, 0x82);
    poke(at + 1, 0x80);
    check_eq!(child(|| jump(at)), SEGV);
    Ok(())
}

fn jump_stack() -> Outcome {
    let code = black_box([0x8082u16; 4]);
    check_eq!(child(|| jump(code.as_ptr() as usize)), SEGV);
    Ok(())
}

fn illegal() -> Outcome {
    check_eq!(child(illegal_instruction), Ok(Status::Signaled(SIGILL)));
    Ok(())
}

fn ebreak() -> Outcome {
    check_eq!(child(breakpoint), Ok(Status::Signaled(SIGTRAP)));
    Ok(())
}

#[inline(never)]
fn descend(pages: usize) -> usize {
    if pages == 0 {
        return 0;
    }
    let mut local = [0u8; PAGE_SIZE];
    black_box(&mut local)[0] = 1;
    descend(pages - 1) + usize::from(black_box(&local)[0])
}

fn stack_grows() -> Outcome {
    check_eq!(descend(256), 256);
    check_eq!(descend(300), 300);
    Ok(())
}

fn stack_guard() -> Outcome {
    check_eq!(child(|| descend(usize::MAX)), SEGV);
    // A second process is as limited as the first.
    check_eq!(child(|| descend(usize::MAX)), SEGV);
    check_eq!(descend(100), 100);
    Ok(())
}

fn stack_isolated() -> Outcome {
    let mut here = [1u8; 64];
    let address = black_box(&mut here).as_ptr() as usize;
    let ended = os::in_child(|| {
        poke(address, 2);
        i32::from(descend(50) != 50)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    check_eq!(peek(address), 1);
    Ok(())
}

static BSS: [AtomicU8; 64 * PAGE_SIZE] = [const { AtomicU8::new(0) }; 64 * PAGE_SIZE];
static DATA: [AtomicU8; 3 * PAGE_SIZE] = [const { AtomicU8::new(0x77) }; 3 * PAGE_SIZE];

fn bss_is_zero() -> Outcome {
    for _ in 0..3 {
        check!(BSS.iter().all(|byte| byte.load(Relaxed) == 0));
        check_eq!(child(|| BSS.iter().for_each(|byte| byte.store(0xff, Relaxed))), Ok(Status::Exited(0)));
    }
    BSS.iter().for_each(|byte| byte.store(1, Relaxed));
    check!(BSS.iter().all(|byte| byte.load(Relaxed) == 1));
    Ok(())
}

fn data_is_private() -> Outcome {
    check!(DATA.iter().all(|byte| byte.load(Relaxed) == 0x77));
    check_eq!(child(|| DATA.iter().for_each(|byte| byte.store(1, Relaxed))), Ok(Status::Exited(0)));
    check!(DATA.iter().all(|byte| byte.load(Relaxed) == 0x77));
    DATA[0].store(2, Relaxed);
    check_eq!(DATA[1].load(Relaxed), 0x77);
    Ok(())
}
