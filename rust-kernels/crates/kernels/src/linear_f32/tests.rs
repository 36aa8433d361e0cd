//! Against plain f64 loops, under guard pages, on every tier, with sampled sizes 1..=257.

use super::*;
use neural_engine_testkit::{Aligned, Edge, Guarded, Rng, assert_same_bits};

/// A random weight whose 4x1 blocks are non-zero with that probability.
fn weight(rng: &mut Rng, m: usize, k: usize, density: f64, low: f32) -> Vec<f32> {
    let mut w = rng.f32s(m * k, low, 1.0);
    for group in (0..m).step_by(4) {
        for input in 0..k {
            if !rng.chance(density) {
                (group..m.min(group + 4)).for_each(|row| w[row * k + input] = 0.0);
            }
        }
    }
    w
}

struct Case {
    m: usize,
    k: usize,
    w: Vec<f32>,
    bias: Option<Vec<f32>>,
    xs: Vec<Vec<f32>>,
    residuals: Vec<Vec<f32>>,
}

impl Case {
    fn new(rng: &mut Rng, m: usize, k: usize, panels: usize, density: f64, low: f32) -> Case {
        Case {
            m,
            k,
            w: weight(rng, m, k, density, low),
            bias: rng.chance(0.7).then(|| rng.f32s(m, -1.0, 1.0)),
            xs: (0..panels).map(|_| rng.f32s(k * TOKENS, low, 1.0)).collect(),
            residuals: (0..panels).map(|_| rng.f32s(m * TOKENS, -1.0, 1.0)).collect(),
        }
    }

    /// Runs rows `rows`, under guard pages, in the given residual mode.
    fn run(&self, isa: Isa, weight: WeightF32<'_>, rows: Range<usize>, act: Activation, mode: u8, edge: Edge) -> Vec<Vec<f32>> {
        let part = |x: &[f32]| Guarded::copy(&x[rows.start * TOKENS..rows.end * TOKENS], edge);
        let xs: Vec<_> = self.xs.iter().map(|x| Guarded::copy(x, edge)).collect();
        let residuals: Vec<_> = self.residuals.iter().map(|x| part(x)).collect();
        let mut ys: Vec<_> = match mode {
            2 => self.residuals.iter().map(|x| part(x)).collect(),
            _ => xs.iter().map(|_| Guarded::new(rows.len() * TOKENS, f32::NAN, edge)).collect(),
        };
        let mut ios: Vec<_> = ys
            .iter_mut()
            .zip(&xs)
            .zip(&residuals)
            .map(|((y, x), residual)| Io {
                x,
                codes: None,
                y,
                residual: [Residual::None, Residual::Panel(residual), Residual::InPlace][usize::from(mode)].by_ref(),
            })
            .collect();
        LinearF32 { weight, bias: self.bias.as_deref(), act }.run(isa, rows, &mut ios).unwrap();
        ys.iter().map(|y| y.to_vec()).collect()
    }

    /// (sum, sum of magnitudes) in f64 for one output.
    fn expected(&self, panel: usize, row: usize, token: usize, residual: bool) -> (f64, f64) {
        let mut sum = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]));
        if residual {
            sum += f64::from(self.residuals[panel][row * TOKENS + token]);
        }
        let mut magnitude = sum.abs();
        for input in 0..self.k {
            let product = f64::from(self.w[row * self.k + input]) * f64::from(self.xs[panel][input * TOKENS + token]);
            sum += product;
            magnitude += product.abs();
        }
        (sum, magnitude)
    }

    /// The largest error in units of 2⁻²⁴ · Σ|w·x|.
    fn worst(&self, ys: &[Vec<f32>], residual: bool, tokens: impl Iterator<Item = usize> + Clone) -> f64 {
        let mut worst = 0.0f64;
        for (panel, y) in ys.iter().enumerate() {
            for row in 0..self.m {
                for token in tokens.clone() {
                    let (sum, magnitude) = self.expected(panel, row, token, residual);
                    let error = (f64::from(y[row * TOKENS + token]) - sum).abs();
                    assert!(error.is_finite());
                    worst = worst.max(error / (magnitude + 1e-30) * 2f64.powi(24));
                }
            }
        }
        worst
    }
}

impl<'a> Residual<'a> {
    fn by_ref(&self) -> Residual<'a> {
        match self {
            Residual::None => Residual::None,
            Residual::Panel(panel) => Residual::Panel(panel),
            Residual::Half(panel) => Residual::Half(panel),
            Residual::InPlace => Residual::InPlace,
        }
    }
}

#[test]
fn every_tier_matches_f64_loops_for_sampled_sizes_and_both_page_ends() {
    let mut rng = Rng::from_env(31);
    for round in 0..60 {
        let (m, k) = (rng.range(1, 129), rng.range(1, 257));
        let (panels, density) = (rng.range(1, 4), [0.0, 0.1, 0.3, 1.0][rng.below(4)]);
        let low = [-1.0, 0.0][rng.below(2)];
        let case = Case::new(&mut rng, m, k, panels, density, low);
        let dense = Aligned::new(&DenseF32::pack(m, k, &case.w));
        let sparse = Aligned::new(&Sparse4x1F32::pack(m, k, &case.w));
        let (mode, edge) = ((round % 3) as u8, Edge::BOTH[round % 2]);
        for weight in
            [WeightF32::Dense(DenseF32::view(m, k, &dense).unwrap()), WeightF32::Sparse(Sparse4x1F32::view(m, k, &sparse).unwrap())]
        {
            let want = case.run(Isa::capped(neural_engine_isa::Tier::Scalar), weight, 0..m, Activation::None, mode, edge);
            let worst = case.worst(&want, mode != 0, [0, 7, 15, 16, 33, 63].into_iter());
            assert!(worst <= 8.0, "{m}x{k} density {density}: {worst}");
            for isa in Isa::available() {
                let got = case.run(isa, weight, 0..m, Activation::None, mode, edge);
                for (got, want) in got.iter().zip(&want) {
                    assert_same_bits(&format!("{} {m}x{k}", isa.tier().name()), got, want);
                }
            }
        }
    }
}

#[test]
fn long_positive_sums_stay_within_the_error_rule() {
    let mut rng = Rng::from_env(32);
    for (k, limit, tokens) in [(768, 8.0, 64), (3072, 8.0, 64), (4096, 8.0, 64), (12288, 16.0, 16), (65536, 16.0, 8)] {
        let case = Case::new(&mut rng, 12, k, 1, 1.0, 0.0);
        let dense = Aligned::new(&DenseF32::pack(12, k, &case.w));
        let sparse = Aligned::new(&Sparse4x1F32::pack(12, k, &case.w));
        for weight in
            [WeightF32::Dense(DenseF32::view(12, k, &dense).unwrap()), WeightF32::Sparse(Sparse4x1F32::view(12, k, &sparse).unwrap())]
        {
            let worst = case.worst(&case.run(Isa::best(), weight, 0..12, Activation::None, 0, Edge::End), false, 0..tokens);
            println!("K {k}: worst {worst:.2} of 2^-24 of the magnitudes, limit {limit}");
            assert!(worst <= limit, "K {k}: {worst}");
        }
    }
}

#[test]
fn rows_are_the_same_bits_however_they_are_split_and_however_many_panels_share_the_pass() {
    let mut rng = Rng::from_env(33);
    let (m, k) = (77, 200);
    let case = Case::new(&mut rng, m, k, 3, 0.4, -1.0);
    let dense = Aligned::new(&DenseF32::pack(m, k, &case.w));
    let sparse = Aligned::new(&Sparse4x1F32::pack(m, k, &case.w));
    for weight in [WeightF32::Dense(DenseF32::view(m, k, &dense).unwrap()), WeightF32::Sparse(Sparse4x1F32::view(m, k, &sparse).unwrap())] {
        let whole = case.run(Isa::best(), weight, 0..m, Activation::GeluErf, 1, Edge::End);
        let mut parts = vec![Vec::new(); 3];
        for rows in [0..12, 12..48, 48..m, m..m] {
            if rows.start % ROW_GRANULE == 0 {
                for (all, part) in parts.iter_mut().zip(case.run(Isa::best(), weight, rows, Activation::GeluErf, 1, Edge::End)) {
                    all.extend(part);
                }
            }
        }
        for (panel, (whole, parts)) in whole.iter().zip(&parts).enumerate() {
            assert_same_bits("split", parts, whole);
            let alone = Case { xs: vec![case.xs[panel].clone()], residuals: vec![case.residuals[panel].clone()], ..case_like(&case) };
            assert_same_bits("alone", &alone.run(Isa::best(), weight, 0..m, Activation::GeluErf, 1, Edge::End)[0], whole);
        }
    }
}

fn case_like(case: &Case) -> Case {
    Case { m: case.m, k: case.k, w: case.w.clone(), bias: case.bias.clone(), xs: vec![], residuals: vec![] }
}

#[test]
fn the_activation_is_applied_last() {
    let mut rng = Rng::from_env(34);
    let case = Case::new(&mut rng, 5, 9, 1, 1.0, -1.0);
    let dense = Aligned::new(&DenseF32::pack(5, 9, &case.w));
    let weight = WeightF32::Dense(DenseF32::view(5, 9, &dense).unwrap());
    let mut plain = case.run(Isa::best(), weight, 0..5, Activation::None, 2, Edge::End);
    let relu = case.run(Isa::best(), weight, 0..5, Activation::Relu, 2, Edge::End);
    plain[0].iter_mut().for_each(|y| *y = y.max(0.0));
    assert_same_bits("relu", &relu[0], &plain[0]);
}

#[test]
fn wrong_lengths_ranges_and_panel_counts_are_refused() {
    let dense = Aligned::new(&DenseF32::pack(24, 3, &[1.0; 72]));
    let linear = LinearF32 { weight: WeightF32::Dense(DenseF32::view(24, 3, &dense).unwrap()), bias: None, act: Activation::None };
    let x = vec![0.0; 3 * TOKENS];
    let run = |rows: Range<usize>, x: &[f32], y_rows: usize, panels: usize| {
        let mut ys = vec![vec![0.0; y_rows * TOKENS]; panels];
        let mut ios: Vec<_> = ys.iter_mut().map(|y| Io { x, codes: None, y, residual: Residual::None }).collect();
        linear.run(Isa::best(), rows, &mut ios)
    };
    assert_eq!(run(12..24, &x, 12, 1), Ok(()));
    assert!(matches!(run(0..12, &x[1..], 12, 1), Err(KernelError::Length { name: "x", .. })));
    assert!(matches!(run(0..12, &x, 11, 1), Err(KernelError::Length { name: "y", .. })));
    assert!(matches!(run(0..13, &x, 13, 1), Err(KernelError::Invalid { name: "rows", .. })));
    assert!(matches!(run(6..12, &x, 6, 1), Err(KernelError::Invalid { name: "rows", .. })));
    assert!(matches!(run(12..36, &x, 24, 1), Err(KernelError::Invalid { name: "rows", .. })));
    assert!(matches!(run(0..12, &x, 12, 0), Err(KernelError::Invalid { name: "ios", .. })));
    assert!(matches!(run(0..12, &x, 12, 5), Err(KernelError::Invalid { name: "ios", .. })));
    let short = LinearF32 { bias: Some(&[0.0; 23]), ..linear };
    assert!(short.run(Isa::best(), 0..0, &mut [Io { x: &x, codes: None, y: &mut [], residual: Residual::None }]).is_err());
    let half = linear.run(Isa::best(), 0..0, &mut [Io { x: &x, codes: None, y: &mut [], residual: Residual::Half(&[]) }]);
    assert!(matches!(half, Err(KernelError::Invalid { name: "residual", .. })));
}

#[test]
fn broken_packed_weights_are_refused() {
    let mut rng = Rng::from_env(35);
    let mut w = weight(&mut rng, 9, 20, 0.5, -1.0);
    w[19] = 1.0;
    let good = Aligned::new(&Sparse4x1F32::pack(9, 20, &w));
    let view = Sparse4x1F32::view(9, 20, &good).unwrap();
    assert!(view.blocks() > 10);
    assert!(Sparse4x1F32::view(9, 19, &good).is_err(), "an input beyond K");
    assert!(Sparse4x1F32::view(13, 20, &good).is_err(), "another number of groups");
    for len in 0..good.len() {
        assert!(Sparse4x1F32::view(9, 20, &good[..len]).is_err(), "cut to {len}");
    }
    let words = good.len() / 4 - view.blocks() * 4; // all but the values
    for word in 0..words {
        for value in [0u32, 1, 20, 1 << 31, u32::MAX] {
            let mut bad = good.clone();
            bad[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
            if let Ok(view) = Sparse4x1F32::view(9, 20, &bad) {
                let (x, mut y) = (vec![1.0; 20 * TOKENS], vec![0.0; 9 * TOKENS]);
                let linear = LinearF32 { weight: WeightF32::Sparse(view), bias: None, act: Activation::None };
                linear.run(Isa::best(), 0..9, &mut [Io { x: &x, codes: None, y: &mut y, residual: Residual::None }]).unwrap();
            }
        }
    }
    let dense = Aligned::new(&DenseF32::pack(9, 20, &w));
    assert!(DenseF32::view(9, 20, &dense[..dense.len() - 4]).is_err());
    assert!(DenseF32::view(9, 20, &Aligned::new(&[&[0; 4], &dense[..]].concat())[4..]).is_err(), "misaligned");
    assert!(DenseF32::view(0, 20, &[]).is_err());
    assert!(DenseF32::view(usize::MAX, usize::MAX, &[]).is_err());
}

#[test]
fn a_sparse_weight_of_several_chunks_matches_the_dense_one() {
    let mut rng = Rng::from_env(36);
    let (m, k) = (13, 1700);
    let case = Case::new(&mut rng, m, k, 2, 0.2, -1.0);
    let sparse = Aligned::new(&Sparse4x1F32::pack(m, k, &case.w));
    let weight = WeightF32::Sparse(Sparse4x1F32::view(m, k, &sparse).unwrap());
    for isa in Isa::available() {
        let got = case.run(isa, weight, 0..m, Activation::None, 1, Edge::End);
        assert!(case.worst(&got, true, 0..TOKENS) <= 8.0);
    }
}

#[test]
fn a_sparse_weight_keeps_only_blocks_with_a_non_zero() {
    let mut w = vec![0.0; 8 * 10];
    w[3] = 1.0;
    w[10 + 3] = 2.0;
    w[50 + 9] = 3.0;
    let packed = Aligned::new(&Sparse4x1F32::pack(8, 10, &w));
    assert_eq!(Sparse4x1F32::view(8, 10, &packed).unwrap().blocks(), 2);
}
