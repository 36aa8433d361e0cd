import { EngineError } from '@neural-engine/core';
import type { Activation, Code } from '@neural-engine/kernels';
import { roundTiesEven } from './codes';

/** erf by its series below 3 and its continued fraction above: 1e-15, far finer than the 8-bit steps it is rounded to. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * sum && n < 200; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

const FUNCTIONS: Record<Activation, (x: number) => number> = {
  none: (x) => x,
  gelu_erf: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  relu: (x) => Math.max(x, 0),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

/**
 * The activation as a table from the u8 code of its argument to the u8 code of its result (256 bytes).
 *
 * A table is model data: every instruction set looks up the same bytes, so results do not depend on the CPU.
 */
export function activationTable(act: Activation, from: Code, to: Code): Uint8Array {
  const apply = FUNCTIONS[act];
  if (!apply) throw new EngineError('E_UNSUPPORTED', 'load', `no activation is called "${act}"`);
  const table = new Uint8Array(256);
  for (let q = 0; q < 256; q++) {
    const y = apply((q - from.zero) / from.scale);
    table[q] = Math.min(255, Math.max(0, roundTiesEven(y * to.scale) + to.zero));
  }
  return table;
}
