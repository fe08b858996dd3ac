//! What the guest kernel has told of binds ([`isa::binds`]), kept as it came: it is read when the run has ended.

use super::host::slice;
use crate::mem::ram::Ram;
use isa::binds::MAX_RECORD_BYTES;
use isa::hostdev::{Request, STATUS_DONE, STATUS_FAULT, STATUS_INVALID, STATUS_IO};
use serde::{Deserialize, Serialize};

/// A record about one of the binds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedRecord {
    /// The bind's place in the list.
    pub bind: u64,
    /// The record.
    pub bytes: Vec<u8>,
}

/// The records so far. Nothing is kept unless it is wanted.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct ChangedLog {
    /// Bytes that it takes yet.
    room_bytes: u64,
    records: Vec<ChangedRecord>,
}

impl ChangedLog {
    /// What a record takes besides its bytes.
    const RECORD_BYTES: u64 = size_of::<ChangedRecord>() as u64;

    /// Keeps records from now on, of so many bytes together.
    pub fn keep(&mut self, room_bytes: u64) {
        self.room_bytes = room_bytes;
    }

    /// Those that have come.
    pub fn records(&self) -> &[ChangedRecord] {
        &self.records
    }

    /// Carries an `OP_CHANGED` out: its status and result.
    pub(super) fn take(&mut self, ram: &Ram, request: &Request) -> (u64, u64) {
        let is_kept = self.room_bytes > 0 || !self.records.is_empty();
        if !is_kept || request.len > MAX_RECORD_BYTES as u64 {
            return (STATUS_INVALID, 0);
        }
        let Some(bytes) = slice(ram, request.addr, request.len) else { return (STATUS_FAULT, 0) };
        let Some(room) = self.room_bytes.checked_sub(request.len + Self::RECORD_BYTES) else {
            return (STATUS_IO, 0);
        };
        self.room_bytes = room;
        self.records.push(ChangedRecord { bind: request.fd, bytes: bytes.to_vec() });
        (STATUS_DONE, request.len)
    }
}
