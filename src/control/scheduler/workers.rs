//! Which nodes a search comes to, and in which order, when several workers filter nodes side by
//! side (`parallelism`). It knows neither nodes nor plugins, only pieces of work by number.
//!
//! Upstream hands the list out in chunks; each worker takes the next chunk, goes through it piece
//! by piece and stops before the next piece once somebody says that enough is found. Which worker
//! is how fast is a race, and with it the order of the feasible nodes, how many nodes beyond are
//! looked at, and so where the next search starts. Only one worker is deterministic: it goes
//! through the list from the start.
//!
//! The model of more than one: workers are equally fast, so they work in rounds. In a round each of
//! them begins a piece; in which order they finish is drawn, each order with the same chance. Who
//! has begun when enough is found finishes its piece, as upstream. Each outcome is one that
//! upstream can have too; how likely it is there depends on the machine.
//!
//! Source: `framework/parallelize/parallelism.go`, client-go `util/workqueue/parallelizer.go`,
//! `findNodesThatPassFilters` in `schedule_one.go`, v1.37.

use std::ops::{ControlFlow, Range};

/// Where the order of the workers is drawn: handed in, since the scheduler knows no random numbers.
pub trait Interleaving: Send {
    /// The draws that follow are those of this scheduling cycle, whatever was drawn before.
    fn begin(&mut self, cycle: u64);

    /// A number below `n`, each as likely.
    fn below(&mut self, n: usize) -> usize;
}

/// Those who go through a list side by side.
pub(super) struct Workers {
    count: usize,
    /// Without it they finish in the order of their numbers.
    interleaving: Option<Box<dyn Interleaving>>,
}

impl Default for Workers {
    fn default() -> Workers {
        Workers::new(1)
    }
}

impl Workers {
    /// So many; at least one.
    pub(super) fn new(count: u32) -> Workers {
        Workers { count: count.max(1) as usize, interleaving: None }
    }

    /// Whether there is only one.
    pub(super) fn is_one(&self) -> bool {
        self.count == 1
    }

    /// From now on their order is drawn here.
    pub(super) fn set_interleaving(&mut self, interleaving: Box<dyn Interleaving>) {
        self.interleaving = Some(interleaving);
    }

    /// A scheduling cycle begins.
    pub(super) fn begin_cycle(&mut self, cycle: u64) {
        if let Some(interleaving) = self.interleaving.as_mut().filter(|_| self.count > 1) {
            interleaving.begin(cycle);
        }
    }

    /// Goes through `pieces` pieces (`Parallelizer.Until`): `look` gets their numbers in the order
    /// in which they are finished, and says when no more are to be begun.
    pub(super) fn run(&mut self, pieces: usize, look: impl FnMut(usize) -> ControlFlow<()>) {
        if self.is_one() {
            // Its rounds are the list; a shorter way to go through it.
            _ = (0..pieces).try_for_each(look);
        } else {
            self.run_rounds(pieces, look);
        }
    }

    fn run_rounds(&mut self, pieces: usize, mut look: impl FnMut(usize) -> ControlFlow<()>) {
        let size = chunk_size(pieces, self.count);
        let mut chunks = (0..pieces).step_by(size).map(|from| from..(from + size).min(pieces));
        let mut workers: Vec<Range<usize>> = chunks.by_ref().take(self.count).collect();
        let mut stopped = false;
        while !stopped && !workers.is_empty() {
            self.shuffle(&mut workers);
            for worker in &mut workers {
                if let Some(piece) = worker.next() {
                    stopped |= look(piece).is_break();
                }
            }
            for worker in workers.iter_mut().filter(|worker| worker.start == worker.end) {
                *worker = chunks.next().unwrap_or_default();
            }
            workers.retain(|worker| worker.start < worker.end);
        }
    }

    fn shuffle(&mut self, workers: &mut [Range<usize>]) {
        let Some(interleaving) = &mut self.interleaving else { return };
        for last in (1..workers.len()).rev() {
            workers.swap(last, interleaving.below(last + 1));
        }
    }
}

/// How many pieces a worker takes at once (`chunkSizeFor`).
fn chunk_size(pieces: usize, workers: usize) -> usize {
    pieces.isqrt().min(pieces / workers + 1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::{Stream, Streams};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    struct Drawn(Stream);

    impl Interleaving for Drawn {
        fn begin(&mut self, _cycle: u64) {}
        fn below(&mut self, n: usize) -> usize {
            self.0.below(n as u64) as usize
        }
    }

    fn workers(count: u32, seed: u64) -> Workers {
        let mut workers = Workers::new(count);
        workers.set_interleaving(Box::new(Drawn(Streams::new(seed).stream("workers", 0))));
        workers
    }

    /// What a search finds: feasible pieces in the order found, rejected ones.
    type Outcome = (Vec<usize>, BTreeSet<usize>);

    /// The search for `wanted` feasible pieces among these.
    fn search(workers: &mut Workers, feasible: &[bool], wanted: usize) -> Outcome {
        let (mut found, mut rejected) = (Vec::new(), BTreeSet::new());
        workers.run(feasible.len(), look(feasible, wanted, &mut found, &mut rejected));
        (found, rejected)
    }

    /// Notes what there is to a piece.
    fn look(
        feasible: &[bool],
        wanted: usize,
        found: &mut Vec<usize>,
        rejected: &mut BTreeSet<usize>,
    ) -> impl FnMut(usize) -> ControlFlow<()> {
        move |piece| {
            match feasible[piece] {
                true if found.len() == wanted => return ControlFlow::Break(()),
                true => found.push(piece),
                false => assert!(rejected.insert(piece), "{piece} is looked at twice"),
            }
            ControlFlow::Continue(())
        }
    }

    /// Upstream's goroutines step by step: every outcome that some interleaving of theirs has. A
    /// goroutine takes a chunk, looks whether to stop, and finishes the piece that it has begun;
    /// others may do anything in between.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Upstream {
        next_chunk: usize,
        /// What is left of each goroutine's chunk, and whether its first piece has been begun.
        /// `None`: it has returned.
        goroutines: Vec<Option<(Range2, bool)>>,
        stopped: bool,
        found: Vec<usize>,
        rejected: BTreeSet<usize>,
    }

    /// From here to before there.
    type Range2 = (usize, usize);

    impl Upstream {
        fn outcomes(feasible: &[bool], count: usize, wanted: usize) -> BTreeSet<Outcome> {
            let size = chunk_size(feasible.len(), count);
            let chunks = feasible.len().div_ceil(size);
            let start = Upstream {
                next_chunk: 0,
                goroutines: vec![Some(((0, 0), false)); count.min(chunks)],
                stopped: false,
                found: Vec::new(),
                rejected: BTreeSet::new(),
            };
            let (mut open, mut seen) = (vec![start.clone()], BTreeSet::from([start]));
            let mut outcomes = BTreeSet::new();
            while let Some(state) = open.pop() {
                if state.goroutines.iter().all(Option::is_none) {
                    outcomes.insert((state.found.clone(), state.rejected.clone()));
                }
                for goroutine in 0..state.goroutines.len() {
                    let next = state.step(goroutine, feasible, size, wanted);
                    if let Some(next) = next.filter(|next| seen.insert(next.clone())) {
                        open.push(next);
                    }
                }
            }
            outcomes
        }

        /// The state after this goroutine's next step, if it has not returned.
        fn step(
            &self,
            goroutine: usize,
            feasible: &[bool],
            size: usize,
            wanted: usize,
        ) -> Option<Upstream> {
            let ((from, to), begun) = self.goroutines[goroutine]?;
            let mut next = self.clone();
            next.goroutines[goroutine] = if begun {
                match feasible[from] {
                    true if next.found.len() == wanted => next.stopped = true,
                    true => next.found.push(from),
                    false => _ = next.rejected.insert(from),
                }
                Some(((from + 1, to), false))
            } else if from < to {
                (!next.stopped).then_some(((from, to), true))
            } else {
                let begin = next.next_chunk * size;
                next.next_chunk += 1;
                let end = (begin + size).min(feasible.len());
                (begin < feasible.len()).then_some(((begin, end), false))
            };
            Some(next)
        }
    }

    #[test]
    fn chunks_are_as_large_as_upstreams() {
        let rows = [(0, 16, 1), (1, 16, 1), (15, 16, 1), (100, 16, 7), (5000, 16, 70), (9, 1, 3)];
        for (pieces, workers, size) in rows {
            assert_eq!(chunk_size(pieces, workers), size, "{pieces} pieces, {workers} workers");
        }
    }

    #[test]
    fn without_draws_equal_workers_take_turns() {
        let mut order = Vec::new();
        Workers::new(3).run(10, |piece| {
            order.push(piece);
            ControlFlow::Continue(())
        });
        assert_eq!(order, [0, 3, 6, 1, 4, 7, 2, 5, 8, 9]);
    }

    #[test]
    fn the_race_has_more_than_one_end() {
        // Chunks of two for three workers; the fourth chunk is taken by none before three are found.
        let feasible = [true, false, true, true, false, true, true, true];
        let found: BTreeSet<Outcome> =
            (0..200).map(|seed| search(&mut workers(3, seed), &feasible, 3)).collect();
        let rejected = BTreeSet::from([1, 4]);
        let ends = [[0, 2, 3], [0, 2, 5], [2, 0, 3], [2, 0, 5]];
        assert_eq!(found, ends.map(|end| (end.to_vec(), rejected.clone())).into());
    }

    proptest! {
        #[test]
        fn one_worker_goes_through_the_list(
            feasible in prop::collection::vec(any::<bool>(), 0..300),
            wanted in 1usize..100,
            seed: u64,
        ) {
            let mut found: Outcome = Default::default();
            for (piece, fits) in feasible.iter().enumerate() {
                match fits {
                    true if found.0.len() == wanted => break,
                    true => found.0.push(piece),
                    false => _ = found.1.insert(piece),
                }
            }
            let mut one = workers(1, seed);
            prop_assert_eq!(&search(&mut one, &feasible, wanted), &found);
            let (mut nodes, mut others) = (Vec::new(), BTreeSet::new());
            one.run_rounds(feasible.len(), look(&feasible, wanted, &mut nodes, &mut others));
            prop_assert_eq!((nodes, others), found, "in rounds, as many workers do");
        }

        #[test]
        fn every_outcome_is_one_that_upstream_can_have(
            feasible in prop::collection::vec(any::<bool>(), 0..8),
            count in 1u32..4,
            wanted in 1usize..5,
            seed: u64,
        ) {
            let possible = Upstream::outcomes(&feasible, count as usize, wanted);
            let found = search(&mut workers(count, seed), &feasible, wanted);
            prop_assert!(possible.contains(&found), "{:?} is not among {:?}", found, possible);
        }

        #[test]
        fn many_workers_keep_upstreams_bounds(
            feasible in prop::collection::vec(prop::bool::weighted(0.7), 0..700),
            count in 1u32..20,
            wanted in 1usize..300,
            seed: u64,
        ) {
            let (found, rejected) = search(&mut workers(count, seed), &feasible, wanted);
            let again = search(&mut workers(count, seed), &feasible, wanted);
            prop_assert_eq!((&found, &rejected), (&again.0, &again.1), "the seed decides");
            let all = feasible.iter().filter(|fits| **fits).count();
            prop_assert_eq!(found.len(), wanted.min(all), "as many as are wanted, if there are");
            if all <= wanted {
                let others = feasible.len() - all;
                prop_assert_eq!(rejected.len(), others, "all are looked at");
            }
            // Of each chunk a beginning is looked at. The chunks are begun in order, and those who
            // are at work when enough is found leave at most one each unfinished.
            let looked: BTreeSet<usize> = found.iter().chain(&rejected).copied().collect();
            let size = chunk_size(feasible.len(), count as usize);
            let mut unfinished = 0;
            let mut untouched = false;
            for from in (0..feasible.len()).step_by(size) {
                let chunk = from..(from + size).min(feasible.len());
                let length = chunk.clone().filter(|piece| looked.contains(piece)).count();
                prop_assert!((from..from + length).all(|piece| looked.contains(&piece)));
                unfinished += usize::from(0 < length && length < chunk.len());
                // Of a chunk only its first piece may have been one feasible piece too many.
                let surplus = length == 0 && feasible[from];
                prop_assert!(length == 0 || !untouched, "chunk {} before its turn", from / size);
                untouched |= length == 0 && !surplus;
                let order: Vec<_> = found.iter().filter(|piece| chunk.contains(piece)).collect();
                prop_assert!(order.is_sorted(), "a worker goes forward");
            }
            prop_assert!(unfinished <= count as usize);
        }
    }
}
