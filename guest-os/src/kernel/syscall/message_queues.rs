//! Message queues of System V: `msgget`, `msgsnd`, `msgrcv`, `msgctl`.

use super::ipc::{
    self, IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, now, owned, pair, permission, write_words,
};
use super::{Arguments, Outcome, Stop, int, length, uint};
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::user::{self, UserPtr};
use crate::processes::wait::{self, Channel, WaitOutcome};
use crate::settings::setting;
use ::proc::ipc::messages::{Message, Wanted, find};
use ::proc::{CapSet, IpcTable, Ownership};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use fs::{Errno, Setting};

const MSG_STAT: u32 = 11;
const MSG_INFO: u32 = 12;
const MSG_STAT_ANY: u32 = 13;
const MSG_NOERROR: u32 = 0o10_000;
const MSG_EXCEPT: u32 = 0o20_000;
const MSG_COPY: u32 = 0o40_000;

/// A queue.
#[derive(Debug)]
struct Queue {
    messages: VecDeque<Message>,
    /// Bytes of all of them, and as many as there may be.
    bytes: u64,
    most_bytes: u64,
    sent: i64,
    received: i64,
    changed: i64,
    last_sender: u32,
    last_receiver: u32,
}

static QUEUES: HartLocal<IpcTable<Queue>> = HartLocal::new(IpcTable::new());

pub fn msgget([key, flags, ..]: Arguments) -> Outcome {
    let (key, flags) = (int(key), uint(flags));
    let mut queues = QUEUES.get_mut();
    if let Some(id) = ipc::find(&queues, key, flags, |_| true)? {
        return Ok(id.into());
    }
    if queues.len() as u64 >= setting(Setting::MSG_MNI) {
        return Err(Errno::ENOSPC.into());
    }
    let owner = Ownership::new(key, flags, &current().process.credentials.borrow());
    let queue = Queue {
        messages: VecDeque::new(),
        bytes: 0,
        most_bytes: setting(Setting::MSG_MNB),
        sent: 0,
        received: 0,
        changed: now(),
        last_sender: 0,
        last_receiver: 0,
    };
    Ok(queues.insert(owner, queue).into())
}

/// Waits until a queue has changed. EAGAIN for who would not wait, EIDRM once it has gone.
fn wait_for(id: u32, flags: u32, otherwise: Errno) -> Result<(), Stop> {
    if flags & IPC_NOWAIT != 0 {
        return Err(otherwise.into());
    }
    let outcome = wait::sleep_on(alloc::vec![Channel::Messages(id)], None, true);
    match outcome {
        WaitOutcome::Interrupted => Err(Stop::Signal(false)),
        _ if QUEUES.get().get(id).is_err() => Err(Errno::EIDRM.into()),
        _ => Ok(()),
    }
}

pub fn msgsnd([id, message, size, flags, ..]: Arguments) -> Outcome {
    let (id, flags) = (uint(id), uint(flags));
    if size > setting(Setting::MSG_MAX) || int(id.into()) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let kind = UserPtr::<u64>::from(message).read()?.cast_signed();
    if kind < 1 {
        return Err(Errno::EINVAL.into());
    }
    let mut text = Vec::new();
    text.try_reserve_exact(length(size)).map_err(|_| Errno::ENOMEM)?;
    text.resize(length(size), 0);
    user::copy_in(message.wrapping_add(8), &mut text)?;
    loop {
        {
            let mut queues = QUEUES.get_mut();
            let queue = &mut ipc::to_use(&mut queues, id, 0o222)?.value;
            // As in Linux, empty messages have a limit, too.
            if queue.bytes + size <= queue.most_bytes && (queue.messages.len() as u64) < queue.most_bytes {
                queue.messages.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                queue.messages.push_back(Message { kind, text });
                queue.bytes += size;
                (queue.sent, queue.last_sender) = (now(), current().process.pid);
                break;
            }
        }
        wait_for(id, flags, Errno::EAGAIN)?;
    }
    wait::wake(Channel::Messages(id));
    Ok(0)
}

pub fn msgrcv([id, message, size, kind, flags, _]: Arguments) -> Outcome {
    let (id, flags, kind) = (uint(id), uint(flags), kind.cast_signed());
    if size.cast_signed() < 0 || int(id.into()) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let copies = flags & MSG_COPY != 0;
    if copies && (flags & MSG_EXCEPT != 0 || flags & IPC_NOWAIT == 0) {
        return Err(Errno::EINVAL.into());
    }
    let wanted = match kind {
        place if copies => Wanted::AtPlace(place.cast_unsigned()),
        0 => Wanted::First,
        ..0 => Wanted::Lowest(kind.checked_neg().unwrap_or(i64::MAX)),
        _ if flags & MSG_EXCEPT != 0 => Wanted::NotOfKind(kind),
        _ => Wanted::OfKind(kind),
    };
    let received = loop {
        {
            let mut queues = QUEUES.get_mut();
            let queue = &mut ipc::to_use(&mut queues, id, 0o444)?.value;
            if let Some(place) = find(&queue.messages, wanted) {
                break take(queue, place, size, flags)?;
            }
        }
        wait_for(id, flags, Errno::ENOMSG)?;
    };
    wait::wake(Channel::Messages(id));
    UserPtr::<u64>::from(message).write(received.kind.cast_unsigned())?;
    let text = &received.text[..received.text.len().min(length(size))];
    user::copy_out(message.wrapping_add(8), text)?;
    Ok(text.len() as u64)
}

/// Takes a message out of its queue, or a copy of it. E2BIG if there is no room for it.
fn take(queue: &mut Queue, place: usize, size: u64, flags: u32) -> Result<Message, Errno> {
    let len = queue.messages[place].text.len() as u64;
    if len > size && flags & MSG_NOERROR == 0 {
        return Err(Errno::E2BIG);
    }
    if flags & MSG_COPY != 0 {
        let Message { kind, text } = &queue.messages[place];
        return Ok(Message { kind: *kind, text: fs::try_to_vec(text)? });
    }
    queue.bytes -= len;
    (queue.received, queue.last_receiver) = (now(), current().process.pid);
    queue.messages.remove(place).ok_or(Errno::ENOMSG)
}

/// At the end of the run all queues go.
pub fn stop() {
    *QUEUES.get_mut() = IpcTable::new();
}

pub fn msgctl([id, command, buffer, ..]: Arguments) -> Outcome {
    let (number, command) = (uint(id), uint(command));
    if int(id) < 0 {
        return Err(Errno::EINVAL.into());
    }
    match command {
        IPC_INFO | MSG_INFO => tell_limits(command, buffer),
        IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
            let (id, words) = stat(number, command)?;
            write_words(buffer, &words)?;
            Ok(if command == IPC_STAT { 0 } else { id.into() })
        }
        IPC_SET => {
            const QBYTES: u64 = 11;
            let wanted = ipc::read_owner(buffer)?;
            let most_bytes = UserPtr::<u64>::from(buffer).at(QBYTES).read()?;
            let may_all = current().process.credentials.borrow().can(CapSet::SYS_RESOURCE);
            let mut queues = QUEUES.get_mut();
            let queue = owned(&mut queues, number)?;
            if most_bytes > setting(Setting::MSG_MNB) && !may_all {
                return Err(Errno::EPERM.into());
            }
            ipc::set_owner(&mut queue.owner, wanted);
            (queue.value.most_bytes, queue.value.changed) = (most_bytes, now());
            drop(queues);
            wait::wake(Channel::Messages(number));
            Ok(0)
        }
        IPC_RMID => {
            let mut queues = QUEUES.get_mut();
            owned(&mut queues, number)?;
            queues.remove(number);
            drop(queues);
            wait::wake(Channel::Messages(number));
            Ok(0)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn tell_limits(command: u32, buffer: u64) -> Outcome {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let limits = [Setting::MSG_MAX, Setting::MSG_MNB, Setting::MSG_MNI].map(|which| small(setting(which)));
    let (words, highest) = {
        let queues = QUEUES.get();
        let sum = |of: fn(&Queue) -> u64| small(queues.iter().map(|(_, queue)| of(&queue.value)).sum());
        let used =
            [small(queues.len() as u64), sum(|queue| queue.messages.len() as u64), sum(|queue| queue.bytes)];
        let [pool, map, tql] = if command == MSG_INFO { used } else { [0, 16_384, 16_384] };
        let [max, mnb, mni] = limits;
        // The last word has a number of 16 bits, and padding.
        ([pool, map, max, mnb, mni, 16, tql, 0xffff], queues.highest_index())
    };
    for (index, &word) in (0..).zip(&words) {
        UserPtr::<u32>::from(buffer).at(index).write(word)?;
    }
    Ok(highest.into())
}

/// A queue's number, and its `struct msqid_ds`.
fn stat(number: u32, command: u32) -> Result<(u32, [u64; 15]), Errno> {
    let queues = QUEUES.get();
    let (id, queue) = ipc::to_tell(&queues, number, command, command == MSG_STAT_ANY)?;
    let it = &queue.value;
    let [a, b, c, d, e, f] = permission(queue.owner, queue.owner.mode, queue.sequence);
    let [sent, received, changed] = [it.sent, it.received, it.changed].map(i64::cast_unsigned);
    let last = pair(it.last_sender, it.last_receiver);
    let count = it.messages.len() as u64;
    Ok((id, [a, b, c, d, e, f, sent, received, changed, it.bytes, count, it.most_bytes, last, 0, 0]))
}
