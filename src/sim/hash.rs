//! The rolling hash of the event log.

use crate::units::SimTime;

/// Hash over everything that happened, in order.
#[derive(Clone, Debug, Default)]
pub struct EventLogHash {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl EventLogHash {
    /// Adds a record of numbers.
    pub fn record(&mut self, time: SimTime, kind: u16, fields: &[u64]) {
        self.buffer.extend_from_slice(&time.0.to_le_bytes());
        self.buffer.extend_from_slice(&kind.to_le_bytes());
        for field in fields {
            self.buffer.extend_from_slice(&field.to_le_bytes());
        }
        self.flush(1 << 14);
    }

    /// Adds a record of bytes.
    pub fn record_bytes(&mut self, time: SimTime, kind: u16, bytes: &[u8]) {
        self.buffer.extend_from_slice(&time.0.to_le_bytes());
        self.buffer.extend_from_slice(&kind.to_le_bytes());
        self.buffer.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(bytes);
        self.flush(1 << 14);
    }

    fn flush(&mut self, at: usize) {
        if self.buffer.len() >= at {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
    }

    /// The first 128 bits of the hash of all records so far.
    pub fn finish(&mut self) -> [u8; 16] {
        self.flush(0);
        let mut short = [0; 16];
        short.copy_from_slice(&self.hasher.finalize().as_bytes()[..16]);
        short
    }
}
