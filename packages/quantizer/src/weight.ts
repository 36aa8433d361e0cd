import { EngineError, elementCount, type Tensor } from '@neural-engine/core';

export interface QuantizedWeight {
  /** s8, the layout of the source. */
  readonly data: Tensor;
  /** −largest and +largest absolute weight of each output channel, f32 [N]: how the IR stores a symmetric scale. */
  readonly min: Tensor;
  readonly max: Tensor;
}

/** What is made of weights: of one that several products read, once. */
export class PerWeight<T> {
  private readonly made = [new Map<Tensor, T>(), new Map<Tensor, T>()] as const;

  constructor(private readonly make: (weight: QuantizedWeight, transposed: boolean, name: string) => T) {}

  /** @throws {EngineError} as {@link quantizeWeight}. */
  of(weight: Tensor, transposed: boolean, name: string): T {
    const made = this.made[transposed ? 1 : 0];
    const found = made.get(weight) ?? this.make(quantizeWeight(weight, transposed, name), transposed, name);
    made.set(weight, found);
    return found;
  }
}

/** Rounds half to even. */
export function roundTiesEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Quantizes a weight to s8, symmetric, one scale per output channel.
 *
 * q = clamp(round(w · 127 / max|w[n]|), −127, 127); ties to even; a channel of zeros gets the range [−1, 1], so that its scale is finite.
 *
 * @param weight f32, [N, K] if `transposed`, else [K, N] (N output channels).
 * @throws {EngineError} E_QUANT a weight is not finite.
 */
export function quantizeWeight(weight: Tensor, transposed: boolean, where: string): QuantizedWeight {
  const [first, second] = weight.dims as [number, number];
  const [n, k] = transposed ? [first, second] : [second, first];
  const source = weight.data as Float32Array;
  elementCount(weight.dims, where);
  const at = transposed ? (row: number, i: number) => row * k + i : (row: number, i: number) => i * n + row;
  const largest = new Float32Array(n);
  for (let row = 0; row < n; row++) {
    let most = 0;
    for (let i = 0; i < k; i++) {
      const size = Math.abs(source[at(row, i)]!);
      if (!Number.isFinite(size))
        throw new EngineError('E_QUANT', 'quantize', `weight "${where}" holds ${source[at(row, i)]} in channel ${row}`, { where });
      if (size > most) most = size;
    }
    largest[row] = most === 0 ? 1 : most;
  }
  const data = new Int8Array(n * k);
  for (let row = 0; row < n; row++) {
    const scale = Math.fround(127 / largest[row]!);
    for (let i = 0; i < k; i++) {
      const index = at(row, i);
      data[index] = Math.max(-127, Math.min(127, roundTiesEven(source[index]! * scale)));
    }
  }
  return {
    data: { dtype: 's8', dims: weight.dims, data },
    min: { dtype: 'f32', dims: [n], data: largest.map((size) => -size) },
    max: { dtype: 'f32', dims: [n], data: largest },
  };
}
