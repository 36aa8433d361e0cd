//! A layer with inputs, its result by plain loops, and how to run it between guard pages.

use crate::linear_i8::element::Element;
use crate::linear_i8::*;
use crate::panel::{Residual, TOKENS, lane_of};
use neural_engine_testkit::{Aligned, Edge, Guarded, Rng};

/// A layer and everything its epilogue may need.
#[derive(Clone, Debug)]
pub struct Case {
    pub m: usize,
    pub k: usize,
    pub weight: Vec<i8>,
    pub init: Vec<i32>,
    pub mul: Vec<f32>,
    pub add: Vec<f32>,
    /// Inputs, `[k][64]` each.
    pub panels: Vec<Vec<u8>>,
    /// In lane order, `[m][64]`.
    pub residual: Vec<f32>,
}

impl Case {
    /// `zeros` percent of the 4x1 blocks are zero; `extreme` takes only the ends of both ranges.
    pub fn new(m: usize, k: usize, zeros: usize, panels: usize, extreme: bool, seed: u64) -> Case {
        let mut rng = Rng::new(seed);
        let mut weight = vec![0i8; m * k];
        for block in 0..m.div_ceil(4) {
            for column in 0..k {
                if rng.below(100) >= zeros {
                    for row in 4 * block..(4 * block + 4).min(m) {
                        weight[row * k + column] = if extreme { [-128, 127, -127][rng.below(3)] } else { rng.bits() as i8 };
                    }
                }
            }
        }
        let mut byte = || if extreme { [255, 255, 0][rng.below(3)] } else { rng.bits() as u8 };
        let panels = (0..panels).map(|_| (0..k * TOKENS).map(|_| byte()).collect()).collect();
        // Codes then fill the range of a byte and pass both its ends.
        let spread = 1.0 / (k as f32).sqrt() / if extreme { 500.0 } else { 100.0 };
        Case {
            m,
            k,
            init: (0..m).map(|_| (rng.bits() as i32) >> 14).collect(),
            mul: (0..m).map(|_| spread * rng.f32(0.5, 1.5)).collect(),
            add: rng.f32s(m, -20.0, 150.0),
            residual: rng.f32s(m * TOKENS, -50.0, 50.0),
            weight,
            panels,
        }
    }

    /// init + Σ w·x of one panel, `[m][64]` in token order, by loops in 64 bits.
    pub fn sums(&self, panel: usize) -> Vec<i32> {
        let x = &self.panels[panel];
        let sum = |row: usize, token: usize| -> i64 {
            (0..self.k).map(|k| i64::from(self.weight[row * self.k + k]) * i64::from(x[k * TOKENS + token])).sum()
        };
        let cells = (0..self.m * TOKENS).map(|i| sum(i / TOKENS, i % TOKENS) + i64::from(self.init[i / TOKENS]));
        cells.map(|sum| i32::try_from(sum).expect("cases stay within 32 bits")).collect()
    }

    /// fma(sum, mul, add) in token order.
    pub fn scaled(&self, panel: usize) -> Vec<f32> {
        let scale = |(i, sum): (usize, i32)| (sum as f32).mul_add(self.mul[i / TOKENS], self.add[i / TOKENS]);
        self.sums(panel).into_iter().enumerate().map(scale).collect()
    }

    /// Runs `body` with the dense forms, and with the sparse forms where there are any.
    pub fn forms(&self, mut body: impl FnMut(LinearI8<'_>, &str)) {
        let dense = Aligned::new(&DenseU8S8::pack(self.m, self.k, &self.weight).unwrap());
        body(self.layer(WeightI8::Dense(DenseU8S8::view(self.m, self.k, &dense).unwrap())), "dense");
        let tiled = Aligned::new(&TiledU8S8::pack(self.m, self.k, &self.weight).unwrap());
        body(self.layer(WeightI8::Tiled(TiledU8S8::view(self.m, self.k, &tiled).unwrap())), "tiled");
        if self.m.is_multiple_of(4) {
            let sparse = Aligned::new(&Sparse4x1U8S8::pack(self.m, self.k, &self.weight).unwrap());
            body(self.layer(WeightI8::Sparse(Sparse4x1U8S8::view(self.m, self.k, &sparse).unwrap())), "sparse");
            let compressed = Aligned::new(&Compressed4x1U8S8::pack(self.m, self.k, &self.weight).unwrap());
            body(self.layer(WeightI8::Compressed(Compressed4x1U8S8::view(self.m, self.k, &compressed).unwrap())), "compressed");
        }
    }

    /// The layer with that weight and no activation.
    pub fn layer<'a>(&'a self, weight: WeightI8<'a>) -> LinearI8<'a> {
        LinearI8 { weight, init: &self.init, mul: &self.mul, add: &self.add, act: Activation::None, code: None, table: None, sums: None }
    }

    /// Runs all panels in one call on `rows`, every buffer between guard pages and outputs poisoned; adds `residual`, if any.
    pub fn run<Y: Element>(
        &self,
        layer: &LinearI8<'_>,
        isa: Isa,
        rows: Range<usize>,
        poison: Y,
        residual: Option<&[f32]>,
        edge: Edge,
    ) -> Vec<Vec<Y>> {
        let cells = rows.start * TOKENS..rows.end * TOKENS;
        let residual = residual.map(|residual| Guarded::copy(&residual[cells.clone()], edge));
        let inputs: Vec<_> = self.panels.iter().map(|x| Guarded::copy(x, edge)).collect();
        let mut outputs: Vec<_> = inputs.iter().map(|_| Guarded::new(cells.len(), poison, edge)).collect();
        let mut scratch = Guarded::new(layer.scratch_len(inputs.len()), 0xa5, edge);
        let mut ios: Vec<_> = inputs
            .iter()
            .zip(&mut outputs)
            .map(|(x, y)| Io { x, codes: None, y, residual: residual.as_deref().map_or(Residual::None, Residual::Panel) })
            .collect();
        layer.run::<_, OWN>(isa, rows, &mut ios, &mut scratch).unwrap();
        outputs.iter().map(|y| y.to_vec()).collect()
    }
}

/// Lane order to token order and back.
pub fn reorder(panel: &[f32]) -> Vec<f32> {
    (0..panel.len()).map(|i| panel[i / TOKENS * TOKENS + lane_of(i % TOKENS)]).collect()
}

/// saturate(round_even(f)) as u8; `as` saturates and turns NaN to 0.
pub fn code_u8(f: f32) -> u8 {
    f.round_ties_even() as u8
}

/// saturate(round_even(f)) as s8; NaN is the lowest code.
pub fn code_s8(f: f32) -> i8 {
    if f.is_nan() { i8::MIN } else { f.round_ties_even() as i8 }
}

/// Equality that names the first row and token that differ.
#[track_caller]
pub fn assert_same<Y: Copy + PartialEq + std::fmt::Debug>(name: &str, got: &[Y], want: &[Y]) {
    assert_eq!(got.len(), want.len(), "{name}");
    if let Some(i) = (0..got.len()).find(|&i| got[i] != want[i]) {
        panic!("{name}: row {}, token {}: got {:?}, want {:?}", i / TOKENS, i % TOKENS, got[i], want[i]);
    }
}
