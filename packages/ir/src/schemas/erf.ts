const TWO_OVER_SQRT_PI = 1.1283791670955126;
const SQRT_PI = 1.772453850905516;

/**
 * The error function to about 1e-15.
 *
 * Below 2.5 by its everywhere convergent series erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms are all positive; above by
 * the continued fraction of erfc. Source: Abramowitz and Stegun, 7.1.6 and 7.1.14.
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x) || a === 0) return x;
  if (a > 6) return Math.sign(x);
  const square = a * a;
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; term > sum * 1e-17; n++) {
      term *= (2 * square) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * TWO_OVER_SQRT_PI * Math.exp(-square) * sum;
  }
  let fraction = a;
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-square) / (fraction * SQRT_PI));
}
