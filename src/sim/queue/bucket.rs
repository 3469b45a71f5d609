//! A heap of events without order, in chunks of equal size that are passed on when it is emptied.
//!
//! It does not know which span of time it stands for.

use super::Entry;

/// Events per chunk: long enough to be written and read in order, short enough not to waste much
/// in buckets of a few events.
const CHUNK: usize = 32;

/// Chunks kept beyond those in use.
const SPARE_AT_LEAST: usize = 64;

/// Events of one span of time, in no order.
pub(super) struct Bucket<E> {
    /// The time of the first event put in.
    first: u64,
    /// The bits in which any event's time differs from `first`.
    differ: u64,
    /// The chunk that is being filled; empty only if the bucket is.
    tail: Vec<Entry<E>>,
    full: Vec<Vec<Entry<E>>>,
}

impl<E> Default for Bucket<E> {
    fn default() -> Self {
        Bucket { first: 0, differ: 0, tail: Vec::new(), full: Vec::new() }
    }
}

impl<E> Bucket<E> {
    pub(super) fn push(&mut self, entry: Entry<E>, chunks: &mut Chunks<E>) {
        if self.tail.len() == self.tail.capacity() {
            self.extend(entry.time, chunks);
        }
        #[cfg(test)]
        {
            chunks.moved += 1;
        }
        self.differ |= entry.time ^ self.first;
        self.tail.push(entry);
    }

    #[cold]
    fn extend(&mut self, time: u64, chunks: &mut Chunks<E>) {
        let filled = std::mem::replace(&mut self.tail, chunks.take());
        if filled.is_empty() {
            self.first = time;
            self.differ = 0;
        } else {
            self.full.push(filled);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.full.len() * CHUNK + self.tail.len()
    }

    /// The time of one of its events.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The bits in which the times of its events differ; 0 if all are due at one instant.
    pub(super) fn differ(&self) -> u64 {
        self.differ
    }

    /// Hands all events to `receive`, in the order they were put in, and the chunks to `chunks`.
    pub(super) fn empty_into(
        &mut self,
        chunks: &mut Chunks<E>,
        mut receive: impl FnMut(&[Entry<E>], &mut Chunks<E>),
    ) {
        for mut chunk in self.full.drain(..).chain([std::mem::take(&mut self.tail)]) {
            receive(&chunk, chunks);
            chunk.clear();
            chunks.give_back(chunk);
        }
        self.full.shrink_to(CHUNK);
    }
}

/// Where buckets get their chunks from.
pub(super) struct Chunks<E> {
    spare: Vec<Vec<Entry<E>>>,
    in_use: usize,
    /// Events put into any bucket so far.
    #[cfg(test)]
    pub(super) moved: u64,
}

impl<E> Default for Chunks<E> {
    fn default() -> Self {
        Chunks {
            spare: Vec::new(),
            in_use: 0,
            #[cfg(test)]
            moved: 0,
        }
    }
}

impl<E> Chunks<E> {
    fn take(&mut self) -> Vec<Entry<E>> {
        self.in_use += 1;
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }

    /// Keeps a chunk for the next bucket, but frees what lies idle beyond those in use.
    fn give_back(&mut self, chunk: Vec<Entry<E>>) {
        self.in_use -= 1;
        self.spare.push(chunk);
        self.spare.truncate(self.in_use + SPARE_AT_LEAST);
    }

    /// Events that all chunks, in use and idle, have room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        (self.in_use + self.spare.len()) * CHUNK
    }
}
