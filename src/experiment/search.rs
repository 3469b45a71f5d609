//! The least level at which something holds, if it holds at all higher ones too.
//!
//! Levels are places in a range, from where it is hardest to where it is easiest. Each question
//! costs a run, so few are asked. It knows yes and no, not what is asked.

/// The least of `count` levels at which `holds`; `count`: none of them.
///
/// Without a `guess` the highest is asked first, then the range is halved. With one, a level and
/// how far from it the answer may well lie, the search widens from there: near it costs least.
///
/// # Errors
/// The first of `holds`.
pub fn least<E>(
    count: usize,
    guess: Option<(usize, usize)>,
    mut holds: impl FnMut(usize) -> Result<bool, E>,
) -> Result<usize, E> {
    if count == 0 {
        return Ok(0);
    }
    // It does not hold below `low`, and holds from `high` on; `high` = `count`: nowhere.
    let (mut low, mut high) = match guess {
        None if holds(count - 1)? => (0, count - 1),
        None => return Ok(count),
        Some((level, spread)) => widen(count, level.min(count - 1), spread.max(1), &mut holds)?,
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(high)
}

/// Steps from `level` towards the answer, each step twice the last, until it lies between.
fn widen<E>(
    count: usize,
    level: usize,
    spread: usize,
    holds: &mut impl FnMut(usize) -> Result<bool, E>,
) -> Result<(usize, usize), E> {
    let mut step = spread;
    if holds(level)? {
        let mut high = level;
        while high > 0 {
            let next = high.saturating_sub(step);
            if !holds(next)? {
                return Ok((next + 1, high));
            }
            (high, step) = (next, step.saturating_mul(2));
        }
        return Ok((0, 0));
    }
    let mut low = level + 1;
    while low < count {
        let next = (low - 1).saturating_add(step).min(count - 1);
        if holds(next)? {
            return Ok((low, next));
        }
        (low, step) = (next + 1, step.saturating_mul(2));
    }
    Ok((count, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The answer and how many questions it took.
    fn search(count: usize, truth: usize, guess: Option<(usize, usize)>) -> (usize, usize) {
        let mut asked = Vec::new();
        let found = least(count, guess, |level| {
            assert!(level < count, "{level} of {count}");
            asked.push(level);
            Ok::<bool, ()>(level >= truth)
        });
        let questions = asked.len();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), questions, "no level is asked twice");
        (found.unwrap(), questions)
    }

    proptest! {
        #[test]
        fn it_is_the_least_whatever_is_guessed(
            count in 0_usize..300, truth in 0_usize..310, level in 0_usize..400, spread in 0_usize..50
        ) {
            let truth = truth.min(count);
            prop_assert_eq!(search(count, truth, None).0, truth);
            prop_assert_eq!(search(count, truth, Some((level, spread))).0, truth);
        }
    }

    #[test]
    fn few_questions_are_asked() {
        assert!(search(2000, 1351, None).1 <= 12, "halves");
        assert_eq!(search(2000, 1351, Some((1351, 1))).1, 2, "a right guess needs its neighbour");
        assert!(search(2000, 1351, Some((1340, 8))).1 <= 7, "a near one a few more");
        assert_eq!(search(2000, 2000, None).1, 1, "that none holds is seen at the end");
    }
}
