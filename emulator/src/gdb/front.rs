//! What comes from gdb before gdbstub sees it: bytes are made into packets, and packets are checked.
//!
//! gdbstub ends a session at the first packet that it cannot read. Here a packet with a wrong checksum is asked for again, and one that is
//! no packet of the protocol is answered as one that nobody knows; acknowledgements are dealt with here, too, so that a
//! new gdbstub can take a session over.

/// The longest packet that is taken: gdb is told of less.
const MAX_BODY_BYTES: usize = 1 << 16;
/// What gdb is told of as the longest.
pub(super) const PACKET_BYTES: usize = 1 << 14;
/// Bytes of memory that one packet reads at most; gdb asks for less.
const MAX_READ_BYTES: u64 = PACKET_BYTES as u64 / 2 - 16;

/// What has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// A packet, without its frame.
    Packet(Vec<u8>),
    /// Ctrl-C.
    Interrupt,
    /// What was sent last was not understood.
    Again,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    Body,
    /// The first digit of the checksum, once it is there.
    Checksum(Option<u8>),
}

/// Makes bytes into requests.
#[derive(Debug, Default)]
pub(super) struct Front {
    state: State,
    body: Vec<u8>,
    too_long: bool,
    /// Packets are not acknowledged any more.
    pub(super) no_acks: bool,
}

impl Front {
    /// Takes in a byte; `answer` is what to send at once.
    pub(super) fn take_in(&mut self, byte: u8, answer: &mut Vec<u8>) -> Option<Request> {
        match (&self.state, byte) {
            (State::Between, b'$') => self.begin(),
            (State::Between, 0x03) => return Some(Request::Interrupt),
            (State::Between, b'-') if !self.no_acks => return Some(Request::Again),
            // Acknowledgements, and what is no packet.
            (State::Between, _) => {}
            // A packet that was broken off.
            (State::Body | State::Checksum(_), b'$') => self.begin(),
            (State::Body, b'#') => self.state = State::Checksum(None),
            (State::Body, byte) if self.body.len() < MAX_BODY_BYTES => self.body.push(byte),
            (State::Body, _) => self.too_long = true,
            (State::Checksum(None), digit) => self.state = State::Checksum(Some(digit)),
            (&State::Checksum(Some(first)), second) => {
                self.state = State::Between;
                let sum = self.body.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
                let is_right = hex_digit(first)
                    .zip(hex_digit(second))
                    .is_some_and(|(high, low)| u64::from(sum) == high << 4 | low);
                if !self.no_acks {
                    answer.push(if is_right { b'+' } else { b'-' });
                }
                if is_right && !self.too_long {
                    return Some(Request::Packet(std::mem::take(&mut self.body)));
                }
            }
        }
        None
    }
    fn begin(&mut self) {
        (self.state, self.too_long) = (State::Body, false);
        self.body.clear();
    }
}

/// A packet in its frame.
pub(super) fn framed(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte));
    let mut bytes = vec![b'$'];
    bytes.extend(body);
    bytes.extend(format!("#{sum:02x}").bytes());
    bytes
}

/// A text for gdb's console, as a packet.
pub(super) fn console(text: &str) -> Vec<u8> {
    let mut body = vec![b'O'];
    text.bytes().for_each(|byte| body.extend(format!("{byte:02x}").bytes()));
    framed(&body)
}

fn hex_digit(digit: u8) -> Option<u64> {
    char::from(digit).to_digit(16).map(u64::from)
}

pub(super) fn hex(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.len() <= 16;
    text.iter().try_fold(0, |value: u64, &digit| Some(value << 4 | hex_digit(digit)?)).filter(|_| is_number)
}

/// What becomes of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Checked {
    /// gdbstub may read it.
    Good(Vec<u8>),
    /// It is answered so.
    Answer(&'static [u8]),
}

const UNKNOWN: Checked = Checked::Answer(b"");
const MALFORMED: Checked = Checked::Answer(b"E16");

/// Checks a packet of which gdbstub would make too much.
pub(super) fn checked(body: Vec<u8>) -> Checked {
    match body.first() {
        // Longer reads than any answer, and beyond the last address.
        Some(b'm') => {
            let mut words = body[1..].split(|&byte| byte == b',');
            let (address, len) = (words.next().and_then(hex), words.next().and_then(hex));
            match (address, len, words.next()) {
                (Some(address), Some(len), None) => {
                    let len = len.min(MAX_READ_BYTES).min((u64::MAX - address).saturating_add(1));
                    Checked::Good(format!("m{address:x},{len:x}").into_bytes())
                }
                _ => MALFORMED,
            }
        }
        Some(b'M' | b'X') => {
            let mut words = body[1..].splitn(2, |&byte| byte == b':');
            let place = words.next().unwrap_or_default();
            let mut numbers = place.split(|&byte| byte == b',');
            let (address, len) = (numbers.next().and_then(hex), numbers.next().and_then(hex));
            match (address, len, numbers.next(), words.next()) {
                (Some(address), Some(len), None, Some(_)) if address.checked_add(len).is_some() => {
                    Checked::Good(body)
                }
                _ => MALFORMED,
            }
        }
        Some(b'z' | b'Z') => {
            let mut words = body[1..].split(|&byte| matches!(byte, b',' | b';'));
            let kind = words.next().and_then(hex).filter(|&kind| kind <= 4);
            match (kind, words.next().and_then(hex), words.next().and_then(hex)) {
                (Some(_), Some(_), Some(_)) => Checked::Good(body),
                (None, ..) => UNKNOWN,
                _ => MALFORMED,
            }
        }
        _ if body.starts_with(b"qSupported") => {
            let text = body[b"qSupported".len()..].strip_prefix(b":").unwrap_or_default();
            let features = text.split(|&byte| byte == b';').filter(|feature| feature.len() > 1);
            let mut good = b"qSupported:".to_vec();
            good.extend(features.collect::<Vec<_>>().join(&b';'));
            Checked::Good(good)
        }
        _ => Checked::Good(body),
    }
}

/// The threads that the actions of a `vCont` are for, those for all left out. Of processes a session has one, and gdb may call it by a number
/// of its own: that is not looked at.
pub(super) fn resumed(body: &[u8]) -> Vec<u64> {
    let Some(actions) = body.strip_prefix(b"vCont;") else { return Vec::new() };
    let named = |action: &[u8]| named(action.splitn(2, |&byte| byte == b':').nth(1)?);
    actions.split(|&byte| byte == b';').filter_map(named).collect()
}

/// The number of a thread as packets have it, `p1.2` or `2`; of all threads (`-1`) there is none.
fn named(id: &[u8]) -> Option<u64> {
    match id.strip_prefix(b"p") {
        Some(id) => hex(id.splitn(2, |&byte| byte == b'.').nth(1)?),
        None => hex(id),
    }
}

/// The same of one thread: 0 is any.
pub(super) fn thread(id: &[u8]) -> Option<u64> {
    named(id).filter(|&tid| tid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_vcont_is_for() {
        for (body, expected) in [
            ("vCont;c", vec![]),
            ("vCont;c:-1", vec![]),
            ("vCont;s:p1.2;c:p1.-1", vec![2]),
            ("vCont;C05:1f;c", vec![31]),
            ("vCont?", vec![]),
        ] {
            assert_eq!(resumed(body.as_bytes()), expected, "{body}");
        }
    }

    fn requests(front: &mut Front, bytes: &[u8]) -> (Vec<Request>, Vec<u8>) {
        let mut answer = Vec::new();
        let requests = bytes.iter().filter_map(|&byte| front.take_in(byte, &mut answer)).collect();
        (requests, answer)
    }

    #[test]
    fn bytes_are_made_into_packets() {
        let packet = |text: &str| Request::Packet(text.as_bytes().to_vec());
        for (bytes, expected, answer) in [
            (&b"$g#67"[..], vec![packet("g")], &b"+"[..]),
            (b"+$g#67+\x03-", vec![packet("g"), Request::Interrupt, Request::Again], b"+"),
            (b"$g#68$g#67", vec![packet("g")], b"-+"),
            (b"$g#zz", vec![], b"-"),
            (b"$m0,$g#67", vec![packet("g")], b"+"),
            (b"$#00", vec![packet("")], b"+"),
            (b"noise$g#6", vec![], b""),
        ] {
            assert_eq!(requests(&mut Front::default(), bytes), (expected, answer.to_vec()), "{bytes:?}");
        }
        let mut quiet = Front { no_acks: true, ..Front::default() };
        assert_eq!(requests(&mut quiet, b"-$g#67$g#68"), (vec![packet("g")], vec![]));
    }

    #[test]
    fn a_packet_that_is_too_long_is_dropped() {
        let long = framed(&vec![b'a'; MAX_BODY_BYTES + 1]);
        let mut front = Front::default();
        assert_eq!(requests(&mut front, &long).0, []);
        assert_eq!(requests(&mut front, b"$g#67").0.len(), 1);
        assert!(front.body.capacity() <= 2 * MAX_BODY_BYTES);
    }

    #[test]
    fn packets_are_checked() {
        let good = |text: &str| Checked::Good(text.as_bytes().to_vec());
        for (body, expected) in [
            ("m1000,4", good("m1000,4")),
            ("mffffffffffffffff,ffffffff", good("mffffffffffffffff,1")),
            ("m0,ffffffffffffffff", good(&format!("m0,{MAX_READ_BYTES:x}"))),
            ("m1000", MALFORMED),
            ("m1000,4,4", MALFORMED),
            ("mx,4", MALFORMED),
            ("m11111111111111111,4", MALFORMED),
            ("M1000,1:ff", good("M1000,1:ff")),
            ("Mffffffffffffffff,2:ffff", MALFORMED),
            ("X1000,1", MALFORMED),
            ("Z0,1000,4", good("Z0,1000,4")),
            ("Z9,1000,4", UNKNOWN),
            ("Z0,1000", MALFORMED),
            ("qSupported:a+;;b-;+", good("qSupported:a+;b-")),
            ("qSupported", good("qSupported:")),
            ("?", good("?")),
        ] {
            assert_eq!(checked(body.as_bytes().to_vec()), expected, "{body}");
        }
    }
}
