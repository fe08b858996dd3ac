//! The functions at work, from the innermost out.

use super::file::{Loaded, Spot};
use super::lines::{InlineFrame, SourceLine};
use super::unwind::{Frame, is_returned_to};
use isa::VirtAddr;

/// Most frames that are walked.
const MAX_FRAMES: usize = 100_000;
/// The function behind which the stack is the start-up code's.
const OUTERMOST: &str = "main";

/// A function at work, or several calls of one from the same place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StackFrame {
    /// Where it is, and its registers as far as they are known.
    pub frame: Frame,
    /// The path of the file whose code it is; empty if that is not known.
    pub file: String,
    /// What is there.
    pub spot: Spot,
    /// The functions that the compiler has put into one another there, the innermost first; empty if that is not known.
    pub inlined: Vec<InlineFrame>,
    /// How often it stands here, one behind the other.
    pub times: usize,
    /// Whether it is the code to which a signal's handler returns: what follows was interrupted by the signal.
    pub is_signal: bool,
}

impl StackFrame {
    /// What is at a frame.
    pub fn of(frame: Frame, loaded: Option<&Loaded>) -> Self {
        let at = VirtAddr(frame.at_work());
        let Some(loaded) = loaded else {
            let (file, spot, inlined) = <_>::default();
            return Self { frame, file, spot, inlined, times: 1, is_signal: false };
        };
        let file = loaded.file.path().to_owned();
        let spot = if frame.is_exact { loaded.spot(at) } else { loaded.spot_of_return(VirtAddr(frame.pc)) };
        Self { inlined: loaded.inlined(at), frame, file, spot, times: 1, is_signal: false }
    }

    /// The line that is at work, without the so many innermost functions that were put there: in a function that has called that of the call.
    pub fn source(&self, level: usize) -> Option<&SourceLine> {
        self.inlined.get(level).map_or(&self.spot.source, |inlined| &inlined.source).as_ref()
    }

    /// The function of the source that is at work: that of the inlined one, if there is one.
    pub fn function(&self) -> Option<&str> {
        let inlined = self.inlined.first().filter(|_| self.inlined.len() > 1);
        inlined.and_then(|frame| frame.function.as_deref()).or(self.spot.symbol.as_deref())
    }
}

/// The functions at work, from the innermost out, each with its registers: `loaded` tells which file's code is at an
/// address, `read` gives eight bytes of memory.
///
/// They end with the program's `main`, or where nothing is known any more.
pub struct Callers<'a> {
    next: Option<Frame>,
    left: usize,
    loaded: &'a dyn Fn(VirtAddr) -> Option<Loaded>,
    read: &'a dyn Fn(u64) -> Option<u64>,
}

/// A function at work.
pub struct Caller {
    /// Where it is, and its registers as far as they are known.
    pub frame: Frame,
    /// The file whose code it is.
    pub loaded: Option<Loaded>,
    /// Whether it is the code to which a signal's handler returns.
    pub is_signal: bool,
}

impl<'a> Callers<'a> {
    /// Those from `innermost` out.
    pub fn of(
        innermost: Frame,
        loaded: &'a dyn Fn(VirtAddr) -> Option<Loaded>,
        read: &'a dyn Fn(u64) -> Option<u64>,
    ) -> Self {
        Self { next: Some(innermost), left: MAX_FRAMES, loaded, read }
    }

    /// The function of a number, where those that were put into another count, too: its frame, and how many that were put into it
    /// there are left out.
    pub fn numbered(self, number: u64) -> Option<(Frame, usize)> {
        let mut left = usize::try_from(number).ok()?;
        for Caller { frame, loaded, .. } in self {
            let inlined = loaded.map_or(0, |loaded| loaded.inlined(VirtAddr(frame.at_work())).len());
            if left < inlined.max(1) {
                return Some((frame, left));
            }
            left -= inlined.max(1);
        }
        None
    }
}

impl Iterator for Callers<'_> {
    type Item = Caller;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.next.take()?;
        self.left = self.left.checked_sub(1)?;
        let of = (self.loaded)(VirtAddr(frame.at_work()));
        // What was taken for a return address was something else.
        if of.is_none() && !frame.is_exact && !is_returned_to(frame.pc, self.read) {
            return None;
        }
        let mut is_signal = false;
        let is_outermost = of.as_ref().is_some_and(|of| {
            let name = of.file.symbols().name_of(frame.at_work().wrapping_sub(of.bias));
            name.is_some_and(|name| name.split('+').next() == Some(OUTERMOST))
        });
        if !is_outermost {
            let caller = || match &of {
                Some(of) => of.file.caller(&frame, of.bias, self.read),
                None => frame.caller_by_return_address(),
            };
            let before_signal = frame.before_signal(self.read);
            is_signal = before_signal.is_some();
            self.next = before_signal.or_else(caller);
        }
        Some(Caller { frame, loaded: of, is_signal })
    }
}

/// The stack from `innermost` out, as [`Callers`] has it; one function at one place stands there once, however often it has called
/// itself.
pub fn stack(
    innermost: Frame,
    loaded: &dyn Fn(VirtAddr) -> Option<Loaded>,
    read: &dyn Fn(u64) -> Option<u64>,
) -> Vec<StackFrame> {
    let mut frames: Vec<StackFrame> = Vec::new();
    for Caller { frame, loaded: of, is_signal } in Callers::of(innermost, loaded, read) {
        match frames
            .last_mut()
            .filter(|last| last.frame.pc == frame.pc && last.frame.is_exact == frame.is_exact)
        {
            Some(last) => {
                last.times += 1;
                last.frame = frame;
            }
            None => frames.push(StackFrame { is_signal, ..StackFrame::of(frame, of.as_ref()) }),
        }
    }
    frames
}

/// A text in which each address behind `pc` or `ra` has its function and line behind it: `pc 0x225f4 <munmap+0x4>`.
pub fn with_places(text: &str, spot: &dyn Fn(VirtAddr, IsReturn) -> Option<Spot>) -> String {
    let mut words = Vec::new();
    let mut is_place = None;
    for word in text.split(' ') {
        let digits = word.trim_end_matches([')', '.', ',', ';', ':']);
        let va = digits.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let place =
            is_place.zip(va).and_then(|(is_return, va)| spot(VirtAddr(va), is_return)).and_then(in_angles);
        words.push(match place {
            Some(place) => format!("{digits} {place}{}", &word[digits.len()..]),
            None => word.to_owned(),
        });
        is_place = match word.trim_start_matches('(') {
            "pc" => Some(IsReturn(false)),
            "ra" => Some(IsReturn(true)),
            _ => None,
        };
    }
    words.join(" ")
}

/// Whether an address is one that a call returns to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IsReturn(pub bool);

/// `<sum+0x14 at segv.c:4>`.
fn in_angles(spot: Spot) -> Option<String> {
    let symbol = spot.symbol?;
    let source = spot.source.map_or_else(String::new, |source| format!(" at {source}"));
    Some(format!("<{symbol}{source}>"))
}

/// ` (segv.c:4)`, or nothing.
pub fn in_brackets(source: Option<&SourceLine>) -> String {
    source.map_or_else(String::new, |source| format!(" ({source})"))
}
