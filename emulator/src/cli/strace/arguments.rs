//! A call's name, arguments and result: what is known when it is made, and what only when it comes back.

use super::memory::UserMemory;
use super::structures::Moment;
use super::{structures, text};
use abi::{Call, Errno, Kind, Returns};
use emulator::hart::Hart;
use isa::reg;

/// Arguments and variables of a program that are counted, at most.
const MAX_STRINGS: u64 = 10_000;
/// Arguments of a program that are shown.
const SHOWN_STRINGS: usize = 32;

/// A call as it was asked for.
pub struct Asked {
    call: Option<&'static Call>,
    values: [u64; 6],
    /// The arguments by themselves; `None` for what is not known before the call comes back.
    shown: Vec<Option<String>>,
    /// Name and first arguments, up to one that is not known.
    entry: String,
}

impl Asked {
    /// The call `number` with its arguments, as memory is now.
    pub fn new(number: u64, values: [u64; 6], memory: &UserMemory<'_>) -> Self {
        let call = u32::try_from(number).ok().and_then(abi::call);
        let shown = match call {
            Some(call) => shown(call, &values, memory),
            None => values.iter().map(|value| Some(format!("{value:#x}"))).collect(),
        };
        let name = abi::call_name(number).map_or_else(|| format!("syscall_{number:#x}"), str::to_string);
        let known: Vec<&str> = shown.iter().map_while(|text| text.as_deref()).collect();
        let mut entry = format!("{name}({}", known.join(", "));
        if !known.is_empty() && known.len() < shown.len() {
            entry.push_str(", ");
        }
        Self { call, values, shown, entry }
    }

    /// What can be written at once.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// Whether the program goes on after it.
    pub fn comes_back(&self) -> bool {
        self.call.is_none_or(|call| call.returns != Returns::Never)
    }

    /// The arguments that were missing, and the result.
    pub fn rest(&self, memory: &UserMemory<'_>, result: u64) -> (String, String) {
        let error = Errno::from_return_value(result);
        let mut told = match error {
            Some(errno) => format!("-1 {} ({})", errno.name(), sentence(errno.reason())),
            None => match self.call.map_or(Returns::Number, |call| call.returns) {
                Returns::Number => result.cast_signed().to_string(),
                Returns::Address => format!("{result:#x}"),
                Returns::Mode => text::mode(result),
                Returns::Never => "?".to_string(),
            },
        };
        if let (None, Some(call)) = (error, self.call) {
            told.push_str(&structures::remark(call, &self.values, memory, result));
        }
        (self.missing(Some((memory, result)).filter(|_| error.is_none())), told)
    }

    /// The rest of a call that is made again after a signal.
    pub fn will_restart(&self) -> (String, String) {
        (self.missing(None), "? ERESTARTSYS (To be restarted if SA_RESTART is set)".to_string())
    }

    /// The rest of a call that never comes back.
    pub fn never(&self) -> (String, String) {
        (self.missing(None), "?".to_string())
    }

    /// The arguments that `entry` has not: what was written, or, if nothing was, where to.
    fn missing(&self, answer: Option<(&UserMemory<'_>, u64)>) -> String {
        let known = self.shown.iter().take_while(|text| text.is_some()).count();
        let rest = self.shown.iter().enumerate().skip(known);
        let texts: Vec<String> = rest
            .map(|(index, text)| match (text, self.call, answer) {
                (Some(text), ..) => text.clone(),
                (None, Some(call), Some((memory, result))) => {
                    written(call.arguments[index].kind, &self.values, index, memory, result)
                }
                _ => text::address(self.values[index]),
            })
            .collect();
        texts.join(", ")
    }
}

/// What can be said of each argument before the call has been served.
fn shown(call: &Call, values: &[u64; 6], memory: &UserMemory<'_>) -> Vec<Option<String>> {
    if call.number == abi::number::clone {
        return clone(values).into_iter().map(Some).collect();
    }
    let mut shown: Vec<Option<String>> = call
        .arguments
        .iter()
        .enumerate()
        .map(|(index, argument)| asked(argument.kind, values, index, memory))
        .collect();
    let creates = call.number != abi::number::openat || values[2] & O_CREAT != 0;
    if !creates {
        shown.pop();
    }
    if call.number == abi::number::futex {
        if let Some(Some(operation)) = shown.get_mut(1) {
            *operation = operation.replace("|FUTEX_PRIVATE_FLAG", "_PRIVATE");
        }
        if values[1] & 0x7f != 0 {
            shown.pop();
        }
    }
    shown
}

/// With this flag `openat` looks at its last argument.
const O_CREAT: u64 = 0o100;

/// `clone`, whose arguments have names, and are there or not by its flags.
fn clone([flags, stack, parent_tid, tls, child_tid, _]: &[u64; 6]) -> Vec<String> {
    let names = text::flags(&abi::sets::CLONE, flags & !0xff);
    let mut all: Vec<String> = Some(names).filter(|names| names != "0").into_iter().collect();
    all.extend(Some(flags & 0xff).filter(|&signal| signal != 0).map(text::signal));
    let all = if all.is_empty() { "0".to_string() } else { all.join("|") };
    let mut shown = vec![format!("child_stack={}", text::address(*stack)), format!("flags={all}")];
    let has = |name: &str| all.split('|').any(|flag| flag == name);
    if has("CLONE_PARENT_SETTID") {
        shown.push(format!("parent_tid={}", text::address(*parent_tid)));
    }
    if has("CLONE_SETTLS") {
        shown.push(format!("tls={}", text::address(*tls)));
    }
    if has("CLONE_CHILD_SETTID") || has("CLONE_CHILD_CLEARTID") {
        shown.push(format!("child_tidptr={}", text::address(*child_tid)));
    }
    shown
}

/// An argument when the call is made; `None` if only its end can tell, or if its page has not been touched yet.
fn asked(kind: Kind, values: &[u64; 6], index: usize, memory: &UserMemory<'_>) -> Option<String> {
    let value = values[index];
    Some(match kind {
        Kind::DirFd if text::int(value) == "-100" => "AT_FDCWD".to_string(),
        Kind::Fd | Kind::DirFd | Kind::Int | Kind::Pid | Kind::Id => text::int(value),
        Kind::Unsigned => (value & 0xffff_ffff).to_string(),
        Kind::Word => format!("{value:#x}"),
        Kind::Size => value.to_string(),
        Kind::Offset => value.cast_signed().to_string(),
        Kind::Address => text::address(value),
        Kind::Signal => text::signal(value & 0xffff_ffff),
        Kind::Mode => text::mode(value),
        Kind::Flags(set) => text::flags(set, value),
        Kind::Path | Kind::Strings | Kind::In(_) | Kind::Out(_) | Kind::InOut(_) if value == 0 => {
            "NULL".to_string()
        }
        Kind::Path => text::path(&memory.string(value)?),
        Kind::Strings if index == 1 => strings(value, memory)?,
        Kind::Strings => variables(value, memory)?,
        Kind::In(layout) | Kind::InOut(layout) => {
            structures::show(layout, value, values, Moment::Asked, memory)?
        }
        Kind::Out(_) => return None,
    })
}

/// An argument when the call has succeeded.
fn written(kind: Kind, values: &[u64; 6], index: usize, memory: &UserMemory<'_>, result: u64) -> String {
    let shown = match kind {
        Kind::Out(layout) => structures::show(layout, values[index], values, Moment::Written(result), memory),
        Kind::In(layout) | Kind::InOut(layout) => {
            structures::show(layout, values[index], values, Moment::Read, memory)
        }
        kind => asked(kind, values, index, memory),
    };
    shown.unwrap_or_else(|| text::address(values[index]))
}

fn strings(list: u64, memory: &UserMemory<'_>) -> Option<String> {
    let pointers = memory.strings(list, MAX_STRINGS)?;
    let more = if pointers.len() > SHOWN_STRINGS { ", ..." } else { "" };
    let one =
        |&pointer: &u64| memory.string(pointer).map_or(text::address(pointer), |bytes| text::string(&bytes));
    let texts: Vec<String> = pointers.iter().take(SHOWN_STRINGS).map(one).collect();
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
