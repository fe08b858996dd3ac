//! A call's name, arguments and result: what is known when it is made, and what only when it comes back.

use super::memory::UserMemory;
use super::structures::Moment;
use super::{siginfo, structures, text};
use abi::{Call, Errno, Kind, Layout, Returns, Variant};
use emulator::hart::Hart;
use isa::events::CutShort;
use isa::paging::Satp;
use isa::reg;

/// Arguments and variables of a program that are counted, at most.
const MAX_STRINGS: u64 = 10_000;
/// Arguments of a program that are shown.
const SHOWN_STRINGS: usize = 32;

/// A call as it was asked for.
pub struct Asked {
    name: String,
    call: Option<&'static Call>,
    values: [u64; 6],
    returns: Returns,
    arguments: Vec<Argument>,
    /// The address space that its arguments lie in.
    space: Satp,
    /// How many of the arguments `entry` has.
    entered: usize,
    /// Name and first arguments, up to one that is not known.
    entry: String,
}

/// An argument that is shown.
struct Argument {
    /// What stands before it, with calls whose arguments have names.
    label: &'static str,
    /// Which value it is.
    index: usize,
    kind: Kind,
    /// `None` for what only the end of the call can tell, or is in a page that has not been touched yet.
    text: Option<String>,
}

/// What is known when a call comes back.
#[derive(Clone, Copy)]
enum Answer<'a> {
    Success(&'a UserMemory<'a>, u64),
    Failure(&'a UserMemory<'a>),
    CutShort(&'a UserMemory<'a>),
    /// Its memory can't be looked at any more.
    Unseen,
}

impl Asked {
    /// The call `number` with its arguments, as memory is now; `sp` is the program's stack pointer.
    pub fn new(number: u64, values: [u64; 6], sp: u64, memory: &UserMemory<'_>) -> Self {
        let call = u32::try_from(number).ok().and_then(abi::call);
        let variant = call.and_then(|call| abi::variant(call, &values));
        let returns = variant.map(|variant| variant.returns).or(call.map(|call| call.returns));
        let name = abi::call_name(number).map_or_else(|| format!("syscall_{number:#x}"), str::to_string);
        let mut asked = Self {
            name,
            call,
            values,
            returns: returns.unwrap_or(Returns::Number),
            arguments: arguments(call, variant, &values, sp, memory),
            space: memory.space(),
            entered: 0,
            entry: String::new(),
        };
        asked.look(memory);
        asked.enter();
        asked
    }

    /// Looks again at what could not be read before, while memory is still as it was asked for. Whether there was anything to look at.
    pub fn look_again(&mut self, memory: &UserMemory<'_>) -> bool {
        let is_due =
            memory.space() == self.space && self.arguments.iter().any(|argument| argument.text.is_none());
        if is_due {
            self.look(memory);
        }
        is_due
    }

    fn look(&mut self, memory: &UserMemory<'_>) {
        for argument in self.arguments.iter_mut().filter(|argument| argument.text.is_none()) {
            argument.text = asked(argument.kind, &self.values, argument.index, memory);
        }
    }

    /// What can be written at once.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// Takes into the entry what is known by now.
    pub fn enter(&mut self) {
        let known = self
            .arguments
            .iter()
            .map_while(|argument| argument.text.as_ref().map(|text| format!("{}{text}", argument.label)));
        let known: Vec<String> = known.collect();
        self.entered = known.len();
        self.entry = format!("{}({}", self.name, known.join(", "));
        if !known.is_empty() && known.len() < self.arguments.len() {
            self.entry.push_str(", ");
        }
    }

    /// Whether the program goes on after it.
    pub fn comes_back(&self) -> bool {
        self.returns != Returns::Never
    }

    /// The arguments that were missing, and the result. Without memory, what it wrote is not shown.
    pub fn rest(&self, memory: Option<&UserMemory<'_>>, result: u64) -> (String, String) {
        let error = Errno::from_return_value(result);
        let answer = match (memory, error) {
            (Some(memory), None) => Answer::Success(memory, result),
            (Some(memory), Some(_)) => Answer::Failure(memory),
            (None, _) => Answer::Unseen,
        };
        let mut told = match error {
            Some(errno) => format!("-1 {} ({})", errno.name(), sentence(errno.reason())),
            None => success(self.returns, result),
        };
        if let (None, Some(call), Some(memory)) = (error, self.call, memory) {
            told.push_str(&structures::remark(call, &self.values, memory, result));
        }
        (self.missing(answer), told)
    }

    /// The rest of a call that a signal has cut short.
    pub fn cut_short(&self, memory: Option<&UserMemory<'_>>, how: CutShort) -> (String, String) {
        let told = match how {
            CutShort::Again => "? ERESTARTSYS (To be restarted if SA_RESTART is set)",
            CutShort::AgainUnlessHandled => "? ERESTARTNOHAND (To be restarted if no handler)",
            CutShort::Rest => "? ERESTART_RESTARTBLOCK (Interrupted by signal)",
        };
        (self.missing(memory.map_or(Answer::Unseen, Answer::CutShort)), told.to_string())
    }

    /// The rest of a call that never comes back.
    pub fn never(&self) -> (String, String) {
        (self.missing(Answer::Unseen), "?".to_string())
    }

    /// The rest of a call whose thread has ended in it.
    pub fn abandoned(&self) -> (String, String) {
        let is_complete = self.entered == self.arguments.len();
        let rest = if is_complete { "" } else { " <unfinished ...>" };
        (rest.to_string(), "?".to_string())
    }

    /// The arguments that `entry` has not: what was written, or, if nothing was, where to.
    fn missing(&self, answer: Answer<'_>) -> String {
        let one = |argument: &Argument| {
            let read = || answered(argument.kind, &self.values, argument.index, answer);
            let text = argument.text.clone().or_else(read);
            format!(
                "{}{}",
                argument.label,
                text.unwrap_or_else(|| text::address(self.values[argument.index]))
            )
        };
        let texts: Vec<String> = self.arguments.iter().skip(self.entered).map(one).collect();
        texts.join(", ")
    }
}

/// A result that is no error.
fn success(returns: Returns, result: u64) -> String {
    match returns {
        Returns::Number => result.cast_signed().to_string(),
        Returns::Address => format!("{result:#x}"),
        Returns::Mode => text::mode(result),
        Returns::Signal => format!("{result} ({})", text::signal(result)),
        Returns::Flags(set) => match text::flags(set, result).as_str() {
            "0" => "0".to_string(),
            names => format!("{} (flags {names})", text::hex(result)),
        },
        Returns::Never => "?".to_string(),
    }
}

/// The arguments of a call; those with a form of their own are told already.
fn arguments(
    call: Option<&'static Call>,
    variant: Option<&Variant>,
    values: &[u64; 6],
    sp: u64,
    memory: &UserMemory<'_>,
) -> Vec<Argument> {
    let Some(call) = call else {
        return (0..values.len()).map(|index| argument(index, Kind::Word)).collect();
    };
    let row = || call.arguments.iter().enumerate().map(|(index, row)| argument(index, row.kind));
    match (call.number, variant) {
        (abi::number::clone, _) => clone(values[0]),
        (abi::number::rt_sigreturn, _) => {
            let mask = siginfo::saved_mask(sp, memory).map(text::signal_set);
            mask.map(|mask| told(0, format!("{{mask={mask}}}"))).into_iter().collect()
        }
        (number, Some(variant)) => {
            let rest = variant.rest.iter().map(|&(index, kind)| argument(index, kind));
            let mut arguments: Vec<Argument> = row().take(variant.decides + 1).chain(rest).collect();
            if number == abi::number::futex {
                let operation = text::flags(&abi::sets::FUTEX, values[1]);
                arguments[1] = told(1, operation.replace("|FUTEX_PRIVATE_FLAG", "_PRIVATE"));
            }
            arguments
        }
        (_, None) => row().collect(),
    }
}

fn argument(index: usize, kind: Kind) -> Argument {
    Argument { label: "", index, kind, text: None }
}

fn told(index: usize, text: String) -> Argument {
    Argument { text: Some(text), ..argument(index, Kind::Word) }
}

/// `clone`, whose arguments have names, and are there or not by its flags.
fn clone(flags: u64) -> Vec<Argument> {
    let names = text::flags(&abi::sets::CLONE, flags & !0xff);
    let mut all: Vec<String> = Some(names).filter(|names| names != "0").into_iter().collect();
    all.extend(Some(flags & 0xff).filter(|&signal| signal != 0).map(text::signal));
    let all = if all.is_empty() { "0".to_string() } else { all.join("|") };
    let has = |name: &str| all.split('|').any(|flag| flag == name);
    let rest = [
        (has("CLONE_PARENT_SETTID"), "parent_tid=", 2, Kind::Out(Layout::Int)),
        (has("CLONE_SETTLS"), "tls=", 3, Kind::Address),
        (has("CLONE_CHILD_SETTID") || has("CLONE_CHILD_CLEARTID"), "child_tidptr=", 4, Kind::Address),
    ];
    let rest = rest.into_iter().filter(|(is_there, ..)| *is_there);
    let rest = rest.map(|(_, label, index, kind)| Argument { label, ..argument(index, kind) });
    let first = [
        Argument { label: "child_stack=", ..argument(1, Kind::Address) },
        Argument { label: "flags=", ..told(0, all.clone()) },
    ];
    first.into_iter().chain(rest).collect()
}

/// An argument when the call is made; `None` if only its end can tell, or if its page has not been touched yet.
fn asked(kind: Kind, values: &[u64; 6], index: usize, memory: &UserMemory<'_>) -> Option<String> {
    let value = values[index];
    Some(match kind {
        Kind::DirFd if text::int(value) == "-100" => "AT_FDCWD".to_string(),
        Kind::Fd | Kind::DirFd | Kind::Int | Kind::Pid | Kind::Id => text::int(value),
        Kind::Unsigned => (value & 0xffff_ffff).to_string(),
        Kind::Word => text::hex(value),
        Kind::Size => value.to_string(),
        Kind::Offset => value.cast_signed().to_string(),
        Kind::Address => text::address(value),
        Kind::Signal => text::signal(value & 0xffff_ffff),
        Kind::Mode => text::mode(value),
        Kind::Flags(set) => text::flags(set, value),
        Kind::Path | Kind::Strings | Kind::In(_) | Kind::InOut(_) if value == 0 => "NULL".to_string(),
        Kind::Path => text::path(&memory.string(value)?),
        Kind::Strings if index == 1 => strings(value, memory)?,
        Kind::Strings => variables(value, memory)?,
        Kind::In(layout) | Kind::InOut(layout) => {
            structures::show(layout, value, values, Moment::Asked, memory)?
        }
        Kind::Out(_) => return None,
    })
}

/// An argument that was not known before the call came back.
fn answered(kind: Kind, values: &[u64; 6], index: usize, answer: Answer<'_>) -> Option<String> {
    let (memory, moment) = match answer {
        Answer::Success(memory, result) => (memory, Moment::Written(result)),
        Answer::Failure(memory) | Answer::CutShort(memory) => (memory, Moment::Read),
        Answer::Unseen => return None,
    };
    let shows = |layout, moment| structures::show(layout, values[index], values, moment, memory);
    match (kind, answer) {
        (Kind::Out(Layout::Remainder), Answer::Success(..)) => None,
        (Kind::Out(Layout::Remainder), _) => shows(Layout::Remainder, moment),
        (Kind::Out(layout), Answer::Success(..)) => shows(layout, moment),
        (Kind::Out(_), _) => None,
        (Kind::In(layout) | Kind::InOut(layout), _) => shows(layout, Moment::Read),
        (kind, _) => asked(kind, values, index, memory),
    }
}

fn strings(list: u64, memory: &UserMemory<'_>) -> Option<String> {
    let pointers = memory.strings(list, MAX_STRINGS)?;
    let more = if pointers.len() > SHOWN_STRINGS { ", ..." } else { "" };
    let one = |&pointer: &u64| memory.string(pointer).map(|bytes| text::string(&bytes));
    let texts = pointers.iter().take(SHOWN_STRINGS).map(one).collect::<Option<Vec<String>>>()?;
    Some(format!("[{}{more}]", texts.join(", ")))
}

fn variables(list: u64, memory: &UserMemory<'_>) -> Option<String> {
    let count = memory.strings(list, MAX_STRINGS)?.len();
    Some(format!("{} /* {count} var{} */", text::address(list), if count == 1 { "" } else { "s" }))
}

/// The program that the kernel itself has started: its arguments lie on its stack.
pub fn first_program(path: &str, hart: &Hart, memory: &UserMemory<'_>) -> String {
    let sp = hart.x[usize::from(reg::SP)];
    let argv = sp.wrapping_add(8);
    let count = memory.words::<1>(sp).map_or(0, |[count]| count);
    let envp = argv.wrapping_add(8 * (count + 1));
    let texts = [
        text::path(path.as_bytes()),
        strings(argv, memory).unwrap_or_else(|| text::address(argv)),
        variables(envp, memory).unwrap_or_else(|| text::address(envp)),
    ];
    format!("execve({}) = 0", texts.join(", "))
}

/// A reason as a sentence begins.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
