//! Where and when the machine is to stop: breakpoints, catchpoints and watchpoints, what they have in common, and whether one stops.

use super::breakpoints::Breakpoint;
use super::catches::Catch;
use super::command::Command;
use super::condition::Condition;
use super::execute::Debugger;
use super::target::{Registers, Target};
use super::watch::Watch;
use std::fmt;

/// What is waited for.
#[derive(Clone, Debug)]
pub(super) enum What {
    Break(Breakpoint),
    Catch(Catch),
    Watch(Watch),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Break(breakpoint) => f.write_str(&breakpoint.text),
            Self::Catch(catch) => catch.fmt(f),
            Self::Watch(watch) => watch.fmt(f),
        }
    }
}

impl What {
    /// What such a thing is called.
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::Break(_) => "breakpoint",
            Self::Catch(_) => "catchpoint",
            Self::Watch(_) => "watchpoint",
        }
    }
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) id: u64,
    pub(super) what: What,
    pub(super) condition: Option<Condition>,
    pub(super) is_enabled: bool,
    /// It is deleted when it has stopped the machine.
    pub(super) is_for_once: bool,
    /// How often it is passed before it stops.
    pub(super) ignored: u64,
    /// How often it was come to.
    pub(super) hits: u64,
    /// Whether it has stopped the machine.
    pub(super) has_stopped: bool,
    /// What is done when it has stopped the machine.
    pub(super) commands: Vec<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Points {
    list: Vec<Point>,
    last_id: u64,
    /// Those at which the machine stands.
    pub(super) stopped_at: Vec<u64>,
}

impl Points {
    pub(super) fn add(&mut self, what: What, condition: Option<Condition>, is_for_once: bool) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.list.push(Point {
            id,
            what,
            condition,
            is_enabled: true,
            is_for_once,
            ignored: 0,
            hits: 0,
            has_stopped: false,
            commands: Vec::new(),
        });
        id
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = &Point> {
        self.list.iter()
    }
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Point> {
        self.list.iter_mut()
    }
    pub(super) fn last(&self) -> Option<u64> {
        self.list.last().map(|point| point.id)
    }
    pub(super) fn get(&self, id: u64) -> Option<&Point> {
        self.list.iter().find(|point| point.id == id)
    }
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Point> {
        self.list.iter_mut().find(|point| point.id == id)
    }
    /// One, or what there is to say if there is none.
    pub(super) fn one_mut(&mut self, id: u64) -> Result<&mut Point, String> {
        self.get_mut(id).ok_or_else(|| format!("there is no breakpoint, catchpoint or watchpoint {id}"))
    }
    /// Deletes those that are meant.
    pub(super) fn delete(&mut self, is_meant: impl Fn(u64) -> bool) {
        self.list.retain(|point| !is_meant(point.id));
    }
    fn enabled(&self) -> impl Iterator<Item = &Point> {
        self.list.iter().filter(|point| point.is_enabled)
    }
    /// The breakpoints that count now.
    pub(super) fn breakpoints(&self) -> impl Iterator<Item = (u64, &Breakpoint)> {
        self.enabled().filter_map(|point| match &point.what {
            What::Break(breakpoint) => Some((point.id, breakpoint)),
            What::Catch(_) | What::Watch(_) => None,
        })
    }
    /// The catchpoints that count now.
    pub(super) fn catches(&self) -> impl Iterator<Item = (u64, &Catch)> {
        self.enabled().filter_map(|point| match &point.what {
            What::Catch(catch) => Some((point.id, catch)),
            What::Break(_) | What::Watch(_) => None,
        })
    }
    /// The watchpoints that count now.
    pub(super) fn watches(&self) -> impl Iterator<Item = (u64, &Watch)> {
        self.enabled().filter_map(|point| match &point.what {
            What::Watch(watch) => Some((point.id, watch)),
            What::Break(_) | What::Catch(_) => None,
        })
    }
    pub(super) fn watch(&self, id: u64) -> Option<&Watch> {
        self.watches().find(|(of, _)| *of == id).map(|(_, watch)| watch)
    }
    pub(super) fn watch_mut(&mut self, id: u64) -> Option<&mut Watch> {
        match &mut self.get_mut(id)?.what {
            What::Watch(watch) => Some(watch),
            What::Break(_) | What::Catch(_) => None,
        }
    }
    /// The catchpoints of faults whose conditions name a symbol.
    pub(super) fn wait_for_addresses(&self) -> Vec<u64> {
        let waits = |point: &&Point| {
            let names_one = point.condition.as_ref().is_some_and(|c| !c.expression().places().is_empty());
            names_one && matches!(point.what, What::Catch(Catch::Fault(..)))
        };
        self.enabled().filter(waits).map(|point| point.id).collect()
    }
    /// Whether anything may stop the machine.
    pub(super) fn has_enabled(&self) -> bool {
        self.enabled().next().is_some()
    }
    /// The catchpoints that mean misses of the TLB.
    pub(super) fn catch_misses(&self) -> Vec<u64> {
        self.catches().filter(|(_, catch)| **catch == Catch::TlbMiss).map(|(id, _)| id).collect()
    }
}

/// The first of the `commands` of a point whose stop is to say nothing by itself, as in gdb.
pub(super) const SILENT: &str = "silent";

/// Points that have stopped the machine, all at once.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    /// Their numbers: at least one.
    pub(super) ids: Vec<u64>,
    /// What the first of them is.
    pub(super) title: &'static str,
    /// What there is to say: a line each.
    pub(super) text: String,
    /// What is to be done then: what was asked for at each, one after the other.
    pub(super) commands: Vec<String>,
    /// Each of them wants nothing to be said but by its commands.
    pub(super) is_silent: bool,
}

impl Hit {
    /// A line that begins with what the point is.
    pub(super) fn of(point: &Point, text: &str) -> Self {
        let text = format!("{} {}: {text}\n", point.what.title(), point.id);
        let is_silent = point.commands.first().is_some_and(|command| command == SILENT);
        let commands = point.commands[usize::from(is_silent)..].to_vec();
        Self { ids: vec![point.id], title: point.what.title(), text, commands, is_silent }
    }

    /// Such a line for each of several points; nothing if there are none.
    pub(super) fn of_all(points: &[Point], text: impl Fn(&Point) -> String) -> Option<Self> {
        points.iter().map(|point| Self::of(point, &text(point))).reduce(|mut all, one| {
            all.ids.extend(one.ids);
            all.text.push_str(&one.text);
            all.commands.extend(one.commands);
            all.is_silent &= one.is_silent;
            all
        })
    }
}

/// What is known where something might stop.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scene {
    pub(super) pid: Option<u64>,
    pub(super) tid: Option<u64>,
    pub(super) va: Option<u64>,
    pub(super) pc: Option<u64>,
    pub(super) frame: Option<u64>,
    /// Of the program.
    pub(super) registers: Option<Registers>,
}

impl Debugger {
    /// Whether a point stops the machine that has come there: it is counted, its condition holds, and it was ignored often enough.
    pub(super) fn stops(&mut self, target: &dyn Target, id: u64, scene: Scene) -> bool {
        let Some(point) = self.points.get_mut(id).filter(|point| point.is_enabled) else { return false };
        point.hits += 1;
        let hits = point.hits;
        if let Some(condition) = point.condition.clone() {
            let set_in = if let What::Watch(watch) = &point.what { watch.set_in.clone() } else { None };
            let set_in = set_in.filter(|_| !condition.names().is_empty());
            let frame = set_in.and_then(|function| self.innermost_of(target, scene, &function));
            let decide =
                |frame| self.looking_at_frame(target, scene, hits, frame, |from| condition.decide(from));
            // What is not known there may be known where the store is.
            match frame.map_or_else(|| decide(None), |frame| decide(Some(frame)).or_else(|_| decide(None))) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(why) => {
                    self.note_unknown(target, id, &condition, scene, &why);
                    return false;
                }
            }
        }
        let Some(point) = self.points.get_mut(id) else { return false };
        let is_passed = point.ignored > 0;
        point.ignored = point.ignored.saturating_sub(1);
        point.has_stopped |= !is_passed;
        !is_passed
    }

    /// `continue N`: passes the breakpoint that is here, and what has stopped the machine, N - 1 times.
    pub(super) fn continue_past(&mut self, target: &mut dyn Target, count: u64) -> Result<String, String> {
        let pc = self.now(target).pc;
        let breakpoints: Vec<u64> = self.points.breakpoints().map(|(id, _)| id).collect();
        let is_here = |id: &u64| self.armed.places_of(*id).iter().any(|(place, _)| *place == pc);
        let mut here: Vec<u64> = breakpoints.into_iter().filter(is_here).collect();
        here.extend(self.points.stopped_at.iter().filter(|id| self.points.get(**id).is_some()));
        if here.is_empty() {
            return Err(
                "nothing has stopped here that could be passed: `ignore N COUNT` passes others".to_owned()
            );
        }
        for id in here {
            self.points.one_mut(id)?.ignored = count.saturating_sub(1);
        }
        self.run_command(target, Command::Continue)
    }

    /// Those of these points that stop the machine; all of them are counted, and those that were for once are gone.
    pub(super) fn stopping(&mut self, target: &dyn Target, ids: &[u64], scene: Scene) -> Vec<Point> {
        let stopping: Vec<u64> = ids.iter().copied().filter(|&id| self.stops(target, id, scene)).collect();
        self.points.stopped_at.clone_from(&stopping);
        let points: Vec<Point> = stopping.iter().filter_map(|&id| self.points.get(id).cloned()).collect();
        let is_over = |id| points.iter().any(|point| point.is_for_once && point.id == id);
        if points.iter().any(|point| point.is_for_once) {
            self.points.delete(is_over);
            self.points_changed();
        }
        points
    }
}
