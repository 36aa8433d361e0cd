// The kernels alone: y = W·x for a weight whose blocks are mostly zero, by the sparse kernel and by the dense one.
import { gemm, isa, packDense, packSparse, spmm } from '@neural-engine/kernels';

const { tier, features } = isa();
console.log(`${tier}: ${features.join(' ')}`);

// A weight s8 [M, K] of 4 × 1 blocks (4 outputs × 1 input), one block in ten not zero, and activations u8 [K, N].
const [m, k, n] = [768, 768, 128];
const weight = new Int8Array(m * k);
for (let row = 0; row < m; row++) {
  for (let i = 0; i < k; i++) if (((row >> 2) * 7 + i * 3) % 10 === 0) weight[row * k + i] = ((row + i) % 255) - 127;
}
const x = Uint8Array.from({ length: k * n }, (_, i) => (i * 31) % 256);

// Packing happens once for a weight; the products may then be taken any number of times.
const sparse = packSparse(weight, { block: '4x1', m, k });
const dense = packDense(weight, { m, k });
const products = {
  sparse: () => spmm(sparse, x, { n, out: 's32' }),
  dense: () => gemm(dense, x, { n, out: 's32' }),
};
for (const [name, product] of Object.entries(products)) {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i++) {
    const started = performance.now();
    product();
    best = Math.min(best, performance.now() - started);
  }
  console.log(`${name}: ${best.toFixed(3)} ms`);
}

// Both are [M, N]; here is one sum by hand.
const [sums, same] = [products.sparse(), products.dense()];
const [row, column] = [5, 17];
let byHand = 0;
for (let i = 0; i < k; i++) byHand += weight[row * k + i] * x[i * n + column];
const equal = sums.every((sum, i) => sum === same[i]) && sums[row * n + column] === byHand;
console.log(equal ? 'both give the same sums' : 'the sums differ');
if (!equal) process.exitCode = 1;
