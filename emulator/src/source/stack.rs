//! The functions at work, from the innermost out.

use super::file::{Loaded, Spot};
use super::lines::{InlineFrame, SourceLine};
use super::unwind::Frame;
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
    fn of(frame: Frame, loaded: Option<&Loaded>) -> Self {
        let at = VirtAddr(frame.at_work());
        let Some(loaded) = loaded else {
            return Self { frame, spot: Spot::default(), inlined: Vec::new(), times: 1, is_signal: false };
        };
        let spot = if frame.is_exact { loaded.spot(at) } else { loaded.spot_of_return(VirtAddr(frame.pc)) };
        Self { inlined: loaded.inlined(at), frame, spot, times: 1, is_signal: false }
    }

    /// Whether it is the program's `main`.
    fn is_outermost(&self) -> bool {
        self.spot.symbol.as_deref().is_some_and(|name| name.split('+').next() == Some(OUTERMOST))
    }

    /// The function of the source that is at work: that of the inlined one, if there is one.
    pub fn function(&self) -> Option<&str> {
        let inlined = self.inlined.first().filter(|_| self.inlined.len() > 1);
        inlined.and_then(|frame| frame.function.as_deref()).or(self.spot.symbol.as_deref())
    }
}

/// The stack from `innermost` out: `loaded` tells which file's code is at an address, `read` gives eight bytes of memory.
///
/// It ends with the program's `main`, or where nothing is known any more.
pub fn stack(
    innermost: Frame,
    loaded: &dyn Fn(VirtAddr) -> Option<Loaded>,
    read: &dyn Fn(u64) -> Option<u64>,
) -> Vec<StackFrame> {
    let mut frames: Vec<StackFrame> = Vec::new();
    let mut next = Some(innermost);
    for _ in 0..MAX_FRAMES {
        let Some(frame) = next else { break };
        let of = loaded(VirtAddr(frame.at_work()));
        let caller = || match &of {
            Some(of) => of.file.caller(&frame, of.bias, read),
            None => frame.caller_by_return_address(),
        };
        let before_signal = frame.before_signal(read);
        let is_signal = before_signal.is_some();
        next = before_signal.or_else(caller);
        match frames
            .last_mut()
            .filter(|last| last.frame.pc == frame.pc && last.frame.is_exact == frame.is_exact)
        {
            Some(last) => {
                last.times += 1;
                last.frame = frame;
            }
            None => {
                let frame = StackFrame { is_signal, ..StackFrame::of(frame, of.as_ref()) };
                let is_outermost = frame.is_outermost();
                frames.push(frame);
                if is_outermost {
                    break;
                }
            }
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
