//! A set of positions as bits, and walks over a circular range of them. It knows nothing of nodes.

/// Bits in a word.
pub const WORD: usize = 64;

/// A set of positions below a fixed length.
#[derive(Clone, Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// The empty set of positions below `length`.
    pub fn new(length: usize) -> Bits {
        Bits(vec![0; length.div_ceil(WORD)])
    }

    /// The set of positions below `length` that has the first `words` words of this one.
    pub fn beginning(&self, words: usize, length: usize) -> Bits {
        let mut all = Vec::with_capacity(length.div_ceil(WORD));
        all.extend(&self.0[..words]);
        all.resize(length.div_ceil(WORD), 0);
        Bits(all)
    }

    /// Whether the position is in it.
    pub fn has(&self, position: usize) -> bool {
        self.0[position / WORD] >> (position % WORD) & 1 == 1
    }

    /// Puts a position in or takes it out.
    pub fn set(&mut self, position: usize, is_in: bool) {
        let bit = 1 << (position % WORD);
        let word = &mut self.0[position / WORD];
        *word = if is_in { *word | bit } else { *word & !bit };
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// All of them, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter_from(0)
    }

    /// Those from a word on, lowest first.
    pub fn iter_from(&self, word: usize) -> impl Iterator<Item = usize> + '_ {
        let words = self.0.iter().enumerate().skip(word);
        words.flat_map(|(word, bits)| positions(word, *bits))
    }

    /// The positions of one word, as bits.
    pub fn word(&self, word: usize) -> u64 {
        self.0[word]
    }
}

/// The words of a list of `length` positions from `start` round to `start`: each with the mask of
/// the positions that belong to this part of the walk. The first word may come again at the end.
pub fn circular_words(length: usize, start: usize) -> impl Iterator<Item = (usize, u64)> {
    let (first, words) = (start / WORD, length.div_ceil(WORD));
    let low = (1u64 << (start % WORD)) - 1;
    let last = match length % WORD {
        0 => u64::MAX,
        some => (1 << some) - 1,
    };
    let whole = move |word: usize| if word + 1 == words { last } else { u64::MAX };
    let upper =
        (first..words).map(move |w| (w, if w == first { whole(w) & !low } else { whole(w) }));
    let lower = (0..=first).map(move |w| (w, if w == first { low & whole(w) } else { whole(w) }));
    upper.chain(lower)
}

/// The positions of the bits of one word, lowest first.
pub fn positions(word: usize, mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if bits == 0 {
            return None;
        }
        let position = word * WORD + bits.trailing_zeros() as usize;
        bits &= bits - 1;
        Some(position)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_walk_meets_every_position_once_from_the_start_round(length in 1usize..300, start in 0usize..300) {
            let start = start % length;
            let walked: Vec<usize> =
                circular_words(length, start).flat_map(|(word, mask)| positions(word, mask)).collect();
            let expected: Vec<usize> = (start..length).chain(0..start).collect();
            proptest::prop_assert_eq!(walked, expected);
        }
    }

    #[test]
    fn positions_go_in_and_out() {
        let mut bits = Bits::new(130);
        bits.set(129, true);
        bits.set(3, true);
        bits.set(3, false);
        assert!(bits.has(129) && !bits.has(3));
        assert_eq!(bits.word(2), 2);
        bits.clear();
        assert!(!bits.has(129));
    }
}
