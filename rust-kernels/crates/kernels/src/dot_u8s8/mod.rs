//! Sums of four u8 × s8 products per 32-bit lane: what all integer kernels are built from.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod avx512_vnni;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod steps;

/// `$body` for each of four values. Written out: `array::map` and closures are not always inlined, and what is not inlined into a
/// function with the tier's features runs without its instructions.
macro_rules! each {
    ($four:expr, |$x:ident| $body:expr) => {{
        let [a, b, c, d] = $four;
        [
            {
                let $x = a;
                $body
            },
            {
                let $x = b;
                $body
            },
            {
                let $x = c;
                $body
            },
            {
                let $x = d;
                $body
            },
        ]
    }};
}
pub(crate) use each;

/// Whether 16 bits hold x₀·w₀ + x₁·w₁ for both pairs of four weights of each of four rows, whatever u8 the x are: 255 · 128 is the last
/// multiple of 255 that does.
#[inline(always)]
pub(crate) fn pairs_fit(weights: &[u8; 16]) -> bool {
    // Every pair is looked at: without a way out in the middle the compiler does all of it in a few vector instructions.
    weights.as_chunks::<2>().0.iter().fold(true, |fit, pair| fit & pair_fits(pair[0] as i8, pair[1] as i8))
}

/// [`pairs_fit`] for one pair of one row.
#[inline(always)]
pub(crate) fn pair_fits(a: i8, b: i8) -> bool {
    let (a, b) = (i16::from(a), i16::from(b));
    (a.max(0) + b.max(0) <= 128) & (a.min(0) + b.min(0) >= -128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_fits_where_its_largest_and_smallest_sums_do() {
        for (a, b) in (i8::MIN..=i8::MAX).flat_map(|a| (i8::MIN..=i8::MAX).map(move |b| (a, b))) {
            let products = [(0, 0), (0, 255), (255, 0), (255, 255)].map(|(x, y)| x * i32::from(a) + y * i32::from(b));
            let fits = products.iter().all(|&sum| i16::try_from(sum).is_ok());
            assert_eq!(pair_fits(a, b), fits, "{a} and {b}");
            for at in (0..16).step_by(2) {
                let mut weights = [1; 16];
                [weights[at], weights[at + 1]] = [a as u8, b as u8];
                assert_eq!(pairs_fit(&weights), fits, "{a} and {b} at {at}");
            }
        }
    }
}
