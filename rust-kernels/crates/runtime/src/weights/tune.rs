//! Times the formats of one 8-bit weight against each other: what decides where the cost model sees a tie.
//!
//! All of them give the same bits, so that a choice by time changes no result.

use super::pack::{LINE, pack_u8s8};
use super::set::view_u8s8;
use super::spec::{Format, Order};
use crate::error::{ErrorCode, Result, RuntimeError};
use crate::shape::element_count;
use crate::sys::clock::thread_time;
use crate::sys::memory::Memory;
use crate::sys::topology;
use neural_engine_isa::Isa;
use neural_engine_kernels::Activation;
use neural_engine_kernels::linear_i8::{LinearI8, MAX_PANELS, WeightI8};
use neural_engine_kernels::panel::{Io, Residual, TOKENS};
use std::time::{Duration, Instant};

/// Weights that are multiplied at most, where that leaves rows enough: a product of them takes some hundred microseconds.
const SAMPLE: usize = 1 << 18;
/// Rows are sampled in runs of so many, a whole number of every kernel's tiles.
const RUN: usize = 32;
/// Runs at least: what a kernel does once a call, such as ordering its inputs, is to weigh as little as with all rows.
const RUNS: usize = 6;
/// How long the runs go on, beyond the fewest rounds.
const BUDGET: Duration = Duration::from_millis(3);
/// Rounds that count, at least and at most.
const ROUNDS: (usize, usize) = (3, 64);

/// Seconds of processor time that a product with `panels` panels takes by some rows of `weight`, s8 `[m][k]` or `[k][m]`, in each of `formats`: the fastest of
/// a few runs in turn. Each format has copies enough that its weights come from beyond L2, as those of a layer do.
///
/// # Errors
/// E_USAGE for a weight of another length, no panels or more than four; E_SPARSE, E_IR where a format cannot hold it; E_LIMIT.
pub fn time_formats(isa: Isa, (m, k): (usize, usize), order: Order, weight: &[i8], formats: &[Format], panels: usize) -> Result<Vec<f64>> {
    if m == 0 || k == 0 || weight.len() != element_count(&[m, k])? {
        return Err(usage(format!("a {m}x{k} weight does not have {} elements", weight.len())));
    }
    if !(1..=MAX_PANELS).contains(&panels) {
        return Err(usage(format!("products take 1 to {MAX_PANELS} panels, got {panels}")));
    }
    let rows = sampled_rows(m, k);
    let sample = pick((m, k), order, weight, &rows);
    let m = rows.len();
    let copies = formats.iter().map(|&format| Copies::new(format, (m, k), &sample)).collect::<Result<Vec<_>>>()?;
    let weights = copies.iter().map(Copies::views).collect::<Result<Vec<_>>>()?;
    let mut x = Memory::new(panels * k * TOKENS, true)?;
    x.bytes_mut().iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * 151 / 8) as u8);
    let mut y = Memory::new(panels * m * TOKENS, true)?;
    let (init, ones) = (vec![0; m], vec![1.0; m]);
    let layer =
        |weight| LinearI8 { weight, init: &init, mul: &ones, add: &ones, act: Activation::None, code: None, table: None, sums: None };
    let scratch_len = weights.iter().map(|views| layer(views[0]).scratch_len(panels)).max().unwrap_or(0);
    let mut scratch = Memory::new(scratch_len, true)?;
    let mut fastest = vec![f64::INFINITY; formats.len()];
    let mut started = Instant::now();
    for round in 0..=ROUNDS.1 {
        for (views, fastest) in weights.iter().zip(&mut fastest) {
            let inputs = x.bytes().chunks_exact(k * TOKENS);
            let mut ios: Vec<_> = inputs
                .zip(y.bytes_mut().chunks_exact_mut(m * TOKENS))
                .map(|(x, y)| Io { x, codes: None, y, residual: Residual::None })
                .collect();
            let layer = layer(views[round % views.len()]);
            let began = thread_time();
            layer.run_u8(isa, 0..m, &mut ios, scratch.bytes_mut())?;
            let seconds = (thread_time() - began).as_secs_f64();
            // The first round brings code and operands in.
            *fastest = if round == 0 { f64::INFINITY } else { fastest.min(seconds) };
        }
        if round == 0 {
            started = Instant::now();
        } else if round >= ROUNDS.0 && started.elapsed() > BUDGET {
            break;
        }
    }
    Ok(fastest)
}

fn usage(text: String) -> RuntimeError {
    RuntimeError::new(ErrorCode::Usage, text)
}

/// Rows to multiply, in order: runs of rows spread evenly over all.
fn sampled_rows(m: usize, k: usize) -> Vec<usize> {
    let runs = m.div_ceil(RUN);
    let taken = (SAMPLE / k / RUN).max(RUNS).min(runs);
    (0..taken).map(|i| i * runs / taken * RUN).flat_map(|first| first..m.min(first + RUN)).collect()
}

/// Those rows of a weight, `[rows][k]`.
fn pick((m, k): (usize, usize), order: Order, weight: &[i8], rows: &[usize]) -> Vec<i8> {
    let element = |row: usize, i: usize| if order == Order::Mk { weight[row * k + i] } else { weight[i * m + row] };
    rows.iter().flat_map(|&row| (0..k).map(move |i| element(row, i))).collect()
}

/// A packed weight several times over, twice the size of L2 or more together.
struct Copies {
    format: Format,
    shape: (usize, usize),
    /// Bytes of one.
    bytes: usize,
    /// Where they lie, each from a multiple of [`LINE`] on.
    memory: Memory,
}

impl Copies {
    fn new(format: Format, (m, k): (usize, usize), weight: &[i8]) -> Result<Copies> {
        let packed = pack_u8s8(format, m, k, weight)?;
        let stride = packed.len().next_multiple_of(LINE);
        let count = (2 * topology::caches().l2).div_ceil(stride).clamp(1, ROUNDS.1);
        let mut memory = Memory::new(stride * count, true)?;
        memory.bytes_mut().chunks_exact_mut(stride).for_each(|copy| copy[..packed.len()].copy_from_slice(&packed));
        Ok(Copies { format, shape: (m, k), bytes: packed.len(), memory })
    }

    /// All of them, checked; at least one.
    fn views(&self) -> Result<Vec<WeightI8<'_>>> {
        let (m, k) = self.shape;
        let copies = self.memory.bytes().chunks_exact(self.bytes.next_multiple_of(LINE));
        copies.map(|copy| view_u8s8(self.format, m, k, &copy[..self.bytes])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neural_engine_isa::Tier;

    /// s8 `[m][k]` with that share of zero 4x1 blocks, in percent.
    fn weight(m: usize, k: usize, zeros: usize) -> Vec<i8> {
        (0..m * k).map(|i| if (i / k / 4 * 37 + i % k * 61) % 100 < zeros { 0 } else { (i % 253) as i8 | 1 }).collect()
    }

    #[test]
    fn a_format_that_does_a_tenth_of_the_work_is_found_faster_whichever_way_the_weight_lies() {
        let (m, k) = (128, 512);
        let mk = weight(m, k, 95);
        let km: Vec<i8> = (0..m * k).map(|i| mk[i % m * k + i / m]).collect();
        for (order, weight) in [(Order::Mk, &mk), (Order::Km, &km)] {
            let seconds = time_formats(Isa::best(), (m, k), order, weight, &[Format::Dense, Format::Sparse4x1], 2).unwrap();
            assert!(seconds.iter().all(|seconds| seconds.is_finite() && *seconds > 0.0));
            assert!(seconds[1] < seconds[0], "{seconds:?}");
        }
    }

    #[test]
    fn every_format_can_be_timed_on_every_tier() {
        let formats = [Format::Dense, Format::Sparse4x1, Format::Tiled, Format::Compressed4x1];
        for isa in Isa::available() {
            let seconds = time_formats(isa, (36, 70), Order::Mk, &weight(36, 70, 50), &formats, 1).unwrap();
            assert_eq!(seconds.len(), 4);
            assert!(seconds.iter().all(|seconds| seconds.is_finite()), "{:?}", isa.tier());
        }
        assert_eq!(time_formats(Isa::capped(Tier::Scalar), (2, 3), Order::Mk, &[1; 6], &[Format::Dense], 4).unwrap().len(), 1);
    }

    #[test]
    fn a_sample_is_spread_over_all_rows_and_holds_what_lies_there() {
        for (m, k) in [(2, 3), (31, 70_000), (36, 70), (3072, 768), (768, 3072), (4096, 300)] {
            let rows = sampled_rows(m, k);
            assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && *rows.last().unwrap() < m);
            assert!(rows.len() * k <= SAMPLE.max(RUNS * RUN * k));
            assert!(rows.len() == m || rows.len() >= RUNS * RUN, "{m}x{k}: {}", rows.len());
            // Blocks of four stay whole.
            assert!(rows.chunks(4).all(|block| block[0].is_multiple_of(4)));
        }
        let rows = sampled_rows(3072, 768);
        assert!(*rows.first().unwrap() < 384 && *rows.last().unwrap() >= 2688);
        assert_eq!(pick((3, 2), Order::Km, &[1, 2, 3, 4, 5, 6], &[0, 2]), [1, 4, 3, 6]);
        assert_eq!(pick((3, 2), Order::Mk, &[1, 4, 2, 5, 3, 6], &[0, 2]), [1, 4, 3, 6]);
    }

    #[test]
    fn what_no_product_can_be_is_refused() {
        for (shape, len, panels) in [((4, 4), 15, 1), ((0, 4), 0, 1), ((4, 4), 16, 0), ((4, 4), 16, MAX_PANELS + 1)] {
            let error = time_formats(Isa::best(), shape, Order::Mk, &vec![1; len], &[Format::Dense], panels).unwrap_err();
            assert_eq!(error.code, ErrorCode::Usage);
        }
        assert!(time_formats(Isa::best(), (6, 4), Order::Mk, &[1; 24], &[Format::Sparse4x1], 1).is_err());
    }
}
