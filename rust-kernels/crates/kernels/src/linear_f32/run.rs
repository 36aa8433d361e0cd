//! How long sums may run in registers.
//!
//! Rounding errors of positive sums are the hard case. With n terms in p runs, the variance of the error is proportional to
//! `n/p² + p`: errors inside runs average out, and the running total errs once a run. Bounding that by 42 keeps the largest of many
//! errors near 7 · 2⁻²⁴ of the sum; a single run of 768 terms would reach 30.

/// The bound on `n/p² + p`.
const VARIANCE: usize = 42;

/// Beyond this many terms twice the error is allowed, and the bound cannot be kept.
pub(super) const LONG: usize = 4096;

/// Terms in each run of a sum of `terms`.
pub(crate) fn run(terms: usize) -> usize {
    let enough = |runs: &usize| terms <= (VARIANCE - runs) * runs * runs;
    match (1..VARIANCE).find(enough) {
        Some(runs) if terms <= LONG => terms.div_ceil(runs).max(1),
        _ => 512,
    }
}

/// Terms in each run of one of several parts of a sum of `total`, each of which is added by itself.
pub(super) fn run_of_part(part: usize, total: usize) -> usize {
    if total <= LONG { run(part) } else { part.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_is_bounded_and_runs_are_few() {
        for terms in 1..=LONG {
            let run = run(terms);
            let runs = terms.div_ceil(run);
            assert!(run * run / terms + runs <= VARIANCE + 1, "{terms} terms in {runs} runs");
        }
        assert_eq!([0, 1, 41, 42, 154, 768, 4096, 65536].map(run), [1, 1, 41, 21, 77, 154, 342, 512]);
        assert_eq!(run_of_part(0, 768), 1);
        assert_eq!(run_of_part(768, 65536), 768);
    }
}
