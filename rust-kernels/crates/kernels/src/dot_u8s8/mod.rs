//! Sums of four u8 × s8 products per 32-bit lane: what all integer kernels are built from.

#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod avx2;
#[cfg(all(target_arch = "x86_64", not(ne_portable)))]
pub(crate) mod avx512_vnni;

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
