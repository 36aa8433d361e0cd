//! The error function.

use std::sync::LazyLock;

/// Distance of the grid points that the function is expanded around.
const STEP: f64 = 0.125;
/// Beyond this erf is 1 in f64.
const END: f64 = 6.0;
const POINTS: usize = 49;

/// erf and its first derivative at multiples of [`STEP`], each found from its neighbour.
static GRID: LazyLock<[(f64, f64); POINTS]> = LazyLock::new(|| {
    let mut grid = [(0.0, 0.0); POINTS];
    let slope = |x: f64| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
    grid[0] = (0.0, slope(0.0));
    for i in 1..POINTS {
        let from = (i - 1) as f64 * STEP;
        grid[i] = (expand::<28>(grid[i - 1], from, STEP), slope(i as f64 * STEP));
    }
    grid
});

/// Taylor expansion around `x0`, `h` away from it.
///
/// With f = erf′, f′ = −2x·f, so its derivatives follow f⁽ⁿ⁺¹⁾ = −2x·f⁽ⁿ⁾ − 2n·f⁽ⁿ⁻¹⁾; `term` below is f⁽ⁿ⁾hⁿ/n!.
#[inline]
fn expand<const TERMS: usize>((value, slope): (f64, f64), x0: f64, h: f64) -> f64 {
    let (mut before, mut term, mut sum) = (0.0, slope, slope);
    for n in 1..TERMS {
        let next = -2.0 * h / n as f64 * (x0 * term + h * before);
        (before, term) = (term, next);
        sum += term / (n + 1) as f64;
    }
    value + h * sum
}

/// 2/√π · ∫₀ˣ exp(−t²) dt, to about 2e-16.
pub(super) fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let magnitude = x.abs();
    if magnitude >= END {
        return 1f64.copysign(x);
    }
    let point = (magnitude / STEP).round_ties_even();
    let x0 = point * STEP;
    expand::<14>(GRID[point as usize], x0, magnitude - x0).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// The alternating series, exact enough while its terms stay small.
    fn series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn agrees_with_the_series() {
        for i in -2000..=2000 {
            let x = i as f64 / 1000.0;
            assert!((erf(x) - series(x)).abs() < 2e-15, "{x}: {} {}", erf(x), series(x));
        }
    }

    #[test]
    fn has_the_known_values() {
        assert_eq!(erf(0.0).to_bits(), 0f64.to_bits());
        assert_eq!(erf(-0.0).to_bits(), (-0f64).to_bits());
        assert!((erf(0.5) - 0.520_499_877_813_046_5).abs() < 3e-16);
        assert!((erf(1.0) - 0.842_700_792_949_714_9).abs() < 3e-16);
        assert!((erf(3.0) - 0.999_977_909_503_001_4).abs() < 3e-16);
        assert_eq!(erf(-7.0), -1.0);
        assert_eq!(erf(f64::INFINITY), 1.0);
        assert!(erf(f64::NAN).is_nan());
        assert_eq!(erf(1e-300), 1e-300 * std::f64::consts::FRAC_2_SQRT_PI);
    }

    #[test]
    fn rises_everywhere() {
        let mut last = -1.0;
        for i in -60_000..=60_000 {
            let y = erf(i as f64 / 10_000.0);
            assert!(y >= last - 2e-16);
            last = y;
        }
    }
}
