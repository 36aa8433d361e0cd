//! Plain loops: the fallback on other CPUs and the oracle beside the fast kernels.

use super::element::Element;
use super::epilogue::Epilogue;
use super::sparse::{GROUP, index, weight as group_weight};
use super::tier::Tier;
use super::weight::WeightI8;
use crate::panel::{Io, TOKENS, lane_of};
use neural_engine_isa::Scalar;
use std::ops::Range;

pub(super) fn run<Y: Element>(weight: &WeightI8<'_>, init: &[i32], epilogue: &Epilogue<'_>, rows: Range<usize>, ios: &mut [Io<'_, u8, Y>]) {
    for io in ios {
        for row in rows.clone() {
            let mut acc = [init[row]; TOKENS];
            match weight {
                WeightI8::Dense(weight) => {
                    for (k, x) in io.x.chunks_exact(TOKENS).enumerate() {
                        add_product(&mut acc, weight.at(row, k), x);
                    }
                }
                WeightI8::Sparse(weight) => {
                    for group in weight.block(row / 4).chunks_exact(GROUP) {
                        for i in 0..4 {
                            let at = index(group, i) * TOKENS;
                            add_product(&mut acc, group_weight(group, row % 4, i), &io.x[at..at + TOKENS]);
                        }
                    }
                }
                WeightI8::Tiled(_) | WeightI8::Compressed(_) => unreachable!("software tiles are their reference"),
            }
            finish(epilogue, row, row - rows.start, &acc, io);
        }
    }
}

/// acc[t] += w · x[t]
#[inline(always)]
fn add_product(acc: &mut [i32; TOKENS], w: i8, x: &[u8]) {
    for (acc, &x) in acc.iter_mut().zip(x) {
        *acc = acc.wrapping_add(i32::from(w) * i32::from(x));
    }
}

fn finish<Y: Element>(epilogue: &Epilogue<'_>, row: usize, at: usize, acc: &[i32; TOKENS], io: &mut Io<'_, u8, Y>) {
    let lanes = std::array::from_fn(|j| std::array::from_fn(|lane| acc[lane_of(16 * j + lane)]));
    Scalar.finish(epilogue, row, &[lanes], io, at);
}
