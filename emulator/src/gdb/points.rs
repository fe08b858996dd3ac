//! gdb's breakpoints and watchpoints: what a session's sentry compares.

use super::sentry::Watchpoint;
use super::view::View;
use gdbstub::target::TargetResult;
use gdbstub::target::ext::breakpoints::{
    Breakpoints, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint, SwBreakpointOps,
    WatchKind,
};

impl Breakpoints for View<'_> {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }
    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }
    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

/// How many points a session may have: more is no debugging.
const MAX_POINTS: usize = 1 << 16;

impl SwBreakpoint for View<'_> {
    fn add_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        let has_room = self.sentry.breakpoints.len() < MAX_POINTS;
        if has_room {
            self.sentry.breakpoints.insert(address);
        }
        Ok(has_room)
    }
    fn remove_sw_breakpoint(&mut self, address: u64, _: usize) -> TargetResult<bool, Self> {
        self.hardware.remove(&address);
        Ok(self.sentry.breakpoints.remove(&address))
    }
}

impl HwBreakpoint for View<'_> {
    fn add_hw_breakpoint(&mut self, address: u64, kind: usize) -> TargetResult<bool, Self> {
        let is_added = self.add_sw_breakpoint(address, kind)?;
        if is_added {
            self.hardware.insert(address);
        }
        Ok(is_added)
    }
    fn remove_hw_breakpoint(&mut self, address: u64, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(address, kind)
    }
}

fn watchpoint(va: u64, len: u64, kind: WatchKind) -> Watchpoint {
    Watchpoint { va, len, loads: kind != WatchKind::Write, stores: kind != WatchKind::Read }
}

impl HwWatchpoint for View<'_> {
    fn add_hw_watchpoint(&mut self, address: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let has_room = self.sentry.watchpoints.len() < MAX_POINTS && len > 0;
        if has_room {
            self.sentry.watchpoints.push(watchpoint(address, len, kind));
        }
        Ok(has_room)
    }
    fn remove_hw_watchpoint(&mut self, address: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        let meant = watchpoint(address, len, kind);
        let at = self.sentry.watchpoints.iter().position(|known| *known == meant);
        Ok(at.map(|at| self.sentry.watchpoints.remove(at)).is_some())
    }
}
