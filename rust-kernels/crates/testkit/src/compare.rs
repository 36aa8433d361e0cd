//! Comparisons that say where and by how much.

/// |got − want| in units of the spacing of f32 at `want`; 0 where both are the same infinity or NaN, ∞ where only one is.
pub fn ulps(got: f32, want: f64) -> f64 {
    let nearest = want as f32;
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() && want.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == nearest {
        // Covers equal infinities; the distance below one half is still counted.
        return if got.is_infinite() { 0.0 } else { (f64::from(got) - want).abs() / spacing(want) };
    }
    // An overflow of a value that is barely finite counts as its distance to 2^128.
    let got = if got.is_infinite() { 2f64.powi(128).copysign(f64::from(got)) } else { f64::from(got) };
    let want = want.clamp(-(2f64.powi(128)), 2f64.powi(128));
    (got - want).abs() / spacing(want)
}

/// The distance between neighbouring f32 around `x`.
fn spacing(x: f64) -> f64 {
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi((exponent - 23).clamp(-149, 104))
}

/// Panics unless |got − want| ≤ abs + rel·|want| everywhere; NaN equals NaN, infinities must match in sign.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], want: &[f64], abs: f64, rel: f64) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let same = (got.is_nan() && want.is_nan()) || f64::from(*got) == *want;
        let error = (f64::from(*got) - want).abs();
        assert!(same || error <= abs + rel * want.abs(), "{what}: element {i} is {got:e}, expected {want:e}, off by {error:e}");
    }
}

/// Panics unless every element has the same bits; NaN equals NaN.
#[track_caller]
pub fn assert_same_bits(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}: lengths");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan());
        assert!(same, "{what}: element {i} is {got:e} ({:08x}), expected {want:e} ({:08x})", got.to_bits(), want.to_bits());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_is_one_ulp_at_every_scale() {
        for x in [1.0f32, 1.5e-42, 3e38, -7.25] {
            assert_eq!(ulps(x, f64::from(x)), 0.0);
            assert_eq!(ulps(f32::from_bits(x.to_bits() + 1), f64::from(x)), 1.0);
        }
        assert_eq!(ulps(f32::INFINITY, f64::INFINITY), 0.0);
        assert_eq!(ulps(1.0, f64::NAN), f64::INFINITY);
        assert!(ulps(f32::INFINITY, 1.0) > 1e30);
    }

    #[test]
    #[should_panic(expected = "element 1")]
    fn a_difference_is_named() {
        assert_close("y", &[1.0, 2.0], &[1.0, 2.1], 1e-3, 1e-3);
    }
}
