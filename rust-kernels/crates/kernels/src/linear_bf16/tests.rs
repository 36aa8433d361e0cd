//! Against f64 loops over the rounded numbers, under guard pages, every tier the same bits.

use super::*;
use crate::bf16::{TINY, from_bf16, place_of, to_bf16};
use crate::panel::{Residual, TOKENS, lane_of};
use neural_engine_isa::Tier;
use neural_engine_testkit::{Aligned, Edge, Guarded, Rng, assert_same_bits};

/// Every way to sum in vectors here; what the CPU lacks is printed.
fn tiers() -> Vec<(&'static str, Isa)> {
    let best = Isa::capped(Tier::Avx512Vnni);
    let vectors = Isa::available().into_iter().filter(|isa| isa.amx().is_none());
    let mut tiers: Vec<_> = vectors.map(|isa| (isa.tier().name(), isa.without_bf16())).collect();
    match best.avx512_bf16() {
        Some(_) => tiers.push(("avx512_bf16", best)),
        None => println!("not tested here, the CPU lacks it: avx512_bf16"),
    }
    tiers
}

/// bf16 weights whose 4x1 blocks are non-zero with that probability.
fn weight(rng: &mut Rng, m: usize, k: usize, density: f64, low: f32) -> Vec<u16> {
    let mut w: Vec<u16> = rng.f32s(m * k, low, 1.0).into_iter().map(to_bf16).collect();
    for group in (0..m).step_by(4) {
        for input in 0..k {
            if !rng.chance(density) {
                (group..m.min(group + 4)).for_each(|row| w[row * k + input] = 0);
            }
        }
    }
    w
}

/// Packed in both forms; sparse only where the rows are whole blocks.
fn packed(m: usize, k: usize, w: &[u16]) -> (Aligned, Option<Aligned>) {
    let sparse = m.is_multiple_of(4).then(|| Aligned::new(&Sparse4x1Bf16::pack(m, k, w).unwrap()));
    (Aligned::new(&DenseBf16::pack(m, k, w).unwrap()), sparse)
}

fn views<'a>(m: usize, k: usize, packed: &'a (Aligned, Option<Aligned>)) -> Vec<WeightBf16<'a>> {
    let mut views = vec![WeightBf16::Dense(DenseBf16::view(m, k, &packed.0).unwrap())];
    views.extend(packed.1.as_ref().map(|bytes| WeightBf16::Sparse(Sparse4x1Bf16::view(m, k, bytes).unwrap())));
    views
}

struct Case {
    m: usize,
    k: usize,
    w: Vec<u16>,
    bias: Option<Vec<f32>>,
    xs: Vec<Vec<u16>>,
    residuals: Vec<Vec<f32>>,
}

impl Case {
    fn new(rng: &mut Rng, m: usize, k: usize, panels: usize, density: f64, low: f32) -> Case {
        Case {
            m,
            k,
            w: weight(rng, m, k, density, low),
            bias: rng.chance(0.7).then(|| rng.f32s(m, -1.0, 1.0)),
            xs: (0..panels).map(|_| rng.f32s(k * TOKENS, low, 1.0).into_iter().map(to_bf16).collect()).collect(),
            residuals: (0..panels).map(|_| rng.f32s(m * TOKENS, -1.0, 1.0)).collect(),
        }
    }

    /// Runs rows `rows` under guard pages; residual mode 0 none, 1 a panel, 2 in place.
    fn run(&self, isa: Isa, weight: WeightBf16<'_>, rows: Range<usize>, act: Activation, mode: usize, edge: Edge) -> Vec<Vec<f32>> {
        let part = |x: &[f32]| Guarded::copy(&x[rows.start * TOKENS..rows.end * TOKENS], edge);
        let xs: Vec<_> = self.xs.iter().map(|x| Guarded::copy(x, edge)).collect();
        let residuals: Vec<_> = self.residuals.iter().map(|x| part(x)).collect();
        let mut ys: Vec<_> = match mode {
            2 => self.residuals.iter().map(|x| part(x)).collect(),
            _ => xs.iter().map(|_| Guarded::new(rows.len() * TOKENS, f32::NAN, edge)).collect(),
        };
        let residual = |i: usize| match mode {
            0 => Residual::None,
            1 => Residual::Panel(&residuals[i]),
            _ => Residual::InPlace,
        };
        let mut ios: Vec<_> =
            ys.iter_mut().zip(&xs).enumerate().map(|(i, (y, x))| Io { x, codes: None, y, residual: residual(i) }).collect();
        let linear = LinearBf16 { weight, bias: self.bias.as_deref(), act };
        let mut scratch = vec![i32::MIN; linear.scratch_len(isa, ios.len())];
        linear.run_f32(isa, rows, &mut ios, &mut scratch).unwrap();
        ys.iter().map(|y| y.to_vec()).collect()
    }

    /// The largest error against f64 loops, in units of 2⁻²⁴ · Σ|w·x|.
    fn worst(&self, ys: &[Vec<f32>], residual: bool, tokens: &[usize]) -> f64 {
        let mut worst = 0.0f64;
        for (panel, y) in ys.iter().enumerate() {
            for row in 0..self.m {
                for &token in tokens {
                    let cell = row * TOKENS + lane_of(token);
                    let mut sum = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]));
                    if residual {
                        sum += f64::from(self.residuals[panel][cell]);
                    }
                    let mut magnitude = sum.abs();
                    for input in 0..self.k {
                        let x = from_bf16(self.xs[panel][input * TOKENS + place_of(token)]);
                        let product = f64::from(from_bf16(self.w[row * self.k + input])) * f64::from(x);
                        sum += product;
                        magnitude += product.abs();
                    }
                    let error = (f64::from(y[cell]) - sum).abs();
                    assert!(error.is_finite());
                    worst = worst.max(error / (magnitude + 1e-30) * 2f64.powi(24));
                }
            }
        }
        worst
    }
}

#[test]
fn every_tier_gives_the_same_bits_near_f64_for_sampled_sizes_densities_and_page_ends() {
    let mut rng = Rng::from_env(61);
    for round in 0..40 {
        let m = rng.range(1, 129).next_multiple_of([1, 4][round % 2]);
        let (k, panels, density) = (rng.range(1, 200), rng.range(1, 4), [0.0, 0.1, 0.3, 1.0][rng.below(4)]);
        let low = [-1.0, 0.0][rng.below(2)];
        let case = Case::new(&mut rng, m, k, panels, density, low);
        let (mode, edge) = (round % 3, Edge::BOTH[round % 2]);
        let packed = packed(m, k, &case.w);
        for weight in views(m, k, &packed) {
            let want = case.run(Isa::capped(Tier::Scalar), weight, 0..m, Activation::None, mode, edge);
            let worst = case.worst(&want, mode != 0, &[0, 7, 8, 15, 16, 33, 63]);
            assert!(worst <= 8.0, "{m}x{k} density {density}: {worst}");
            for (name, isa) in tiers() {
                let got = case.run(isa, weight, 0..m, Activation::None, mode, edge);
                for (got, want) in got.iter().zip(&want) {
                    assert_same_bits(&format!("{name} {m}x{k}"), got, want);
                }
            }
        }
    }
}

#[test]
fn numbers_of_every_magnitude_give_the_same_bits_on_every_tier() {
    let mut rng = Rng::from_env(62);
    let (m, k) = (16, 96);
    // Exponents from subnormal to nearly infinite, so that sums overflow and inputs are flushed; no NaN in, infinities and NaN out.
    let mut bits =
        |len: usize| -> Vec<f32> { (0..len).map(|_| from_bf16((rng.bits() % 0x7f80) as u16 | (rng.bits() as u16 & 0x8000))).collect() };
    let w: Vec<u16> = bits(m * k).into_iter().map(|x| (x.to_bits() >> 16) as u16).collect();
    let x: Vec<u16> = bits(k * TOKENS).into_iter().map(to_bf16).collect();
    let case = Case { m, k, w, bias: None, xs: vec![x], residuals: vec![vec![0.0; m * TOKENS]] };
    let packed = packed(m, k, &case.w);
    for weight in views(m, k, &packed) {
        let want = case.run(Isa::capped(Tier::Scalar), weight, 0..m, Activation::None, 0, Edge::End);
        for (name, isa) in tiers() {
            let got = case.run(isa, weight, 0..m, Activation::None, 0, Edge::End);
            for (got, want) in got[0].iter().zip(&want[0]) {
                assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{name}: {got:e}, {want:e}");
            }
        }
    }
}

#[test]
fn sums_of_the_smallest_products_are_never_subnormal() {
    let (m, k) = (4, 4);
    let tiny = to_bf16(TINY);
    let next = tiny + 1;
    // 2⁻¹¹² · ((1 + 2⁻⁷)² − (1 + 2⁻⁶)) = 2⁻¹²⁶, the smallest sum there can be; what is below TINY in the weight must not count.
    let w: Vec<u16> = (0..m).flat_map(|_| [next, 0x8000 | tiny, 0x0001, tiny - 1]).collect();
    let x: Vec<u16> = [next, next + 1, 0x7f7f, 0x7f7f].into_iter().flat_map(|x| [x; TOKENS]).collect();
    let case = Case { m, k, w, bias: None, xs: vec![x], residuals: vec![vec![0.0; m * TOKENS]] };
    let packed = packed(m, k, &case.w);
    for weight in views(m, k, &packed) {
        for (name, isa) in tiers() {
            let got = case.run(isa, weight, 0..m, Activation::None, 0, Edge::End);
            assert!(got[0].iter().all(|y| y.to_bits() == got[0][0].to_bits() && (*y == 0.0 || y.is_normal())), "{name}: {:e}", got[0][0]);
            assert_eq!(got[0][0], 2f32.powi(-126), "{name}");
        }
    }
}

#[test]
fn long_positive_sums_stay_within_the_error_rule() {
    let mut rng = Rng::from_env(63);
    for (k, limit, tokens) in [(768, 8.0, 64), (3072, 8.0, 64), (4096, 8.0, 64), (12288, 16.0, 16)] {
        let case = Case::new(&mut rng, 4, k, 1, 1.0, 0.0);
        let tokens: Vec<_> = (0..tokens).collect();
        let packed = packed(4, k, &case.w);
        for weight in views(4, k, &packed) {
            let worst = case.worst(&case.run(Isa::best(), weight, 0..4, Activation::None, 0, Edge::End), false, &tokens);
            println!("K {k}: worst {worst:.2} of 2^-24 of the magnitudes, limit {limit}");
            assert!(worst <= limit, "K {k}: {worst}");
        }
    }
}

#[test]
fn rows_are_the_same_bits_however_they_are_split_and_however_many_panels_share_the_pass() {
    let mut rng = Rng::from_env(64);
    let (m, k) = (84, 200);
    let case = Case::new(&mut rng, m, k, 3, 0.4, -1.0);
    let packed = packed(m, k, &case.w);
    for weight in views(m, k, &packed) {
        let whole = case.run(Isa::best(), weight, 0..m, Activation::GeluErf, 1, Edge::End);
        let mut parts = vec![Vec::new(); 3];
        for part in 0..3 {
            let rows = weight.rows_of(part, 3);
            for (all, part) in parts.iter_mut().zip(case.run(Isa::best(), weight, rows, Activation::GeluErf, 1, Edge::End)) {
                all.extend(part);
            }
        }
        for (panel, (whole, parts)) in whole.iter().zip(&parts).enumerate() {
            assert_same_bits("split", parts, whole);
            let (xs, residuals) = (vec![case.xs[panel].clone()], vec![case.residuals[panel].clone()]);
            let alone = Case { m, k, w: vec![], bias: case.bias.clone(), xs, residuals };
            assert_same_bits("alone", &alone.run(Isa::best(), weight, 0..m, Activation::GeluErf, 1, Edge::End)[0], whole);
        }
    }
}

/// A dense product on tiles in software.
fn on_software_tiles(case: &Case, weight: &DenseBf16<'_>, rows: Range<usize>, act: Activation) -> Vec<Vec<f32>> {
    let linear = LinearBf16 { weight: WeightBf16::Dense(*weight), bias: case.bias.as_deref(), act };
    let cells = rows.start * TOKENS..rows.end * TOKENS;
    let mut ys = vec![vec![f32::NAN; cells.len()]; case.xs.len()];
    let parts = ys.iter_mut().zip(&case.xs).zip(&case.residuals);
    let mut ios: Vec<_> = parts.map(|((y, x), r)| Io { x, codes: None, y, residual: Residual::Panel(&r[cells.clone()]) }).collect();
    let mut scratch = vec![i32::MIN; tile_product::scratch_len(case.k) * case.xs.len()];
    let isa = Isa::capped(Tier::Scalar);
    tile_product::Call { linear: &linear, weight, isa, rows, ios: &mut ios, scratch: &mut scratch }
        .run(&mut crate::tiles::SoftwareTiles::new(), neural_engine_isa::Scalar);
    ys
}

#[test]
fn tiles_stay_within_the_error_rule_and_the_cpu_s_give_the_bits_of_those_in_software() {
    let mut rng = Rng::from_env(67);
    let amx = Isa::capped(Tier::Amx);
    if amx.amx().is_none() {
        println!("not tested here, the CPU lacks it: amx");
    }
    for (m, k, panels, low) in
        [(32, 32, 1, -1.0), (33, 1, 2, 0.0), (70, 95, 3, -1.0), (48, 768, 1, 0.0), (32, 3072, 1, 0.0), (35, 1057, 1, 0.0)]
    {
        let case = Case::new(&mut rng, m, k, panels, 1.0, low);
        let bytes = Aligned::new(&DenseBf16::pack(m, k, &case.w).unwrap());
        let weight = DenseBf16::view(m, k, &bytes).unwrap();
        let want = on_software_tiles(&case, &weight, 0..m, Activation::GeluErf);
        let plain = on_software_tiles(&case, &weight, 0..m, Activation::None);
        let worst = case.worst(&plain, true, &[0, 7, 8, 21, 63]);
        println!("{m}x{k}: worst {worst:.2} of 2^-24 of the magnitudes");
        assert!(worst <= 8.0, "{m}x{k}: {worst}");
        let split =
            [on_software_tiles(&case, &weight, 0..16, Activation::None), on_software_tiles(&case, &weight, 16..m, Activation::None)];
        for (panel, plain) in plain.iter().enumerate() {
            assert_same_bits("split", &[&split[0][panel][..], &split[1][panel][..]].concat(), plain);
        }
        if amx.amx().is_some() {
            for edge in Edge::BOTH {
                let got = case.run(amx, WeightBf16::Dense(weight), 0..m, Activation::GeluErf, 1, edge);
                for (got, want) in got.iter().zip(&want) {
                    assert_same_bits(&format!("amx {m}x{k}"), got, want);
                }
            }
            let short = LinearBf16 { weight: WeightBf16::Dense(weight), bias: None, act: Activation::None };
            let refused =
                short.run_f32(amx, 0..0, &mut [Io { x: &case.xs[0], codes: None, y: &mut [], residual: Residual::None }], &mut []);
            assert!(matches!(refused, Err(KernelError::Length { name: "scratch", .. })));
        }
    }
}

#[test]
fn bf16_outputs_are_the_rounded_f32_outputs_after_the_activation() {
    let mut rng = Rng::from_env(65);
    let (m, k) = (20, 37);
    let case = Case::new(&mut rng, m, k, 1, 0.5, -1.0);
    let packed = packed(m, k, &case.w);
    for weight in views(m, k, &packed) {
        for (name, isa) in tiers() {
            let want = &case.run(isa, weight, 0..m, Activation::GeluErf, 1, Edge::End)[0];
            let mut y = Guarded::new(m * TOKENS, 7u16, Edge::End);
            let residual = Residual::Panel(&case.residuals[0]);
            let linear = LinearBf16 { weight, bias: case.bias.as_deref(), act: Activation::GeluErf };
            linear.run_bf16(isa, 0..m, &mut [Io { x: &case.xs[0], codes: None, y: &mut y, residual }], &mut []).unwrap();
            for row in 0..m {
                for token in 0..TOKENS {
                    let value = want[row * TOKENS + lane_of(token)];
                    assert_eq!(y[row * TOKENS + place_of(token)], to_bf16(value), "{name}");
                }
            }
        }
    }
}

/// W6: weights that are not finite.
#[test]
fn a_dense_product_keeps_nan_and_a_sparse_one_skips_zero_blocks() {
    let (m, k) = (4, 3);
    let w: Vec<u16> = (0..m * k).map(|i| if i % k == 1 { 0 } else { to_bf16(1.0) }).collect();
    let x: Vec<u16> = (0..k * TOKENS).map(|i| to_bf16(if i / TOKENS == 1 { f32::INFINITY } else { 2.0 })).collect();
    let case = Case { m, k, w, bias: None, xs: vec![x], residuals: vec![vec![0.0; m * TOKENS]] };
    let packed = packed(m, k, &case.w);
    for (name, isa) in tiers() {
        let ys: Vec<_> = views(m, k, &packed).into_iter().map(|w| case.run(isa, w, 0..m, Activation::None, 0, Edge::End)).collect();
        assert!(ys[0][0].iter().all(|y| y.is_nan()), "{name}");
        assert!(ys[1][0].iter().all(|y| *y == 4.0), "{name}");
    }
}

#[test]
fn a_bf16_residual_beside_or_in_place_is_its_values_as_f32() {
    let mut rng = Rng::from_env(67);
    let case = Case::new(&mut rng, 36, 29, 2, 0.5, -1.0);
    let packed = packed(36, 29, &case.w);
    let old: Vec<Vec<u16>> = case.residuals.iter().map(|x| x.iter().map(|x| to_bf16(*x)).collect()).collect();
    for (name, isa) in tiers() {
        for weight in views(36, 29, &packed) {
            let linear = LinearBf16 { weight, bias: case.bias.as_deref(), act: Activation::Relu };
            for rows in [0..16, 16..36] {
                let part = |x: &[u16]| x[rows.start * TOKENS..rows.end * TOKENS].to_vec();
                let mut scratch = vec![i32::MIN; linear.scratch_len(isa, 2)];
                // The oracle: widened beside an f32 output, then rounded.
                let wide: Vec<Vec<f32>> = old.iter().map(|x| wide(&part(x))).collect();
                let mut floats = vec![vec![f32::NAN; rows.len() * TOKENS]; 2];
                let io = |((x, y), old)| Io { x, codes: None, y, residual: Residual::Panel(old) };
                let xs = || case.xs.iter().map(|x| &x[..]);
                let mut ios: Vec<_> = xs().zip(floats.iter_mut().map(|y| &mut y[..])).zip(wide.iter().map(|x| &x[..])).map(io).collect();
                linear.run_f32(isa, rows.clone(), &mut ios, &mut scratch).unwrap();
                let want: Vec<Vec<u16>> = floats.iter().map(|y| half(y)).collect();

                for in_place in [false, true] {
                    let olds: Vec<_> = old.iter().map(|x| Guarded::copy(&part(x), Edge::End)).collect();
                    let mut ys: Vec<_> = olds.iter().map(|old| Guarded::copy(old, Edge::End)).collect();
                    let residual = |i: usize| if in_place { Residual::InPlace } else { Residual::Half(&olds[i]) };
                    let each = xs().zip(&mut ys).enumerate();
                    let mut ios: Vec<_> = each.map(|(i, (x, y))| Io { x, codes: None, y, residual: residual(i) }).collect();
                    linear.run_bf16(isa, rows.clone(), &mut ios, &mut scratch).unwrap();
                    for (y, want) in ys.iter().zip(&want) {
                        assert_eq!(&y[..], &want[..], "{name} {} in place: {in_place}", linear.kernel(isa));
                    }
                }
            }
        }
    }
}

/// Rows of bf16 as f32, and back.
fn wide(x: &[u16]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    crate::bf16::widen(Isa::capped(Tier::Scalar), x, &mut y).unwrap();
    y
}

fn half(x: &[f32]) -> Vec<u16> {
    let mut y = vec![0; x.len()];
    crate::bf16::narrow(Isa::capped(Tier::Scalar), x, &mut y).unwrap();
    y
}

#[test]
fn wrong_lengths_ranges_panel_counts_and_residuals_are_refused() {
    let bytes = Aligned::new(&DenseBf16::pack(40, 3, &[0x3f80; 120]).unwrap());
    let linear = LinearBf16 { weight: WeightBf16::Dense(DenseBf16::view(40, 3, &bytes).unwrap()), bias: None, act: Activation::None };
    let x = vec![0; 3 * TOKENS];
    let run = |rows: Range<usize>, x: &[u16], y_rows: usize, panels: usize| {
        let mut ys = vec![vec![0.0; y_rows * TOKENS]; panels];
        let mut ios: Vec<_> = ys.iter_mut().map(|y| Io { x, codes: None, y, residual: Residual::None }).collect();
        linear.run_f32(Isa::best(), rows, &mut ios, &mut vec![0; linear.scratch_len(Isa::best(), MAX_PANELS)])
    };
    assert_eq!(run(16..40, &x, 24, 1), Ok(()));
    assert!(matches!(run(0..16, &x[1..], 16, 1), Err(KernelError::Length { name: "x", .. })));
    assert!(matches!(run(0..16, &x, 15, 1), Err(KernelError::Length { name: "y", .. })));
    assert!(matches!(run(0..17, &x, 17, 1), Err(KernelError::Invalid { name: "rows", .. })));
    assert!(matches!(run(4..16, &x, 12, 1), Err(KernelError::Invalid { name: "rows", .. })));
    assert!(matches!(run(16..48, &x, 32, 1), Err(KernelError::Invalid { name: "rows", .. })));
    assert!(matches!(run(0..16, &x, 16, 0), Err(KernelError::Invalid { name: "ios", .. })));
    assert!(matches!(run(0..16, &x, 16, 5), Err(KernelError::Invalid { name: "ios", .. })));
    let mut y = vec![0u16; 16 * TOKENS];
    let mut scratch = vec![0; linear.scratch_len(Isa::best(), 1)];
    let old = vec![0u16; 16 * TOKENS];
    let short = Residual::Half(&old[1..]);
    let cut = linear.run_bf16(Isa::best(), 0..16, &mut [Io { x: &x, codes: None, y: &mut y, residual: short }], &mut scratch);
    assert!(matches!(cut, Err(KernelError::Length { name: "residual", .. })));
    let (mut float, half) = (vec![0.0; 16 * TOKENS], Residual::Half(&old));
    let mixed = linear.run_f32(Isa::best(), 0..16, &mut [Io { x: &x, codes: None, y: &mut float, residual: half }], &mut scratch);
    assert!(matches!(mixed, Err(KernelError::Invalid { name: "residual", .. })));
    let short = LinearBf16 { bias: Some(&[0.0; 39]), ..linear };
    assert!(short.run_f32(Isa::best(), 0..0, &mut [Io { x: &x, codes: None, y: &mut [], residual: Residual::None }], &mut []).is_err());
}

#[test]
fn broken_packed_weights_are_refused() {
    let mut rng = Rng::from_env(66);
    let (m, k) = (8, 20);
    let mut w = weight(&mut rng, m, k, 0.4, -1.0);
    w[k - 1] = 0x3f80;
    let (dense, sparse) = packed(m, k, &w);
    let good = sparse.unwrap();
    let view = Sparse4x1Bf16::view(m, k, &good).unwrap();
    assert!(view.groups() > 4);
    assert!(Sparse4x1Bf16::view(m, k - 1, &good).is_err(), "another K");
    assert!(Sparse4x1Bf16::view(m + 4, k, &good).is_err(), "another M");
    for len in 0..good.len() {
        assert!(Sparse4x1Bf16::view(m, k, &good[..len]).is_err(), "cut to {len}");
    }
    // Whatever a word of header, starts or inputs becomes: refused, or harmless.
    for word in (0..128).step_by(4).chain((128..128 + 20 * view.groups()).step_by(20)) {
        for value in [0u32, 1, 19, 20, 1 << 16, 1 << 31, u32::MAX] {
            let mut bad = Aligned::new(&good);
            bad[word..word + 4].copy_from_slice(&value.to_le_bytes());
            if let Ok(view) = Sparse4x1Bf16::view(m, k, &bad) {
                let (x, mut y) = (vec![0; k * TOKENS], vec![0.0; m * TOKENS]);
                let linear = LinearBf16 { weight: WeightBf16::Sparse(view), bias: None, act: Activation::None };
                linear.run_f32(Isa::best(), 0..m, &mut [Io { x: &x, codes: None, y: &mut y, residual: Residual::None }], &mut []).unwrap();
            }
        }
    }
    assert!(Sparse4x1Bf16::pack(6, 4, &[0; 24]).is_err());
    assert!(Sparse4x1Bf16::pack(8, 4, &[0; 31]).is_err());
    assert!(DenseBf16::view(m, k, &dense[..dense.len() - 4]).is_err());
    assert!(DenseBf16::view(m, k, &Aligned::new(&[&[0; 4], &dense[..]].concat())[4..]).is_err(), "misaligned");
    assert!(DenseBf16::view(m, k, &good).is_err(), "another format");
    assert!(DenseBf16::pack(0, 4, &[]).is_err());
    assert!(DenseBf16::pack(1, 65537, &[]).is_err());
}

#[test]
fn a_sparse_weight_keeps_only_blocks_with_a_number() {
    let mut w = vec![0u16; 8 * 10];
    w[3] = to_bf16(1.0);
    w[10 + 3] = to_bf16(2.0);
    w[5] = 0x8000;
    w[7] = 0x0001;
    w[50 + 9] = to_bf16(3.0);
    let packed = Aligned::new(&Sparse4x1Bf16::pack(8, 10, &w).unwrap());
    assert_eq!(Sparse4x1Bf16::view(8, 10, &packed).unwrap().groups(), 2);
}
