use super::*;
use neural_engine_testkit::rng::Rng;

fn values(seed: u64, length: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..length).map(|_| rng.f32(-1.0, 1.0) * rng.f32(-12.0, 12.0).exp2()).collect()
}

fn plain_count(x: &[f32], exponent: i32) -> Vec<f64> {
    let mut counts = vec![0.0; BINS];
    for &x in x.iter().filter(|x| x.is_finite()) {
        let bin = (f64::from(x) / f64::from(exponent).exp2()).floor() + (BINS / 2) as f64;
        if (0.0..BINS as f64).contains(&bin) {
            counts[bin as usize] += 1.0;
        }
    }
    counts
}

#[test]
fn every_tier_counts_as_plain_division_does() {
    for length in [0, 1, 15, 16, 17, 1000] {
        let mut x = values(length as u64 + 1, length);
        if length > 2 {
            (x[0], x[1], x[length / 2], x[length - 1]) = (f32::NAN, -1e-30, f32::NEG_INFINITY, f32::INFINITY);
        }
        for isa in Isa::available() {
            for exponent in [-126, -9, -1, 0, 3, 126] {
                let mut counts = vec![0.0; BINS];
                count(isa, &x, exponent, &mut counts).unwrap();
                assert_eq!(counts, plain_count(&x, exponent), "{isa:?}, {length} values, width 2^{exponent}");
            }
        }
    }
}

#[test]
fn joining_bins_in_pairs_is_counting_with_twice_the_width() {
    let x = values(7, 5000);
    let (mut narrow, mut wide) = (vec![0.0; BINS], vec![0.0; BINS]);
    count(Isa::best(), &x, 0, &mut narrow).unwrap();
    count(Isa::best(), &x, 1, &mut wide).unwrap();
    let quarter = BINS / 4;
    for (i, pair) in narrow.chunks_exact(2).enumerate() {
        assert_eq!(pair[0] + pair[1], wide[quarter + i]);
    }
}

#[test]
fn edges_belong_to_the_bin_above_and_tiny_negatives_below_zero() {
    let mut counts = vec![0.0; BINS];
    let edge = BINS as f32 / 2.0;
    count(Isa::best(), &[0.0, -0.0, 1.0, -1.0, -1e-30, f32::MIN_POSITIVE / 4.0, edge, -edge, -edge - 1.0], 0, &mut counts).unwrap();
    let zero = BINS / 2;
    assert_eq!(counts[zero - 1..zero + 2], [2.0, 3.0, 1.0]);
    assert_eq!(counts[0], 1.0);
    assert_eq!(counts.iter().sum::<f64>(), 7.0);
}

#[test]
fn extents_leave_out_what_is_not_finite() {
    for isa in Isa::available() {
        for length in [0, 1, 16, 33] {
            let x = values(3, length);
            let seen = extent(isa, &x);
            assert_eq!(seen.min, x.iter().copied().fold(f32::INFINITY, f32::min));
            assert_eq!(seen.max, x.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            assert_eq!(seen.non_finite, 0);
        }
        let seen = extent(isa, &[f32::NAN, 2.0, f32::INFINITY, -3.0, f32::NEG_INFINITY]);
        assert_eq!(seen, Extent { min: -3.0, max: 2.0, non_finite: 3 });
    }
}

#[test]
fn refuses_other_lengths_and_widths() {
    assert!(matches!(count(Isa::best(), &[], 0, &mut [0.0; 4]), Err(KernelError::Length { name: "counts", .. })));
    assert!(matches!(count(Isa::best(), &[], 127, &mut [0.0; BINS]), Err(KernelError::Invalid { name: "exponent", .. })));
}
