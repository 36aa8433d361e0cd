//! Every tier against plain loops over the unpacked weight.

use super::*;
use crate::panel::{Residual, TOKENS, lane_of};
use proptest::prelude::*;

/// A layer, its inputs and everything its epilogue may need.
#[derive(Clone, Debug)]
struct Case {
    m: usize,
    k: usize,
    weight: Vec<i8>,
    init: Vec<i32>,
    mul: Vec<f32>,
    add: Vec<f32>,
    panels: Vec<Vec<u8>>,
    residual: Vec<f32>,
}

/// A small seeded generator; the seed is the only thing proptest has to report and shrink.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
    fn f32(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

impl Case {
    /// `zeros` percent of the 4x1 blocks are zero; `extreme` takes only the ends of both ranges.
    fn new(m: usize, k: usize, zeros: usize, panels: usize, extreme: bool, seed: u64) -> Case {
        let mut rng = Rng(seed | 1);
        let mut weight = vec![0i8; m * k];
        for block in 0..m.div_ceil(4) {
            for column in 0..k {
                if rng.below(100) >= zeros {
                    for row in 4 * block..(4 * block + 4).min(m) {
                        weight[row * k + column] = if extreme { [-128, 127, -127][rng.below(3)] } else { rng.next() as i8 };
                    }
                }
            }
        }
        let byte = |rng: &mut Rng| if extreme { [255, 255, 0][rng.below(3)] } else { rng.next() as u8 };
        let panels: Vec<Vec<u8>> = (0..panels).map(|_| (0..k * TOKENS).map(|_| byte(&mut rng)).collect()).collect();
        let spread = 40.0 / (k as f32).sqrt();
        Case {
            m,
            k,
            init: (0..m).map(|_| (rng.next() as i32) >> 12).collect(),
            mul: (0..m).map(|_| spread * 1e-2 * (1.5 + rng.f32())).collect(),
            add: (0..m).map(|_| 100.0 * rng.f32()).collect(),
            residual: (0..m * TOKENS).map(|_| 50.0 * rng.f32()).collect(),
            weight,
            panels,
        }
    }

    /// fma(init + Σ w·x, mul, add) in token order, `[m][64]`, in 64-bit integers.
    fn product(&self, x: &[u8]) -> Vec<f32> {
        let mut y = Vec::new();
        for row in 0..self.m {
            for token in 0..TOKENS {
                let sum: i64 = (0..self.k).map(|k| i64::from(self.weight[row * self.k + k]) * i64::from(x[k * TOKENS + token])).sum();
                let acc = i32::try_from(sum + i64::from(self.init[row])).expect("cases stay within 32 bits");
                y.push((acc as f32).mul_add(self.mul[row], self.add[row]));
            }
        }
        y
    }

    /// Runs `body` for the dense form, and the sparse form where there is one.
    fn layers(&self, mut body: impl FnMut(LinearI8<'_>, &str)) {
        let (init, mul, add) = (&self.init[..], &self.mul[..], &self.add[..]);
        let layer = |weight| LinearI8 { weight, init, mul, add, act: Activation::None, code: None, table: None };
        let dense = DenseU8S8::pack(self.m, self.k, &self.weight).unwrap();
        body(layer(WeightI8::Dense(DenseU8S8::view(self.m, self.k, &dense).unwrap())), "dense");
        if self.m.is_multiple_of(4) {
            let sparse = Sparse4x1U8S8::pack(self.m, self.k, &self.weight).unwrap();
            body(layer(WeightI8::Sparse(Sparse4x1U8S8::view(self.m, self.k, &sparse).unwrap())), "sparse");
        }
    }
}

/// The residual in lane order becomes one in token order, and back: the order is an involution.
fn reorder(panel: &[f32]) -> Vec<f32> {
    (0..panel.len()).map(|i| panel[i / TOKENS * TOKENS + lane_of(i % TOKENS)]).collect()
}

fn code_u8(f: f32) -> u8 {
    f.round_ties_even() as u8 // `as` saturates, and NaN gives 0
}

fn code_s8(f: f32) -> i8 {
    if f.is_nan() { -128 } else { f.round_ties_even() as i8 }
}

/// Runs all panels of a case in one call over `rows`, poisoning what is not written.
fn run<Y: Element + PartialEq>(layer: &LinearI8<'_>, isa: Isa, case: &Case, rows: Range<usize>, poison: Y, residual: &[f32]) -> Vec<Vec<Y>> {
    let mut outputs: Vec<Vec<Y>> = case.panels.iter().map(|_| vec![poison; rows.len() * TOKENS]).collect();
    let slice = &residual[if residual.is_empty() { 0..0 } else { rows.start * TOKENS..rows.end * TOKENS }];
    let mut ios: Vec<Io<'_, u8, Y>> = case
        .panels
        .iter()
        .zip(&mut outputs)
        .map(|(x, y)| Io { x, y, residual: if residual.is_empty() { Residual::None } else { Residual::Panel(slice) } })
        .collect();
    let mut scratch = vec![0xa5; layer.scratch_len(case.panels.len())];
    layer.run(isa, rows, &mut ios, &mut scratch).unwrap();
    outputs
}

/// Equality that names the first row and token that differ.
fn same<Y: Copy + PartialEq + std::fmt::Debug>(got: &[Y], want: &[Y], name: &str) {
    assert_eq!(got.len(), want.len(), "{name}");
    if let Some(i) = (0..got.len()).find(|&i| got[i] != want[i]) {
        panic!("{name}: row {}, token {}: got {:?}, want {:?}", i / TOKENS, i % TOKENS, got[i], want[i]);
    }
}

/// All outputs of all forms and tiers against the loops.
fn check(case: &Case) {
    let table: [u8; 256] = std::array::from_fn(|i| (i as u8).wrapping_mul(151) ^ 0x5a);
    let residual = reorder(&case.residual);
    for panel in 0..case.panels.len() {
        let want = case.product(&case.panels[panel]);
        let with_residual: Vec<f32> = want.iter().zip(&residual).map(|(f, r)| f + r).collect();
        case.layers(|layer, form| {
            let layer_with_table = LinearI8 { table: Some(&table), ..layer };
            for isa in Isa::available() {
                let name = format!("{form} {} panel {panel}", layer.kernel(isa));
                let all = 0..case.m;
                let f32s = &run(&layer, isa, case, all.clone(), f32::NAN, &[])[panel];
                same(&reorder(f32s), &want, &format!("{name}: f32"));
                let f32s = &run(&layer, isa, case, all.clone(), f32::NAN, &case.residual)[panel];
                same(&reorder(f32s), &with_residual, &format!("{name}: f32 with a residual"));
                let u8s = &run(&layer, isa, case, all.clone(), 0xa5u8, &[])[panel];
                same(u8s, &want.iter().map(|&f| code_u8(f)).collect::<Vec<_>>(), &format!("{name}: u8"));
                let s8s = &run(&layer, isa, case, all.clone(), 0x5ai8, &case.residual)[panel];
                same(s8s, &with_residual.iter().map(|&f| code_s8(f)).collect::<Vec<_>>(), &format!("{name}: s8 with a residual"));
                let looked: Vec<u8> = want.iter().map(|&f| table[usize::from(code_u8(f))]).collect();
                same(&run(&layer_with_table, isa, case, all.clone(), 0xa5u8, &[])[panel], &looked, &format!("{name}: table"));
                let signed: Vec<i8> = looked.iter().map(|&byte| byte as i8).collect();
                same(&run(&layer_with_table, isa, case, all, 0x5ai8, &[])[panel], &signed, &format!("{name}: table, s8"));
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_kernel_matches_the_dense_product(
        m in 1usize..=26, k in 1usize..=70, zeros in 0usize..=100, panels in 1usize..=4, extreme: bool, seed: u64,
    ) {
        check(&Case::new(m, k, zeros, panels, extreme, seed));
    }
}

#[test]
fn chosen_shapes_and_densities_match_the_dense_product() {
    for (m, k, zeros) in [(1, 1, 0), (4, 1, 100), (4, 4, 0), (8, 3, 50), (12, 5, 0), (24, 257, 80), (28, 64, 90), (13, 63, 0), (64, 129, 70)] {
        check(&Case::new(m, k, zeros, 2, false, 7 + k as u64));
    }
}
