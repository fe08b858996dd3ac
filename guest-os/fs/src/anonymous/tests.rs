//! What is waited for, without a kernel around.

use super::*;
use std::cell::Cell;
use std::vec::Vec;

#[derive(Default)]
struct World {
    now: Cell<u64>,
    signals: Cell<u64>,
}

impl Surroundings for World {
    fn console_has_input(&self) -> bool {
        false
    }
    fn has_ended(&self, _: u32, _: u64) -> bool {
        false
    }
    fn awaits_terminal(&self, _: crate::TerminalId) {}
    fn pending_signals(&self) -> u64 {
        self.signals.get()
    }
    fn now(&self) -> u64 {
        self.now.get()
    }
}

const IN: u32 = 1;
const OUT: u32 = 4;
const HUP: u32 = 0x10;
const EDGE: u32 = 1 << 31;
const ONE_SHOT: u32 = 1 << 30;

/// Waits without waiting: what is due, told at once.
fn wait(files: &mut OpenFiles, list: OpenFileId, world: &World) -> Vec<(u32, u64)> {
    let due = files.epoll_look(list, 9, world, &mut Waits::default()).unwrap();
    files.epoll_told(list, &due);
    due.iter().map(|due| (due.events, due.data)).collect()
}

fn of(events: u32, data: u64) -> Interest {
    Interest { events, data }
}

fn bump(files: &mut OpenFiles, id: OpenFileId, value: u64) {
    let (Anonymous::Event(counter), source) = files.anonymous_mut(id).unwrap() else { panic!() };
    assert!(counter.add(value));
    files.note(source, Readiness::IN);
}

fn event(files: &mut OpenFiles) -> OpenFileId {
    files.create_anonymous(Anonymous::Event(EventCounter::new(0, false)), OpenFlags::empty())
}

#[test]
fn a_counter_counts_all_or_one_by_one() {
    let (mut all, mut single) = (EventCounter::new(3, false), EventCounter::new(3, true));
    assert_eq!((all.value(), single.value()), (Some(3), Some(1)));
    assert!(all.take(3) && !all.take(3) && single.take(1) && single.value() == Some(1));
    assert!(all.value().is_none() && all.add(u64::MAX - 1) && !all.add(1) && !all.add(u64::MAX));
    assert_eq!(all.readiness(), Readiness::IN);
}

#[test]
fn a_timer_counts_what_it_has_missed() {
    let mut timer = Timer::new(false);
    assert_eq!((timer.rings(100), timer.next(100)), (0, None));
    timer.set(Some(110), 10);
    assert_eq!((timer.rings(109), timer.next(100), timer.left(100)), (0, Some(110), (10, 10)));
    assert_eq!((timer.rings(135), timer.next(135)), (3, Some(140)));
    timer.take(3, 135);
    assert_eq!((timer.rings(139), timer.rings(140), timer.total(140)), (0, 1, 4));
    timer.set(Some(150), 0);
    assert_eq!((timer.rings(200), timer.next(200), timer.left(200)), (1, None, (0, 0)));
    timer.take(1, 200);
    assert_eq!(timer.rings(300), 0);
}

#[test]
fn levels_are_told_again_and_edges_once() {
    let (mut files, world) = (OpenFiles::new(|_| {}), World::default());
    let list = files.create_epoll();
    let (level, edge, once) = (event(&mut files), event(&mut files), event(&mut files));
    files.epoll_add(list, level, 3, of(IN, 3)).unwrap();
    files.epoll_add(list, edge, 4, of(IN | EDGE, 4)).unwrap();
    files.epoll_add(list, once, 5, of(IN | ONE_SHOT, 5)).unwrap();
    assert_eq!(files.epoll_add(list, once, 5, of(IN, 5)), Err(Errno::EEXIST));
    assert_eq!(wait(&mut files, list, &world), []);
    for id in [level, edge, once] {
        bump(&mut files, id, 1);
    }
    assert_eq!(wait(&mut files, list, &world), [(IN, 3), (IN, 4), (IN, 5)]);
    assert_eq!(wait(&mut files, list, &world), [(IN, 3)]);
    bump(&mut files, edge, 1);
    bump(&mut files, once, 1);
    assert_eq!(wait(&mut files, list, &world), [(IN, 4), (IN, 3)]);
    files.epoll_modify(list, once, 5, of(IN | OUT, 6)).unwrap();
    assert_eq!(wait(&mut files, list, &world), [(IN | OUT, 6), (IN, 3)]);
    files.epoll_delete(list, level, 3).unwrap();
    assert_eq!(files.epoll_delete(list, level, 3), Err(Errno::ENOENT));
    files.close(once);
    assert_eq!(wait(&mut files, list, &world), []);
    files.close(list);
}

#[test]
fn both_ends_of_a_pipe_have_edges() {
    let (mut files, world) = (OpenFiles::new(|_| {}), World::default());
    let (reader, writer) = files.create_pipe(OpenFlags::empty());
    let list = files.create_epoll();
    files.epoll_add(list, reader, 0, of(IN | EDGE, 0)).unwrap();
    files.epoll_add(list, writer, 1, of(OUT | EDGE, 1)).unwrap();
    assert_eq!(wait(&mut files, list, &world), [(OUT, 1)]);
    files.pipe_write(writer, b"abc").unwrap();
    assert_eq!(wait(&mut files, list, &world), [(IN, 0)]);
    files.pipe_write(writer, b"abc").unwrap();
    assert_eq!(wait(&mut files, list, &world), [(IN, 0)], "more is news, though some was there");
    files.close(writer);
    assert_eq!(wait(&mut files, list, &world), [(IN | HUP, 0)]);
}

#[test]
fn lists_lie_in_lists_but_not_in_themselves() {
    let (mut files, world) = (OpenFiles::new(|_| {}), World::default());
    let lists: [OpenFileId; 7] = core::array::from_fn(|_| files.create_epoll());
    assert_eq!(files.check_epoll(lists[0], lists[0]), Err(Errno::EINVAL));
    for pair in lists[..5].windows(2) {
        files.epoll_add(pair[0], pair[1], 7, of(IN, 7)).unwrap();
    }
    assert_eq!(files.epoll_add(lists[4], lists[0], 7, of(IN, 7)), Err(Errno::ELOOP));
    assert_eq!(files.epoll_add(lists[4], lists[5], 7, of(IN, 7)), Err(Errno::ELOOP), "too deep");
    let counter = event(&mut files);
    files.epoll_add(lists[4], counter, 8, of(IN, 8)).unwrap();
    assert_eq!(wait(&mut files, lists[0], &world), []);
    bump(&mut files, counter, 1);
    assert_eq!(wait(&mut files, lists[0], &world), [(IN, 7)]);
    assert_eq!(wait(&mut files, lists[4], &world), [(IN, 8)]);
}

#[test]
fn time_and_signals_are_waited_for() {
    let (mut files, world) = (OpenFiles::new(|_| {}), World::default());
    let timer = files.create_anonymous(Anonymous::Timer(Timer::new(false)), OpenFlags::empty());
    let signals = files.create_anonymous(Anonymous::Signals(0b110), OpenFlags::empty());
    let list = files.create_epoll();
    files.epoll_add(list, timer, 1, of(IN | EDGE, 1)).unwrap();
    files.epoll_add(list, signals, 2, of(IN, 2)).unwrap();
    let (Anonymous::Timer(set), _) = files.anonymous_mut(timer).unwrap() else { panic!() };
    set.set(Some(50), 10);
    let mut waits = Waits::default();
    assert!(files.epoll_look(list, 9, &world, &mut waits).unwrap().is_empty());
    assert_eq!(waits.deadline, Some(50));
    assert!(waits.sources.contains(&Source::Signals));
    world.now.set(55);
    assert_eq!(wait(&mut files, list, &world), [(IN, 1)]);
    assert_eq!(wait(&mut files, list, &world), []);
    world.now.set(60);
    world.signals.set(0b1);
    assert_eq!(wait(&mut files, list, &world), [(IN, 1)], "it has rung again");
    world.signals.set(0b100);
    assert_eq!(wait(&mut files, list, &world), [(IN, 2)]);
}
