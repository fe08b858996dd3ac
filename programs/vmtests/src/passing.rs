//! What goes along with messages: descriptors, and who sends; and messages by the dozen.

use rt::Result;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::os;

use crate::check::Outcome;
use crate::raw::sys;
use crate::sockets::{DGRAM, DONTWAIT, SEQPACKET, SOL_SOCKET, STREAM, pair, set_option};
use crate::{check, check_eq, check_error, tests};

tests! {
    descriptors_are_passed, @Kernel descriptors_find_no_room, descriptors_in_circles, senders_are_told, @Kernel what_cannot_be_told, @Kernel messages_by_the_dozen,
}

/// `linux/socket.h`; not in linux-raw-sys.
const MSG_WAITFORONE: usize = 0x1_0000;

/// A message with room for what comes along.
#[repr(C)]
struct Envelope {
    header: [usize; 7],
    vector: [usize; 2],
    bytes: [u8; 16],
    control: [u32; 32],
}

impl Envelope {
    fn new(len: usize, control_bytes: usize) -> Self {
        let mut this = Self { header: [0; 7], vector: [0; 2], bytes: *b"with descriptors", control: [0; 32] };
        this.vector[1] = len;
        this.header[5] = control_bytes;
        this
    }
    fn call(&mut self, number: u32, fd: i32, flags: usize) -> Result<usize> {
        let control = self.control.as_mut_ptr() as usize;
        self.call_with(number, fd, flags, control)
    }
    fn call_with(&mut self, number: u32, fd: i32, flags: usize, control: usize) -> Result<usize> {
        self.vector[0] = self.bytes.as_mut_ptr() as usize;
        self.header[2] = self.vector.as_mut_ptr() as usize;
        self.header[3] = 1;
        self.header[4] = control;
        let at = self.header.as_mut_ptr() as usize;
        let result = sys(number, [fd as usize, at, flags]);
        core::hint::black_box(self);
        result
    }
    fn put(&mut self, kind: u32, words: &[u32]) {
        let len = 16 + 4 * words.len();
        self.control[..4].copy_from_slice(&[len as u32, 0, SOL_SOCKET as u32, kind]);
        self.control[4..4 + words.len()].copy_from_slice(words);
        self.header[5] = len.next_multiple_of(8);
    }
    fn flags(&self) -> u32 {
        self.header[6] as u32
    }
}

const RIGHTS: u32 = 1;

const CREDENTIALS: u32 = 2;

fn pass(over: i32, descriptors: &[i32]) -> Result<usize> {
    let mut message = Envelope::new(1, 0);
    let words: [u32; 8] = core::array::from_fn(|i| descriptors.get(i).map_or(0, |fd| fd.cast_unsigned()));
    message.put(RIGHTS, &words[..descriptors.len()]);
    message.call(g::__NR_sendmsg, over, 0)
}

fn descriptors_are_passed() -> Outcome {
    for kind in [STREAM, DGRAM, SEQPACKET] {
        let (a, b) = pair(kind)?;
        let (read, write) = os::pipe(0)?;
        check_error!(pass(a, &[999]), EBADF);
        check_eq!(pass(a, &[write])?, 1);
        os::close(write)?;
        let mut message = Envelope::new(16, 64);
        check_eq!(message.call(g::__NR_recvmsg, b, n::MSG_CMSG_CLOEXEC as usize)?, 1);
        check_eq!((message.header[5], message.control[0], message.control[3]), (24, 20, RIGHTS));
        check_eq!(message.flags() & n::MSG_CTRUNC, 0);
        let passed = message.control[4] as i32;
        check_eq!(sys(g::__NR_fcntl, [passed as usize, g::F_GETFD as usize])?, 1);
        os::write(passed, b"through")?;
        check_eq!(os::read(read, &mut [0; 8])?, 7);
        // The last one is gone with the queue that it is in.
        pass(a, &[passed])?;
        os::close(passed)?;
        os::close(b)?;
        os::close(a)?;
        check_eq!(os::read(read, &mut [0; 8])?, 0);
        os::close(read)?;
    }
    // Bytes before the descriptors come with them, bytes behind them do not.
    let (a, b) = pair(STREAM)?;
    os::write(a, b"before")?;
    pass(a, &[a])?;
    os::write(a, b"behind")?;
    let mut message = Envelope::new(16, 64);
    check_eq!(message.call(g::__NR_recvmsg, b, 0)?, 7);
    check_eq!(os::read(b, &mut [0; 16])?, 6);
    Ok(())
}

fn descriptors_find_no_room() -> Outcome {
    let (a, b) = pair(STREAM)?;
    let (read, write) = os::pipe(0)?;
    pass(a, &[write, write, write])?;
    os::close(write)?;
    let mut message = Envelope::new(16, 24);
    check_eq!(message.call(g::__NR_recvmsg, b, 0)?, 1);
    check!(message.flags() & n::MSG_CTRUNC != 0);
    let count = (message.control[0] as usize - 16) / 4;
    check!((1..3).contains(&count));
    for place in 0..count {
        os::close(message.control[4 + place] as i32)?;
    }
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    // Who does not ask for them does not get them.
    let (read, write) = os::pipe(0)?;
    pass(a, &[write])?;
    os::close(write)?;
    check_eq!(os::read(b, &mut [0; 16])?, 1);
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    let mut message = Envelope::new(1, 0);
    message.put(77, &[1]);
    check_error!(message.call(g::__NR_sendmsg, a, 0), EINVAL);
    message.put(RIGHTS, &[1]);
    message.control[0] = 9;
    check_error!(message.call(g::__NR_sendmsg, a, 0), EINVAL);
    Ok(())
}

fn descriptors_in_circles() -> Outcome {
    // Each is on its way in the other's queue: nobody can reach them, and the pipe in them is closed.
    let (read, write) = os::pipe(0)?;
    for _ in 0..20 {
        let (a, b) = pair(STREAM)?;
        pass(a, &[a, write])?;
        pass(b, &[b])?;
        os::close(a)?;
        os::close(b)?;
    }
    os::close(write)?;
    // Linux collects them at another time: a look at it begins that.
    pair(STREAM)?;
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    Ok(())
}

fn senders_are_told() -> Outcome {
    let (a, b) = pair(DGRAM)?;
    set_option(b, SOL_SOCKET, n::SO_PASSCRED, 1)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::write(a, b"x")?;
        os::exit(0);
    }
    os::wait(pid)?;
    let mut message = Envelope::new(16, 64);
    check_eq!(message.call(g::__NR_recvmsg, b, 0)?, 1);
    check_eq!((message.control[0], message.control[3]), (28, CREDENTIALS));
    check_eq!(message.control[4], pid.cast_unsigned());
    let mut message = Envelope::new(1, 0);
    message.put(CREDENTIALS, &[os::getpid().cast_unsigned(), message.control[5], message.control[6]]);
    let _ = message.call(g::__NR_sendmsg, a, 0)?;
    Ok(())
}

/// Where nothing can be written to, what came along is left out; what has been received is received.
fn what_cannot_be_told() -> Outcome {
    const NOWHERE: usize = 8;
    let (a, b) = pair(DGRAM)?;
    set_option(b, SOL_SOCKET, n::SO_PASSCRED, 1)?;
    os::write(a, b"x")?;
    let mut message = Envelope::new(16, 64);
    check_eq!(message.call_with(g::__NR_recvmsg, b, 0, NOWHERE)?, 1);
    check_eq!((message.header[5], message.flags() & n::MSG_CTRUNC), (0, 0));
    set_option(b, SOL_SOCKET, n::SO_PASSCRED, 0)?;
    let (read, write) = os::pipe(0)?;
    pass(a, &[write])?;
    os::close(write)?;
    let mut message = Envelope::new(16, 64);
    check_eq!(message.call_with(g::__NR_recvmsg, b, 0, NOWHERE)?, 1);
    check_eq!((message.header[5], message.flags() & n::MSG_CTRUNC), (0, n::MSG_CTRUNC));
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    message.header[5] = 64;
    check_error!(message.call_with(g::__NR_sendmsg, a, 0, NOWHERE), EFAULT);
    Ok(())
}

fn messages_by_the_dozen() -> Outcome {
    let (a, b) = pair(DGRAM)?;
    let parts: [&[u8]; 3] = [b"a", b"bc", b"def"];
    let mut vectors: [[usize; 2]; 3] = core::array::from_fn(|i| [parts[i].as_ptr() as usize, parts[i].len()]);
    let start = vectors.as_mut_ptr() as usize;
    let mut messages: [[usize; 8]; 4] = core::array::from_fn(|i| [0, 0, start + 16 * (i % 3), 1, 0, 0, 0, 0]);
    let at = messages.as_mut_ptr() as usize;
    check_eq!(sys(g::__NR_sendmmsg, [a as usize, at, 3, 0])?, 3);
    check_eq!(core::hint::black_box(&messages)[2][7], 3);
    let mut buffers = [[0u8; 8]; 4];
    let mut vectors: [[usize; 2]; 4] = core::array::from_fn(|i| [buffers[i].as_mut_ptr() as usize, 8]);
    let start = vectors.as_mut_ptr() as usize;
    for (index, message) in messages.iter_mut().enumerate() {
        *message = [0, 0, start + 16 * index, 1, 0, 0, 0, 0];
    }
    let at = messages.as_mut_ptr() as usize;
    check_eq!(sys(g::__NR_recvmmsg, [b as usize, at, 4, MSG_WAITFORONE, 0])?, 3);
    check_eq!(&core::hint::black_box(buffers)[2][..3], b"def");
    check_error!(sys(g::__NR_recvmmsg, [b as usize, at, 4, DONTWAIT, 0]), EAGAIN);
    Ok(())
}
